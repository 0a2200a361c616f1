# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from mien.affect import AdaptiveRate, Analyzer, predict_adaptively
from mien.core import ConfigError
from mien.media import VideoFrame
from tests.helpers.face_clips import FPS, close_up

Rows = npt.NDArray[np.intp]
Values = dict[str, npt.NDArray[np.float32]]


def reader(probabilities: npt.NDArray[np.float32], asked: list[list[int]]) -> Callable[[Rows], Values]:
    """Predictions with the probability of the first of two expressions, and with valence."""

    def read(rows: Rows) -> Values:
        asked.append(sorted(rows.tolist()))
        return {
            "expression": np.stack([probabilities, 1 - probabilities], axis=1)[rows],
            "valence": probabilities[rows] * 2 - 1,
        }

    return read


def run(
    probabilities: npt.ArrayLike, rate: str, track_ids: npt.ArrayLike = 0, usable: npt.ArrayLike = True
) -> tuple[Values, npt.NDArray[np.bool_], list[list[int]]]:
    values = np.asarray(probabilities, np.float32)
    asked: list[list[int]] = []
    numbers = np.broadcast_to(np.asarray(track_ids, np.int64), values.shape)
    may = np.broadcast_to(np.asarray(usable, np.bool_), values.shape)
    settings = AdaptiveRate.of(rate)
    assert settings is not None
    columns, was_read = predict_adaptively(settings, np.arange(len(values)), numbers, may, reader(values, asked))
    return columns, was_read, asked


def test_a_sure_stretch_is_read_at_its_ends_and_interpolated() -> None:
    columns, was_read, asked = run(np.linspace(0.9, 1, 11), "20,5,1@0.8")
    assert asked == [[0, 10]]
    assert was_read.sum() == 2
    np.testing.assert_allclose(columns["expression"][:, 0], np.linspace(0.9, 1, 11), atol=1e-6)
    np.testing.assert_allclose(columns["valence"], np.linspace(0.8, 1, 11), atol=1e-6)


def test_an_unsure_stretch_is_read_finer_until_it_is_sure_and_never_twice() -> None:
    probabilities = np.full(11, 0.95, np.float32)
    probabilities[[0, 10]] = 0.6
    assert run(probabilities, "20,5,1@0.7")[2] == [[0, 10], [5]]
    _, was_read, asked = run(probabilities, "20,5,1@0.99")
    assert asked == [[0, 10], [5], [1, 2, 3, 4, 6, 7, 8, 9]]
    assert was_read.all()


def test_tracks_are_decided_one_by_one_in_common_calls() -> None:
    probabilities = np.array([0.99, 0.5] * 6, np.float32)
    columns, was_read, asked = run(probabilities, "20,1@0.9", track_ids=[0, 1] * 6)
    assert asked == [[0, 1, 10, 11], [3, 5, 7, 9]]
    assert was_read[1::2].all()
    assert was_read[::2].sum() == 2
    np.testing.assert_allclose(columns["expression"][:, 0], probabilities, atol=1e-6)


def test_faces_without_a_track_are_read_and_unfit_ones_are_not() -> None:
    columns, was_read, _ = run(np.full(6, 0.9), "20,1@0.8", track_ids=-1, usable=[1, 1, 0, 1, 1, 1])
    assert was_read.tolist() == [True, True, False, True, True, True]
    assert np.isnan(columns["expression"][2]).all()
    columns, was_read, asked = run(np.full(6, 0.9), "20,1@0.8", usable=[0, 1, 1, 0, 1, 1])
    assert asked == [[1, 5]]
    assert np.isnan(columns["valence"]).tolist() == [True, False, False, True, False, False]
    assert run(np.full(3, 0.9), "20,1", usable=False)[0] == {}


@pytest.mark.parametrize("text", ["25", "25,5", "5,25,1", "25,5,5,1", "a,1", "", "25,1@", "25,1@2", "25,1@0", "25,0,1"])
def test_settings_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        AdaptiveRate.of(text)


def test_settings_survive_being_written() -> None:
    assert AdaptiveRate.of(str(AdaptiveRate(strides=(50, 10, 1), confidence=0.9))) == AdaptiveRate.of("50,10,1@0.9")
    assert AdaptiveRate.of(None) is None


def test_an_analyzer_answers_for_every_frame_and_abstains_where_told(astronaut: npt.NDArray[np.uint8]) -> None:
    analyzer = Analyzer(threads=1)
    face = close_up(astronaut)
    frames = [VideoFrame(index=i, time_s=i / FPS, image=np.roll(face, i % 4, axis=1)) for i in range(12)]
    every = list(analyzer.frames(frames))
    some = list(analyzer.frames(frames, adaptive="8,1@0.5"))
    all_read = list(analyzer.frames(frames, adaptive="8,1@1"))
    assert [frame.index for frame in some] == [frame.index for frame in every]
    for one, other, same in zip(every, some, all_read, strict=True):
        assert one.faces.track_ids.tolist() == other.faces.track_ids.tolist()
        assert np.isfinite(other.faces.expression).all()
        np.testing.assert_allclose(same.faces.expression, one.faces.expression, atol=2e-3)
    assert any(not np.array_equal(one.faces.valence, some[i].faces.valence) for i, one in enumerate(every))
    abstained = list(Analyzer(threads=1, min_quality=1.0).frames(frames[:9], adaptive="8,1"))
    for frame in abstained:
        assert frame.faces.expression.shape == (1, len(analyzer.expression_labels))
        assert np.isnan(frame.faces.expression).all()
        assert np.isfinite(frame.faces.quality).all()


def test_what_is_live_cannot_look_ahead() -> None:
    with pytest.raises(ConfigError, match="needs later frames"):
        next(Analyzer(threads=1).frames([], live=True, adaptive="25,5,1"))

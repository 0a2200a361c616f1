# SPDX-License-Identifier: Apache-2.0
"""Columns of frames."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import ConfigError
from mien.datasets import FrameSamples


def _samples(**columns: object) -> FrameSamples:
    given: dict[str, object] = {
        "dataset": "test",
        "split": "train",
        "tracks": ("a", "b", "c"),
        "track_index": [2, 0, 2, 0],
        "frame": [9, 1, 3, 2],
    }
    return FrameSamples(**{**given, **columns})  # type: ignore[arg-type] # a test may leave out or replace any column


def test_columns_that_are_not_given_are_unknown() -> None:
    samples = _samples()
    assert np.isnan(samples.valence_arousal).all()
    assert (samples.expression == -1).all()
    assert samples.action_units.shape == (4, 0)
    assert not (samples.valid_valence_arousal | samples.valid_expression | samples.valid_action_units).any()
    assert samples.counts().n_media is None


def test_columns_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        _samples().frame[0] = 5


def test_columns_of_the_wrong_length_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"expression must have shape \(4,\), got \(3,\)"):
        _samples(expression=[0, 1, 2])


def test_track_rows_are_sorted_within_a_track_and_never_cross_it() -> None:
    rows = {track: rows.tolist() for track, rows in _samples().track_rows()}
    assert rows == {"a": [1, 3], "b": [], "c": [2, 0]}


def test_take_keeps_the_order_of_indices_and_all_tracks() -> None:
    chosen = _samples(expression=[0, 1, 2, 3], expression_labels=("w", "x", "y", "z")).take([3, 0])
    assert chosen.expression.tolist() == [3, 0]
    assert chosen.tracks == ("a", "b", "c")
    assert [chosen.image_location(row) for row in (0, 1)] == ["a/00002.jpg", "c/00009.jpg"]


def test_action_units_are_counted_where_the_whole_row_is_known() -> None:
    samples = _samples(action_units=[[1, 0], [1, -1], [1, 1], [0, 0]], action_unit_labels=("AU01", "AU12"))
    counts = samples.counts()
    assert counts.valid == {"action_units": 3}
    assert counts.classes == {"AU01": 2, "AU12": 1}


def test_an_image_needs_a_folder() -> None:
    with pytest.raises(ConfigError, match="without crops"):
        _samples().image_path(0)
    assert _samples(crops=Path("crops")).image_path(0) == Path("crops/c/00009.jpg")

# SPDX-License-Identifier: Apache-2.0
"""EMI and ERI: no answer without weights, and heads of a user's own."""

import json
from pathlib import Path

import numpy as np
import pytest

from mien.affect import ClipVectors, IntensityPredictor, clip_statistics
from mien.core import INTENSITY_LABELS, ConfigError, HeadInput, HeadSpec, ModelError
from mien.datasets import EMI_EMOTIONS, ERI_EMOTIONS
from mien.inference import FakeSession, Head, load_head
from tests.helpers.small_heads import small_head

SPEC = HeadSpec(
    head_version=1,
    name="tiny",
    version="1",
    sha256="0",
    task="emi",
    labels=EMI_EMOTIONS,
    inputs=(
        HeadInput(made_by="net", digest="n", part="scores", n=2, every=5),
        HeadInput(made_by="speech", digest="s", part="features", n=3),
    ),
    input="vectors",
    output="intensities",
    unit="share of the largest rating",
)


def head() -> Head:
    def answer(inputs):  # the first six numbers, to see what was fed
        return {"intensities": inputs["vectors"][:, :6]}

    return Head(SPEC, FakeSession(answer, input_names=("vectors",), output_names=("intensities",)))


def vectors(n: int, digest: str, part: str) -> ClipVectors:
    clips = np.repeat([0, 2], 10)
    values = np.random.default_rng(n).random((20, n), dtype=np.float32)
    return ClipVectors(digest=digest, part=part, clips=clips, frames=np.tile(np.arange(10), 2), values=values)


@pytest.mark.parametrize("task", INTENSITY_LABELS)
def test_without_weights_there_is_no_answer(task: str) -> None:
    with pytest.raises(ModelError, match=f"no trained weights for {task}"):
        IntensityPredictor(task)


def test_labels_are_those_of_the_data_sets() -> None:
    assert dict(INTENSITY_LABELS) == {"emi": EMI_EMOTIONS, "eri": ERI_EMOTIONS}


def test_a_head_sees_statistics_in_its_order() -> None:
    scores, speech = vectors(2, "n", "scores"), vectors(3, "s", "features")
    found = IntensityPredictor("emi", head())([speech, scores], n_clips=3)
    expected = clip_statistics(scores.clips, scores.frames, scores.values, n_clips=3, every=5)[:, :6]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert np.isnan(found[1]).all()


def test_vectors_of_another_model() -> None:
    with pytest.raises(ModelError, match="trained on the features of speech"):
        IntensityPredictor("emi", head())([vectors(2, "n", "scores"), vectors(3, "x", "features")], n_clips=3)


def test_a_head_of_another_task() -> None:
    with pytest.raises(ModelError, match="trained for emi, not for eri"):
        IntensityPredictor("eri", head())
    with pytest.raises(ConfigError, match="task must be one of"):
        IntensityPredictor("emy", head())


def write_head(folder: Path) -> HeadSpec:
    spec = HeadSpec(**{**vars(SPEC), "sha256": small_head(folder)["sha256"]})
    (folder / "head.json").write_text(json.dumps(spec.to_json()), "utf-8")
    return spec


def test_a_head_on_disk(tmp_path: Path) -> None:
    spec = write_head(tmp_path)
    loaded = load_head(tmp_path)
    assert loaded.spec == spec
    scores, speech = vectors(2, "n", "scores"), vectors(3, "s", "features")
    found = IntensityPredictor("emi", tmp_path)([scores, speech], n_clips=3)
    assert ((found[[0, 2]] > 0.5) & (found[[0, 2]] < 1)).all()
    with pytest.raises(ModelError, match=r"takes vectors \(N, 20\)"):
        loaded.run(np.zeros((2, 19)))
    (tmp_path / "head.onnx").write_bytes(b"else")
    with pytest.raises(ModelError, match="SHA-256"):
        load_head(tmp_path)


def test_descriptions_that_cannot_be_right(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"head\.json"):
        load_head(tmp_path)
    content = SPEC.to_json()
    for change in ({"head_version": 2}, {"labels": ["joy"]}, {"task": "age"}, {"inputs": []}, {"more": 1}):
        with pytest.raises(ModelError):
            HeadSpec.from_json({**content, **change})
    assert HeadSpec.from_json(json.loads(json.dumps(content))) == SPEC


def test_every_fifth_frame_of_each_clip() -> None:
    random = np.random.default_rng(1)
    clips = random.permutation(np.repeat([0, 2], 40))
    frames, values = random.integers(0, 100, 80), random.random((80, 10)).astype(np.float16)
    found = clip_statistics(clips, frames, values, n_clips=3, every=5)
    assert found.shape == (3, 40)
    for clip in (0, 2):
        own = values[(clips == clip) & (frames % 5 == 0)].astype(float)
        expected = np.concatenate([own.mean(0), own.std(0), own.min(0), own.max(0)])
        np.testing.assert_allclose(found[clip], expected, rtol=1e-12)
    assert np.isnan(found[1]).all()


def test_nothing_at_all() -> None:
    assert np.isnan(clip_statistics([], [], np.empty((0, 768)), n_clips=2)).all()
    assert clip_statistics([], [], np.empty((0, 768)), n_clips=2).shape == (2, 3072)


@pytest.mark.parametrize(("clips", "every"), [([0, 2], 1), ([-1, 0], 1), ([0, 1], 0), ([0], 1)])
def test_what_does_not_fit(clips: list[int], every: int) -> None:
    with pytest.raises(ConfigError):
        clip_statistics(clips, [0, 1], np.zeros((2, 3)), n_clips=2, every=every)

# SPDX-License-Identifier: Apache-2.0
"""A bundle as the predictor of a challenge: crops of the data set, gaps, and labels matched by name."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mien.core import EXPRESSIONS, ConfigError, Faces
from mien.datasets import create_example, load_dataset
from mien.evaluation import ANSWERS, BundleOnCrops, challenges


class _FrameNumberAnalyzer:
    """Says the tenth of a crop's frame number as valence, and one expression throughout."""

    spec = SimpleNamespace(name="fake")
    bundle_digest = "0" * 64

    def __init__(self, expression: str = "anger") -> None:
        self._expression = expression

    def crops(self, paths: list[Path]) -> Faces:
        n = len(paths)
        number = np.array([int(path.stem) if path.stem.isdecimal() else 0 for path in paths])
        return Faces(
            boxes=np.zeros((n, 4)),
            expression=np.tile(np.eye(8)[EXPRESSIONS.index(self._expression)], (n, 1)),
            valence=number / 10,
            arousal=-number / 10,
            action_units=np.tile([0.9, 0.5, 0.1], (n, 1)),
            expression_labels=EXPRESSIONS,
            action_unit_labels=("AU01", "AU12", "AU25"),
        )


def test_frames_without_a_crop_are_interpolated_and_tracks_without_any_are_zero(tmp_path: Path) -> None:
    create_example("affwild2-va", tmp_path)
    samples = load_dataset("affwild2-va", tmp_path, "train")
    values = BundleOnCrops(_FrameNumberAnalyzer()).of_frames(ANSWERS["va"], samples)
    track = samples.track_index == samples.tracks.index("1-30-640x360")
    # Crops 1, 3 and 4 of four frames are there.
    assert values[track, 0] == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=1e-6)
    left = samples.track_index == samples.tracks.index("1-30-640x360_left")
    assert values[left, 0] == pytest.approx([0.2, 0.2], abs=1e-6)


def test_multi_task_answers_have_the_columns_of_the_form(tmp_path: Path) -> None:
    create_example("affwild2-mtl", tmp_path)
    samples = load_dataset("affwild2-mtl", tmp_path, "valid")
    values = BundleOnCrops(_FrameNumberAnalyzer()).of_frames(ANSWERS["mtl"], samples)
    # AU1 and AU12 (at the threshold) are present, AU25 is not, and the other units are unknown to the bundle.
    expected = [0.3, -0.3, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert values[0] == pytest.approx(expected, abs=1e-6)


def test_pitfall_18_contempt_is_no_other(tmp_path: Path) -> None:
    create_example("affwild2-expr", tmp_path)
    samples = load_dataset("affwild2-expr", tmp_path, "valid")
    values = BundleOnCrops(_FrameNumberAnalyzer("contempt")).of_frames(ANSWERS["expr"], samples)
    assert samples.expression_labels.index("other") not in values[:, 0]


@pytest.mark.parametrize(("name", "n"), [("lsd", 6), ("affectnet", 1)])
def test_image_sets_are_measured_on_their_files(name: str, n: int, tmp_path: Path) -> None:
    create_example(name, tmp_path)
    report = getattr(challenges, f"evaluate_{name}")(tmp_path, BundleOnCrops(_FrameNumberAnalyzer()))
    assert report.predictor == "fake"
    assert report.measures[0].n == n
    # One of the six expressions of LSD is anger; the only face of AffectNet's example is neutral.
    accuracy = next(measure for measure in report.measures if measure.name.startswith("accuracy"))
    assert accuracy.value == pytest.approx({"lsd": 1 / 6, "affectnet": 0}[name])


def test_clips_need_a_file(tmp_path: Path) -> None:
    create_example("emi", tmp_path)
    with pytest.raises(ConfigError, match="--predictions"):
        challenges.evaluate_emi(tmp_path, BundleOnCrops(_FrameNumberAnalyzer()))

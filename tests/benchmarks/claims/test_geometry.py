# SPDX-License-Identifier: Apache-2.0
"""The experiment on landmark geometry, on a few made faces."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from benchmarks.claims import geometry
from mien.core import DIMENSIONS
from mien.training.data.training_set import TrainingSet
from tests.helpers.synthetic_data import face_landmarks


def made_faces(n: int) -> TrainingSet:
    """Faces whose valence is how high the mouth corners are, some of them looking aside."""
    rng = np.random.default_rng(n)
    affect = rng.uniform(-1, 1, (n, 2)).astype(np.float32)
    points = face_landmarks()[None] * 200 + rng.normal(size=(n, 68, 2))
    points[:, [48, 54, 60, 64], 1] -= 8 * affect[:, :1]
    pose = rng.uniform(-0.1, 0.1, (n, 3))
    pose[: n // 10, 1] = 0.6
    return TrainingSet(
        groups=tuple(map(str, range(n))),
        inputs=np.concatenate([points.reshape(n, 136), pose], axis=1).astype(np.float32),
        targets={"valence_arousal": affect, "intensity": np.hypot(affect[:, :1], affect[:, 1:])},
        labels={"valence_arousal": DIMENSIONS, "intensity": ("intensity",)},
        keypoints=np.full((n, 5, 2), np.nan, np.float32),
        primary=np.ones(n, bool),
    )


def test_the_page_is_completed_and_a_second_run_computes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(geometry, "load_source", lambda source, *_: made_faces(300 if source.split == "train" else 120))
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n" + geometry._MARKS[0] + geometry._MARKS[1] + "\nthe end\n")
    arguments = [
        "--data",
        str(tmp_path),
        "--work",
        str(tmp_path),
        "--faces",
        "250",
        "--seeds",
        "2",
        "--page",
        str(page),
    ]
    assert geometry.main(arguments) == 0
    text = page.read_text()
    assert text.startswith("# Page")
    assert text.endswith("the end\n")
    for expected in ("68 points, turned", "9 components", "| 31 components beat 9 |", "250 training faces and 2 seeds"):
        assert expected in text
    monkeypatch.setattr(geometry, "evaluate_variant", lambda *_, **__: pytest.fail("computed twice"))
    assert geometry.main(arguments) == 0
    assert page.read_text().count("| 31 components beat 9 |") == 1

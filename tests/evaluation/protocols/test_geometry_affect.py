# SPDX-License-Identifier: Apache-2.0
"""Valence and arousal of landmarks beside those of a network."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.affect import GeometryModel
from mien.core import ConfigError, Faces
from mien.datasets import load_ferplus
from mien.evaluation import evaluate
from mien.evaluation.face_crops import decode_pictures
from mien.metrics import ccc
from tests.helpers.open_face_sets import ExpressionOnlyAnalyzer, FlatFaceAnalyzer, metrics_by_name
from tests.helpers.synthetic_data import face_landmarks


class LandmarkAnalyzer(FlatFaceAnalyzer):
    """Landmarks whose mouth corners are up where the picture smiles; the first ten faces have none."""

    geometry = None

    def crops(self, images: Sequence[Any], *, aligned: bool = False, given: Any = None) -> Faces:
        faces = super().crops(images, aligned=aligned, given=given)
        points = np.repeat(face_landmarks()[None] * 90, len(images), axis=0).astype(np.float32)
        points[:, [48, 54, 60, 64], 1] -= 5 * faces.valence[:, None]
        points[:10] = np.nan
        return dataclasses.replace(faces, landmarks=points)


class Unseen(LandmarkAnalyzer):
    """No face has landmarks."""

    def crops(self, images: Sequence[Any], *, aligned: bool = False, given: Any = None) -> Faces:
        faces = super().crops(images, aligned=aligned, given=given)
        return dataclasses.replace(faces, landmarks=np.full_like(faces.landmarks, np.nan))


def test_all_three_are_compared_on_faces_with_landmarks(open_sets: Path) -> None:
    report = evaluate("geometry", LandmarkAnalyzer(), open_sets)
    assert (report.n_rows, report.dropped) == (230, {"without landmarks": 10})
    metrics = metrics_by_name(report)
    own, mean = (metrics[f"CCC valence, {name}"].value for name in ("flat", "mean of both"))
    gain = metrics["CCC valence, mean of both minus flat"]
    assert gain.value == pytest.approx(mean - own)
    assert gain.low <= gain.value <= gain.high
    samples = load_ferplus(open_sets, "valid")
    faces = LandmarkAnalyzer().crops(decode_pictures(samples))
    expected = ccc(GeometryModel().predict(faces.landmarks[10:])[:, 1], samples.valence_arousal[10:, 0])
    assert metrics["CCC valence, mien-geometry"].value == pytest.approx(expected, abs=1e-6)


def test_what_cannot_be_compared_is_refused(open_sets: Path) -> None:
    class Wordless(ExpressionOnlyAnalyzer):
        geometry = None

    with pytest.raises(ConfigError, match="flat has no valence and arousal to compare with"):
        evaluate("geometry", Wordless(), open_sets)
    with pytest.raises(ConfigError, match="no face has landmarks"):
        evaluate("geometry", Unseen(), open_sets)

# SPDX-License-Identifier: Apache-2.0
"""Action units on rendered faces, by an analyzer whose errors are known."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.core import ACTION_UNIT_SIDES, EXPRESSIONS, Faces
from mien.datasets import load_rendered_faces
from mien.evaluation.protocols.action_units.rendered_units import evaluate_au_rendered
from tests.helpers.open_face_sets import FlatFaceAnalyzer, metrics_by_name
from tests.helpers.rendered_sets import write_rendered

UNITS = ("AU04", "AU12", "AU45")


class _OffByHalf(FlatFaceAnalyzer):
    """AU04 by its intensity, half a level too high; AU12 turned round, AU45 without an intensity."""

    def __init__(self, intensity: np.ndarray) -> None:
        super().__init__()
        self._intensity = intensity

    def crops(self, images: Sequence[Any], *, aligned: bool = False) -> Faces:
        assert aligned
        assert {image.shape for image in images} == {(96, 96, 3)}
        brow, smile, lids = self._intensity.T
        known = np.stack([np.minimum(brow + 0.5, 5), 5 - smile, np.full(len(brow), np.nan)], axis=1)
        return Faces(
            boxes=np.zeros((len(images), 4)),
            expression=np.full((len(images), 8), 1 / 8),
            expression_labels=EXPRESSIONS,
            action_units=np.stack([brow / 5, 1 - smile / 5, lids / 5], axis=1),
            action_unit_intensity=known,
            action_unit_labels=UNITS,
        )


def test_known_errors_give_known_metrics(tmp_path: Path) -> None:
    write_rendered(tmp_path, 432)
    samples = load_rendered_faces(tmp_path, "test")
    columns = [samples.action_unit_labels.index(unit) for unit in UNITS]
    report = evaluate_au_rendered(_OffByHalf(samples.intensity[:, columns]), tmp_path)
    metrics = metrics_by_name(report)
    assert metrics["AUC AU04"].value == metrics["AUC AU45"].value == 1.0
    assert metrics["AUC AU12"].value == 0.0
    assert metrics["mean AUC, 3 units"].value == pytest.approx(2 / 3)
    assert metrics["intensity error AU04"].value == pytest.approx(0.5 * 5 / 6, abs=0.01)  # level 5 has none above it
    assert "intensity error AU45" not in metrics
    assert metrics["mean intensity AUC, 2 units"].value == 0.5
    assert metrics["AUC AU04"].n == len(samples) == 72
    assert report.dropped["AU01 is not predicted or too rare"] == 48


class _Sides(FlatFaceAnalyzer):
    """All sides as they are but those of AU12, which are exchanged."""

    def __init__(self, sides: np.ndarray) -> None:
        super().__init__()
        left = ACTION_UNIT_SIDES.index("AU12_left")
        self._sides = sides.copy()
        self._sides[:, [left, left + 1]] = sides[:, [left + 1, left]]

    def crops(self, images: Sequence[Any], *, aligned: bool = False) -> Faces:
        del aligned
        return Faces(
            boxes=np.zeros((len(images), 4)), expression=np.full((len(images), 8), 1 / 8),
            expression_labels=EXPRESSIONS, action_unit_sides=self._sides,
        )  # fmt: skip


def test_the_stronger_side_is_told_from_the_weaker_one(tmp_path: Path) -> None:
    write_rendered(tmp_path, 720)
    samples = load_rendered_faces(tmp_path, "test")
    metrics = metrics_by_name(evaluate_au_rendered(_Sides(samples.sides), tmp_path))
    assert metrics["side AUC AU45"].value == 1.0
    assert metrics["side AUC AU12"].value == 0.0
    assert metrics["mean side AUC, 12 units"].value == pytest.approx(11 / 12)
    unknown = metrics_by_name(evaluate_au_rendered(_Sides(np.full_like(samples.sides, np.nan)), tmp_path))
    assert not any(name.startswith(("side", "mean side")) for name in unknown)

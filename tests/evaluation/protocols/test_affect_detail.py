# SPDX-License-Identifier: Apache-2.0
"""Valence and arousal beside the expression."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.core import ConfigError, Faces
from mien.evaluation import evaluate
from mien.evaluation.protocols import affect_detail
from mien.evaluation.protocols.affect_detail import evaluate_affect_detail
from tests.helpers.open_face_sets import ExpressionOnlyAnalyzer, FlatFaceAnalyzer, metrics_by_name


class DetailedAnalyzer(FlatFaceAnalyzer):
    """Valence says the expression; arousal is the gray level of the middle of the image, whatever the expression."""

    def crops(self, images: Sequence[Any], *, aligned: bool = False, given: Any = None) -> Faces:
        faces = super().crops(images, aligned=aligned, given=given)
        middle = np.array([np.asarray(image)[40:56].mean() / 255 for image in images], np.float32)
        return dataclasses.replace(faces, arousal=middle)


def test_values_that_follow_from_the_expression_gain_nothing(open_sets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(affect_detail, "_MIN_FACES", 20)
    metrics = metrics_by_name(evaluate("affect-detail", FlatFaceAnalyzer(), open_sets))
    # Two expressions, each with one value of valence: a map of the expression is as good as it gets.
    assert metrics["CCC valence, best map of predicted expressions"].value == pytest.approx(1, abs=0.01)
    assert metrics["CCC valence, own minus best map of predicted expressions"].value < 0.01
    assert not any("rank correlation" in name and "halves" not in name for name in metrics)


def test_halves_of_votes_are_disjoint_and_mouths_are_compared_within_happiness() -> None:
    votes = np.array([[4, 6, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 9, 0, 0, 0, 0, 0]])
    first, second = affect_detail._halves(votes)
    np.testing.assert_allclose(first[0] * 5 + second[0] * 5, votes[0])
    assert (first[1] == 1 / 8).all()
    assert (first[2, 2], second[2, 2]) == (1, 1)


def test_ranks_within_an_expression(open_sets: Path) -> None:
    """Ranks that agree within every expression give 1, whatever lies between the expressions."""
    label = np.repeat([0, 1], 150)
    truth = np.tile(np.linspace(-1, 1, 150), 2)
    own = truth * 0.1 + label
    metrics = affect_detail._within("arousal", {"": (own, truth), ", upside down": (-own, truth)}, label)
    values = {metric.name: metric.value for metric in metrics}
    assert values == pytest.approx(
        {
            "rank correlation of arousal within one predicted expression": 1,
            "rank correlation of arousal within one predicted expression, upside down": -1,
            "rank correlation of arousal within predicted neutral": 1,
            "rank correlation of arousal within predicted happiness": 1,
        }
    )
    report = evaluate_affect_detail(DetailedAnalyzer(), open_sets)
    assert report.n_rows == 240
    with pytest.raises(ConfigError, match="flat has no valence and arousal"):
        evaluate_affect_detail(ExpressionOnlyAnalyzer(), open_sets)

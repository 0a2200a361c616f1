# SPDX-License-Identifier: Apache-2.0
"""The quality benchmark recovers known coefficients and bins faces by quality."""

import numpy as np
import pytest

from benchmarks.quality import binned, fit
from mien.core import Bools, Float32
from mien.evaluation.protocols.quality_ranking import DegradedPredictions
from mien.faces import SIGNALS, QualityModel


def predicted(signals: Float32, correct: Bools) -> DegradedPredictions:
    nothing = np.zeros(len(correct), np.float32)
    return DegradedPredictions(
        kinds=np.full(len(correct), "none"),
        names=np.full(len(correct), "a"),
        signals=signals,
        quality=nothing,
        scores=nothing,
        yaw_rad=nothing,
        predicted=nothing.astype(np.intp),
        confidence=nothing,
        correct=correct,
    )


def test_the_fit_finds_the_signal_that_counts() -> None:
    rng = np.random.default_rng(0)
    signals = rng.normal(3, 2, (4000, len(SIGNALS) + 1)).astype(np.float32)
    probability = 1 / (1 + np.exp(-(1 + (signals[:, 4] - 3) / 2 * -2)))
    correct = rng.random(4000) < probability
    spec = fit(predicted(signals, correct), 1500, "command")
    weights = dict(zip(spec.signals, spec.weights, strict=True))
    assert weights["turn"] == pytest.approx(-2, abs=0.25)
    assert all(abs(weights.get(name, 0)) < 0.15 for name in (*SIGNALS, "sureness") if name != "turn")
    assert all(weights.get(name, 0) <= 0 for name in ("nod", "roll", "outside", "doubt"))
    assert spec.intercept == pytest.approx(1, abs=0.15)
    np.testing.assert_allclose(QualityModel(spec)(signals[:, :-1]).mean(), correct.mean(), atol=0.005)


def test_a_bad_image_lowers_the_quality_even_where_sureness_tells_as_much() -> None:
    rng = np.random.default_rng(1)
    signals = rng.normal(0, 1, (4000, len(SIGNALS) + 1)).astype(np.float32)
    detail = SIGNALS.index("mouth_detail")
    signals[:, -1] = signals[:, detail] + rng.normal(0, 0.3, 4000)
    correct = rng.random(4000) < 1 / (1 + np.exp(-2 * signals[:, -1]))
    spec = fit(predicted(signals, correct), 1500, "command")
    weights = dict(zip(spec.signals, spec.weights, strict=True))
    assert weights["mouth_detail"] > 1
    assert weights["sureness"] > 1
    assert spec.image_share < 0.2
    model = QualityModel(spec)
    alone = model(signals[:, :-1])
    np.testing.assert_allclose(alone.mean(), correct.mean(), atol=0.02)
    known = model.with_sureness(alone, 1 / (1 + np.exp(-signals[:, -1])))
    np.testing.assert_allclose(known.mean(), correct.mean(), atol=0.01)


def test_tenths_go_from_worst_to_best() -> None:
    quality = np.linspace(0, 1, 100)
    points = binned(quality, quality > 0.5)
    assert points[0] == (pytest.approx(quality[:10].mean()), 0)
    assert points[-1] == (pytest.approx(quality[-10:].mean()), 1)

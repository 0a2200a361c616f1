# SPDX-License-Identifier: Apache-2.0
"""The quality benchmark recovers known coefficients and bins faces by quality."""

import numpy as np
import pytest

from benchmarks.quality import binned, fit
from mien.evaluation.protocols.quality_ranking import DegradedPredictions
from mien.faces import SIGNALS, QualityModel


def test_the_fit_finds_the_signal_that_counts() -> None:
    rng = np.random.default_rng(0)
    signals = rng.normal(3, 2, (4000, len(SIGNALS) + 1)).astype(np.float32)
    probability = 1 / (1 + np.exp(-(1 + (signals[:, 4] - 3) / 2 * -2)))
    correct = rng.random(4000) < probability
    nothing = np.zeros(4000, np.float32)
    predictions = DegradedPredictions(
        kinds=np.full(4000, "none"),
        names=np.full(4000, "a"),
        signals=signals,
        quality=nothing,
        scores=nothing,
        yaw_rad=nothing,
        predicted=nothing.astype(np.intp),
        confidence=nothing,
        correct=correct,
    )
    spec = fit(predictions, "command")
    weights = dict(zip(spec.signals, spec.weights, strict=True))
    assert weights["turn"] == pytest.approx(-2, abs=0.25)
    assert all(abs(weights.get(name, 0)) < 0.15 for name in (*SIGNALS, "sureness") if name != "turn")
    assert all(weights.get(name, 0) <= 0 for name in ("nod", "roll", "outside", "doubt"))
    assert spec.intercept == pytest.approx(1, abs=0.15)
    np.testing.assert_allclose(QualityModel(spec)(signals[:, :-1]).mean(), correct.mean(), atol=0.005)


def test_tenths_go_from_worst_to_best() -> None:
    quality = np.linspace(0, 1, 100)
    points = binned(quality, quality > 0.5)
    assert points[0] == (pytest.approx(quality[:10].mean()), 0)
    assert points[-1] == (pytest.approx(quality[-10:].mean()), 1)

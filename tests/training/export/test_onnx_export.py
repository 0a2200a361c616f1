# SPDX-License-Identifier: Apache-2.0
"""Calibration by known answers."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.training.export.onnx_export import fit_temperature, fit_thresholds


def test_temperature_undoes_a_known_scale() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 8))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (shares.cumsum(axis=1) > rng.random((len(shares), 1))).argmax(axis=1)
    assert fit_temperature(3 * logits, labels) == pytest.approx(3, rel=0.03)
    assert fit_temperature(0.5 * logits, labels) == pytest.approx(0.5, rel=0.03)


def test_thresholds_have_the_best_f1_and_unknown_targets_stay_out() -> None:
    probabilities = np.array([[0.15], [0.25], [0.35], [0.9]], np.float32)
    targets = np.array([[0.0], [1.0], [1.0], [np.nan]], np.float32)
    assert fit_thresholds(probabilities, targets) == (0.2,)
    assert fit_thresholds(probabilities, np.ones((4, 1), np.float32)) == (0.1,)
    assert fit_thresholds(probabilities, np.full((4, 1), np.nan, np.float32)) == (0.5,)

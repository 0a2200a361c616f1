# SPDX-License-Identifier: Apache-2.0
"""The threshold search against scikit-learn over the whole grid."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from mien.core import ConfigError
from mien.evaluation import search_thresholds


def test_search_finds_the_best_of_nine_for_each_unit() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, (80, 12))
    probabilities = np.clip(0.5 * targets + rng.uniform(0, 0.6, (80, 12)), 0, 1)
    found = search_thresholds(targets, probabilities)
    for unit in range(12):
        scores = {
            step / 10: sklearn_metrics.f1_score(
                targets[:, unit], probabilities[:, unit] >= step / 10, zero_division=0.0
            )
            for step in range(1, 10)
        }
        assert found.f1[unit] == pytest.approx(max(scores.values()), abs=1e-12)
        assert scores[found.thresholds[unit]] == pytest.approx(found.f1[unit], abs=1e-12)
        assert found.f1_at_half[unit] == pytest.approx(scores[0.5], abs=1e-12)


def test_pitfall_5_and_9_the_figure_at_one_half_stays_beside_the_tuned_one() -> None:
    targets = np.array([[1], [1], [0], [0]])
    found = search_thresholds(targets, [[0.35], [0.45], [0.2], [0.1]])
    assert found.thresholds == (0.3,)
    assert (found.mean_f1, found.mean_f1_at_half) == (1, 0)


def test_a_flat_curve_keeps_one_half() -> None:
    assert search_thresholds([[0], [0]], [[0.0], [0.0]]).thresholds == (0.5,)
    # Present is from the threshold on: .5 itself counts.
    assert search_thresholds([[1]], [[0.5]]).f1_at_half == (1.0,)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="are needed"):
        search_thresholds([1, 0], [0.2, 0.3])
    with pytest.raises(ConfigError, match="0 or 1"):
        search_thresholds([[-1]], [[0.2]])

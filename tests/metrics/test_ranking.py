# SPDX-License-Identifier: Apache-2.0
"""AUC, concordant pairs and risk over coverage against scikit-learn and plain loops."""

# SPDX-License-Identifier: Apache-2.0
# SPDX-License-Identifier: Apache-2.0
import itertools

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mien.core import ConfigError
from mien.metrics import aurc, concordant_pairs, rank_correlation, risk_coverage, roc_auc


@pytest.mark.parametrize("decimals", [1, 6])
def test_auc_agrees_with_scikit_learn_with_and_without_ties(decimals: int) -> None:
    rng = np.random.default_rng(decimals)
    targets = rng.random(300) < 0.3
    scores = np.round(rng.random(300) + 0.4 * targets, decimals)
    assert roc_auc(targets, scores) == pytest.approx(roc_auc_score(targets, scores), abs=1e-12)


def test_weights_are_repetitions() -> None:
    rng = np.random.default_rng(0)
    targets, scores = rng.random(60) < 0.5, np.round(rng.random(60), 1)
    weights = rng.integers(0, 4, (5, 60)).astype(float)
    ordered, pairs = concordant_pairs(targets, scores, weights)
    for row, expected in zip(weights.astype(int), ordered / pairs, strict=True):
        repeated = np.repeat(np.arange(60), row)
        assert roc_auc_score(targets[repeated], scores[repeated]) == pytest.approx(expected, abs=1e-12)


def test_one_kind_of_rows_has_no_auc() -> None:
    assert np.isnan(roc_auc([1, 1], [0.2, 0.3]))


@pytest.mark.parametrize(
    ("targets", "scores"), [([], []), ([1, 0], [0.5]), ([0.3, 1], [0.5, 0.5]), ([1, 0], [0.5, np.nan])]
)
def test_wrong_input_is_refused(targets: list[float], scores: list[float]) -> None:
    with pytest.raises(ConfigError):
        roc_auc(targets, scores)


def test_risks_are_those_of_the_k_most_confident() -> None:
    rng = np.random.default_rng(0)
    correct, confidence = rng.random(50) < 0.7, rng.random(50)
    expected = [1 - correct[np.argsort(-confidence)[: k + 1]].mean() for k in range(50)]
    np.testing.assert_allclose(risk_coverage(correct, confidence), expected, atol=1e-12)
    assert aurc(correct, confidence) == pytest.approx(np.mean(expected), abs=1e-12)


def test_equal_confidence_is_the_mean_over_all_orders() -> None:
    correct, confidence = [1, 0, 1, 0, 1], [3, 2, 2, 2, 1]
    orders = [[0, *middle, 4] for middle in itertools.permutations([1, 2, 3])]
    wrong = 1 - np.array(correct)
    expected = np.mean([np.cumsum(wrong[order]) / np.arange(1, 6) for order in orders], axis=0)
    np.testing.assert_allclose(risk_coverage(correct, confidence), expected, atol=1e-12)


def test_a_constant_confidence_has_the_error_everywhere() -> None:
    assert aurc([1, 1, 0, 1], np.zeros(4)) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("correct", "confidence"), [([], []), ([1, 0], [0.5]), ([0.3, 1], [0.5, 0.5]), ([1, 0], [0.5, np.nan])]
)
def test_confidences_that_do_not_fit_are_refused(correct: list[float], confidence: list[float]) -> None:
    with pytest.raises(ConfigError):
        aurc(correct, confidence)


def test_rank_correlation_is_spearmans() -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(0, 12, 200).astype(float)  # with ties
    y = x + rng.normal(0, 5, 200)
    stats = pytest.importorskip("scipy.stats")
    assert rank_correlation(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


def test_rank_correlation_within_groups_ignores_their_levels() -> None:
    rng = np.random.default_rng(4)
    group = np.repeat([0, 1], 300)
    x, y = rng.random(600) + 5 * group, rng.random(600) + 5 * group
    assert rank_correlation(x, y) > 0.7
    assert abs(rank_correlation(x, y, group)) < 0.15
    assert rank_correlation(x, x**3, group) == pytest.approx(1.0)
    assert np.isnan(rank_correlation(np.ones(4), np.arange(4)))
    with pytest.raises(ConfigError, match="not finite"):
        rank_correlation([1.0, np.nan], [1.0, 2.0])
    with pytest.raises(ConfigError, match="N >= 1 numbers"):
        rank_correlation([1.0], [1.0, 2.0])

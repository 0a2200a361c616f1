# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mien.core import ConfigError
from mien.metrics import concordant_pairs, roc_auc


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

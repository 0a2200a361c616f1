# SPDX-License-Identifier: Apache-2.0
"""Blends, their weight search and the confidence filter."""

import numpy as np
import pytest
from scipy import stats

from mien.affect import blend, blend_per_column, confidence_filter, search_blend, search_blend_per_column
from mien.core import EXPRESSION_ORDERS, ConfigError

A, B = np.array([[0.0, 1.0], [0.5, 0.5]]), np.array([[1.0, 0.0], [0.1, 0.9]])


def test_blend_is_a_weighted_mean() -> None:
    assert blend([A, B], (0.3, 0.7)) == pytest.approx(0.3 * A + 0.7 * B, abs=1e-15)


@pytest.mark.parametrize("weights", [(0.5,), (0.5, 0.6), (1.5, -0.5)])
def test_weights_must_fit(weights: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="sum to 1"):
        blend([A, B], weights)
    with pytest.raises(ConfigError, match="common shape"):
        blend([A, B[:1]], (0.5, 0.5))


def test_search_finds_the_best_of_eleven() -> None:
    target = 0.3 * A + 0.7 * B
    found = search_blend([A, B], lambda values: -np.abs(values - target).max())
    assert found.weights == (0.3, 0.7)
    assert found.score == pytest.approx(0, abs=1e-15)
    assert [weights[0] for weights, _ in found.tried] == [k / 10 for k in range(11)]


def test_search_over_three_models() -> None:
    c = np.array([[0.2, 0.3], [0.7, 0.1]])
    target = 0.2 * A + 0.1 * B + 0.7 * c
    found = search_blend([A, B, c], lambda values: -np.abs(values - target).max())
    assert found.weights == (0.2, 0.1, 0.7)
    assert len(found.tried) == 66


def test_among_equal_scores_equal_weights_win_and_nan_never_does() -> None:
    assert search_blend([A, B], lambda _: 1.0).weights == (0.5, 0.5)
    found = search_blend([A, B], lambda values: float("nan") if values[0, 0] < 0.95 else 0.0)
    assert found.weights == (0.0, 1.0)
    with pytest.raises(ConfigError, match="undefined"):
        search_blend([A, B], lambda _: float("nan"))
    with pytest.raises(ConfigError, match="two models"):
        search_blend([A], lambda _: 1.0)


def test_each_emotion_gets_weights_of_its_own() -> None:
    rng = np.random.default_rng(0)
    target = rng.uniform(size=(40, 2))
    video, audio = target.copy(), target.copy()
    video[:, 1], audio[:, 0] = rng.uniform(size=40), rng.uniform(size=40)
    searches = search_blend_per_column([video, audio], lambda k, values: stats.pearsonr(values, target[:, k]).statistic)
    assert [search.weights for search in searches] == [(1.0, 0.0), (0.0, 1.0)]
    assert blend_per_column([video, audio], [search.weights for search in searches]) == pytest.approx(target)


def test_confidence_filter_decides_only_where_it_is_sure_and_shares_the_class() -> None:
    labels, hse = EXPRESSION_ORDERS["affwild2_8"], EXPRESSION_ORDERS["hse_8"]
    sure = np.full((4, 8), 0.01)
    sure[0, hse.index("happiness")] = 0.93
    sure[1, hse.index("contempt")] = 0.93  # not among the shared classes
    sure[2, hse.index("happiness")] = 0.8  # not above the threshold
    sure[3, hse.index("neutral")] = 0.93
    trained = np.tile(np.eye(8)[labels.index("other")], (4, 1))
    answer = confidence_filter(sure, hse, trained, labels, 0.8)
    assert [labels[k] for k in answer] == ["happiness", "other", "other", "neutral"]


def test_confidence_filter_needs_a_shared_class() -> None:
    with pytest.raises(ConfigError, match="share no class"):
        confidence_filter([[1.0]], ["joy"], [[1.0]], ["happiness"], 0.8)
    with pytest.raises(ConfigError, match="do not fit"):
        confidence_filter([[1.0]], ["joy"], [[1.0]], ["joy", "fear"], 0.8)

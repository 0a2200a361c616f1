# SPDX-License-Identifier: Apache-2.0
import itertools

import numpy as np
import pytest

from mien.core import ConfigError
from mien.metrics import aurc, risk_coverage


def test_risks_are_those_of_the_k_most_trusted() -> None:
    rng = np.random.default_rng(0)
    correct, trust = rng.random(50) < 0.7, rng.random(50)
    expected = [1 - correct[np.argsort(-trust)[: k + 1]].mean() for k in range(50)]
    np.testing.assert_allclose(risk_coverage(correct, trust), expected, atol=1e-12)
    assert aurc(correct, trust) == pytest.approx(np.mean(expected), abs=1e-12)


def test_equal_trust_is_the_mean_over_all_orders() -> None:
    correct, trust = [1, 0, 1, 0, 1], [3, 2, 2, 2, 1]
    orders = [[0, *middle, 4] for middle in itertools.permutations([1, 2, 3])]
    wrong = 1 - np.array(correct)
    expected = np.mean([np.cumsum(wrong[order]) / np.arange(1, 6) for order in orders], axis=0)
    np.testing.assert_allclose(risk_coverage(correct, trust), expected, atol=1e-12)


def test_trust_in_nothing_is_the_error_everywhere() -> None:
    assert aurc([1, 1, 0, 1], np.zeros(4)) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("correct", "trust"), [([], []), ([1, 0], [0.5]), ([0.3, 1], [0.5, 0.5]), ([1, 0], [0.5, np.nan])]
)
def test_wrong_input_is_refused(correct: list[float], trust: list[float]) -> None:
    with pytest.raises(ConfigError):
        aurc(correct, trust)

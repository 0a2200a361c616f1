# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from mien.affect import MIN_NEUTRAL_ROWS, resting_levels, subtract_levels
from mien.core import ConfigError


def test_the_median_of_neutral_looking_rows_of_each_group() -> None:
    rng = np.random.default_rng(0)
    groups, neutral, values = rng.integers(-1, 3, 300), rng.random(300), rng.random((300, 2))
    values[5] = np.nan
    found = resting_levels(groups, neutral, values, 3)
    for index in range(3):
        own = values[(groups == index) & (neutral >= 0.5) & ~np.isnan(values[:, 0])]
        assert found.levels[index] == pytest.approx(np.median(own, axis=0))
        assert found.n_neutral[index] == len(own)


@pytest.mark.parametrize(("n_neutral", "known"), [(MIN_NEUTRAL_ROWS - 1, False), (MIN_NEUTRAL_ROWS, True), (0, False)])
def test_too_few_neutral_looking_rows_say_nothing(n_neutral: int, known: bool) -> None:
    neutral = np.where(np.arange(30) < n_neutral, 0.5, 0.49)
    neutral[29] = np.nan
    found = resting_levels(np.zeros(30, int), neutral, np.full((30, 1), 0.3), 1)
    assert found.n_neutral.tolist() == [n_neutral]
    assert bool(np.isfinite(found.levels).all()) is known
    result = subtract_levels(np.zeros(30, int), np.full((30, 1), 0.3), found.levels, 0, 1)
    assert result == pytest.approx(np.full((30, 1), 0.0 if known else 0.3))


def test_a_column_that_nobody_measured_stays_unknown() -> None:
    values = np.column_stack([np.full(20, 0.4), np.full(20, np.nan)])
    found = resting_levels(np.zeros(20, int), np.ones(20), values, 1)
    assert found.levels[0] == pytest.approx([0.4, np.nan], nan_ok=True)
    assert np.isnan(subtract_levels(np.zeros(20, int), values, found.levels, 0, 1)[:, 1]).all()


def test_limits_and_rows_of_nobody() -> None:
    values = np.array([[0.1], [0.9], [0.5], [-0.9]])
    result = subtract_levels([0, 0, -1, 1], values, np.array([[0.3], [0.4]]), -1, 1)
    assert result[:, 0] == pytest.approx([-0.2, 0.6, 0.5, -1])
    assert values[0, 0] == 0.1


def test_shapes() -> None:
    with pytest.raises(ConfigError, match="do not fit"):
        resting_levels([0, 0], [1.0], [[0.5], [0.5]], 1)

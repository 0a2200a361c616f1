# SPDX-License-Identifier: Apache-2.0
"""Accumulators give the number of all rows at once, however the rows were cut into chunks or groups."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from mien.core import ConfigError
from mien.metrics import LabelCounts, Moments, bootstrap_weights, ccc, macro_f1, p_au, pearson

VALUES = st.floats(-1, 1, allow_subnormal=False).map(lambda v: round(v, 3))
SERIES = st.lists(st.tuples(VALUES, VALUES, st.integers(0, 4)), min_size=1, max_size=60)
LABELS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(0, 4)), min_size=1, max_size=60)
CUTS = st.lists(st.integers(0, 60), max_size=6).map(sorted)


def _chunks(n: int, cuts: list[int]) -> list[slice]:
    edges = [0, *(min(cut, n) for cut in cuts), n]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


def _same(got: float, expected: float) -> bool:
    return (math.isnan(got) and math.isnan(expected)) or got == pytest.approx(expected, abs=1e-12)


@given(SERIES, CUTS)
def test_any_chunking_gives_the_same_ccc_and_pearson(rows: list[tuple[float, float, int]], cuts: list[int]) -> None:
    x, y, _ = (np.array(column) for column in zip(*rows, strict=True))
    first, *rest = _chunks(len(x), cuts)
    merged = Moments.of(x[first], y[first])
    for chunk in rest:
        merged = merged + Moments.of(x[chunk], y[chunk])
    assert merged.n == len(x)
    assert _same(float(merged.ccc[0]), ccc(x, y))
    assert _same(float(merged.pearson[0]), pearson(x, y))


@given(LABELS, CUTS)
def test_any_chunking_gives_exactly_the_same_f1(rows: list[tuple[int, int, int]], cuts: list[int]) -> None:
    true, guess, _ = (np.array(column) for column in zip(*rows, strict=True))
    first, *rest = _chunks(len(true), cuts)
    merged = LabelCounts.of_classes(true[first], guess[first], 8)
    for chunk in rest:
        merged = merged + LabelCounts.of_classes(true[chunk], guess[chunk], 8)
    assert float(merged.macro_f1) == macro_f1(true, guess, 8)
    assert float(merged.accuracy) == (true == guess).mean()


@given(SERIES)
def test_pooled_groups_are_all_rows(rows: list[tuple[float, float, int]]) -> None:
    x, y, groups = (np.array(column) for column in zip(*rows, strict=True))
    pooled = Moments.of(x, y, groups=groups, n_groups=5).pooled(np.ones((1, 5)))
    assert _same(float(pooled.ccc[0, 0]), ccc(x, y))
    assert _same(float(pooled.pearson[0, 0]), pearson(x, y))


@given(SERIES, st.lists(st.integers(0, 3), min_size=5, max_size=5))
@example([(0.0, 1.0, 0), (0.062, 0.062, 4)], [0, 0, 0, 0, 1])  # rounding made two equal constants differ
def test_weights_repeat_whole_groups(rows: list[tuple[float, float, int]], repeats: list[int]) -> None:
    x, y, groups = (np.array(column) for column in zip(*rows, strict=True))
    index = np.repeat(np.arange(len(x)), np.array(repeats)[groups])
    pooled = Moments.of(x, y, groups=groups, n_groups=5).pooled(np.array([repeats], dtype=float))
    assert pooled.n[0] == len(index)
    if len(index):
        assert _same(float(pooled.ccc[0, 0]), ccc(x[index], y[index]))


def test_pooled_label_counts_repeat_whole_groups() -> None:
    rng = np.random.default_rng(0)
    true, guess, groups = rng.integers(0, 2, (50, 12)), rng.integers(0, 2, (50, 12)), rng.integers(0, 4, 50)
    repeats = np.array([2, 0, 1, 3])
    index = np.repeat(np.arange(50), repeats[groups])
    pooled = LabelCounts.of_flags(true, guess, groups=groups, n_groups=4).pooled(repeats[None].astype(float))
    assert pooled.macro_f1[0] == pytest.approx(p_au(true[index], guess[index]), abs=1e-15)
    assert pooled.accuracy[0] == pytest.approx((true[index] == guess[index]).mean(), abs=1e-15)


def test_far_from_zero_no_digits_are_lost() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=400)
    y = x + 0.3 * rng.normal(size=400)
    groups = np.arange(400) % 7
    shifted = Moments.of(x + 1e6, y + 1e6, groups=groups).pooled(np.ones((1, 7)))
    assert shifted.pearson[0, 0] == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-9)


@pytest.mark.parametrize("constant", [0.1, -0.7, 1 / 3, 0.0])
def test_a_constant_series_has_no_spread_at_all(constant: float) -> None:
    flat, other = np.full(7, constant), np.linspace(-1, 1, 7)
    groups = np.array([0, 0, 1, 1, 1, 2, 2])
    for moments in (
        Moments.of(flat, other),
        Moments.of(flat[:3], other[:3]) + Moments.of(flat[3:], other[3:]),
        Moments.of(flat, other, groups=groups).pooled(np.ones((1, 3))),
    ):
        assert moments.ss_x.item() == 0
        assert moments.ccc.item() == 0
        assert math.isnan(moments.pearson.item())
    assert math.isnan(ccc(flat, flat))


def test_empty_groups_change_nothing() -> None:
    x, y = np.array([0.1, 0.4, -0.2, 0.8]), np.array([0.0, 0.5, -0.1, 0.6])
    sparse = Moments.of(x, y, groups=np.array([3, 3, 5, 5]), n_groups=9)
    assert sparse.n.tolist() == [0, 0, 0, 2, 0, 2, 0, 0, 0]
    assert sparse.pooled(np.ones((1, 9))).ccc[0, 0] == pytest.approx(0.9239130434782609, abs=1e-12)


def test_bootstrap_samples_draw_as_many_groups_as_there_are() -> None:
    blocks = list(bootstrap_weights(3, 5, seed=1))
    weights = np.concatenate(blocks)
    assert weights.shape == (5, 3)
    assert weights.sum(axis=1).tolist() == [3] * 5
    assert np.array_equal(weights, np.concatenate(list(bootstrap_weights(3, 5, seed=1))))
    assert not np.array_equal(weights, np.concatenate(list(bootstrap_weights(3, 5, seed=2))))


def test_bootstrap_weights_are_those_of_independent_draws() -> None:
    weights = np.concatenate(list(bootstrap_weights(4, 40_000)))
    assert weights.mean(axis=0) == pytest.approx([1] * 4, abs=0.03)
    assert weights.var(axis=0) == pytest.approx([0.75] * 4, abs=0.03)


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(ConfigError, match="row 1"):
        Moments.of([0.1, math.nan], [0.1, 0.2])
    with pytest.raises(ConfigError, match="common shape"):
        Moments.of([0.1, 0.3], [0.1])
    with pytest.raises(ConfigError, match="group numbers"):
        Moments.of([0.1, 0.3], [0.1, 0.2], groups=np.array([0, 2]), n_groups=2)
    with pytest.raises(ConfigError, match="integers"):
        LabelCounts.of_classes([0.5], [1.0], 8)
    with pytest.raises(ConfigError, match="at least one group"):
        next(bootstrap_weights(0, 1))

# SPDX-License-Identifier: Apache-2.0
"""`ccc`, `pearson` and `Moments` against references and over any chunks and groups."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from mien.core import ConfigError
from mien.metrics import (
    Moments,
    ccc,
    mean_pearson,
    pearson,
)

VALUES = st.floats(-1, 1, allow_subnormal=False).map(lambda v: round(v, 3))
SERIES = st.lists(st.tuples(VALUES, VALUES, st.integers(0, 4)), min_size=1, max_size=60)
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


X, Y = [0.1, 0.4, -0.2, 0.8], [0.0, 0.5, -0.1, 0.6]


def test_ccc_has_population_moments() -> None:
    assert ccc(X, Y) == pytest.approx(0.9239130434782609, abs=1e-12)


def test_pearson_golden_value_and_reference() -> None:
    assert pearson(X, Y) == pytest.approx(0.9442695958926463, abs=1e-12)
    assert pearson(X, Y) == pytest.approx(stats.pearsonr(X, Y).statistic, abs=1e-12)


def test_ccc_is_computed_once_over_all_videos() -> None:
    targets = [0.1, 0.2, 0.3, -0.5, -0.4, -0.6]
    predictions = [0.2, 0.2, 0.4, -0.4, -0.5, -0.5]
    assert ccc(predictions, targets) == pytest.approx(0.9693251533742332, abs=1e-12)
    per_video = (ccc(predictions[:3], targets[:3]) + ccc(predictions[3:], targets[3:])) / 2
    assert per_video == pytest.approx(0.33333333333333337, abs=1e-12)


def test_constant_series() -> None:
    assert ccc([0.5, 0.5], [0.1, 0.3]) == 0
    assert math.isnan(ccc([0.5, 0.5], [0.5, 0.5]))
    assert math.isnan(pearson([0.5, 0.5], [0.1, 0.3]))


@pytest.mark.parametrize("metric", [ccc, pearson])
@pytest.mark.parametrize(("x", "y"), [([], []), ([1.0], [1.0, 2.0]), ([[1.0]], [[1.0]])])
def test_series_must_fit(metric: object, x: object, y: object) -> None:
    with pytest.raises(ConfigError, match="common length"):
        metric(x, y)  # type: ignore[operator]


def test_mean_pearson_of_videos_agrees_with_scipy() -> None:
    rng = np.random.default_rng(6)
    true, predicted = rng.uniform(size=(20, 6)), rng.uniform(size=(20, 6))
    expected = np.mean([stats.pearsonr(true[:, k], predicted[:, k]).statistic for k in range(6)])
    assert mean_pearson(true, predicted) == pytest.approx(expected, abs=1e-12)
    predicted[:, 2] = 0.1
    assert math.isnan(mean_pearson(true, predicted))

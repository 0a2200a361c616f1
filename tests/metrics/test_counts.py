# SPDX-License-Identifier: Apache-2.0
"""`LabelCounts` and the bootstrap: chunks, groups and weights give what all rows give."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.core import ConfigError
from mien.metrics import (
    LabelCounts,
    Moments,
    bootstrap_weights,
    macro_f1,
    p_au,
)

LABELS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(0, 4)), min_size=1, max_size=60)
CUTS = st.lists(st.integers(0, 60), max_size=6).map(sorted)


def _chunks(n: int, cuts: list[int]) -> list[slice]:
    edges = [0, *(min(cut, n) for cut in cuts), n]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


@given(LABELS, CUTS)
def test_any_chunking_gives_exactly_the_same_f1(rows: list[tuple[int, int, int]], cuts: list[int]) -> None:
    true, predicted, _ = (np.array(column) for column in zip(*rows, strict=True))
    first, *rest = _chunks(len(true), cuts)
    merged = LabelCounts.of_classes(true[first], predicted[first], 8)
    for chunk in rest:
        merged = merged + LabelCounts.of_classes(true[chunk], predicted[chunk], 8)
    assert float(merged.macro_f1) == macro_f1(true, predicted, 8)
    assert float(merged.accuracy) == (true == predicted).mean()


def test_pooled_label_counts_repeat_whole_groups() -> None:
    rng = np.random.default_rng(0)
    true, predicted, groups = rng.integers(0, 2, (50, 12)), rng.integers(0, 2, (50, 12)), rng.integers(0, 4, 50)
    repeats = np.array([2, 0, 1, 3])
    index = np.repeat(np.arange(50), repeats[groups])
    pooled = LabelCounts.of_flags(true, predicted, groups=groups, n_groups=4).pooled(repeats[None].astype(float))
    assert pooled.macro_f1[0] == pytest.approx(p_au(true[index], predicted[index]), abs=1e-15)
    assert pooled.accuracy[0] == pytest.approx((true[index] == predicted[index]).mean(), abs=1e-15)


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
    with pytest.raises(ConfigError, match="needs a group of rows"):
        next(bootstrap_weights(0, 1))

# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from mien.faces import boxes
from mien.faces.boxes import assign

A = np.array([[0, 0, 10, 10]], np.float32)


def test_iou_by_hand() -> None:
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [2, 2, 4, 4], [3, 3, 3, 3]], np.float32)
    np.testing.assert_allclose(boxes.iou(A, others), [[1, 1 / 3, 0, 0.04, 0]], atol=1e-6)
    np.testing.assert_allclose(boxes.overlap_of_smaller(A, others), [[1, 0.5, 0, 1, 0]], atol=1e-6)


def test_iou_of_none() -> None:
    assert boxes.iou(A[:0], A).shape == (0, 1)
    assert boxes.iou(A, A[:0]).shape == (1, 0)


def test_squares_keep_the_centre() -> None:
    tall = np.array([[10, 0, 20, 40]], np.float32)
    np.testing.assert_allclose(boxes.squares(tall), [[-5, 0, 35, 40]])
    np.testing.assert_allclose(boxes.squares(tall, 0.5), [[5, 10, 25, 30]])


def test_shifted_is_in_fractions_of_the_size() -> None:
    tall = np.array([[10, 0, 20, 40]], np.float32)
    moved = boxes.shifted(tall, np.array([[0.1, 0.1, -0.2, 0]], np.float32))
    np.testing.assert_allclose(moved, [[11, 4, 18, 40]])


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (4, 4), (7, 12), (12, 7), (50, 50)])
def test_total_cost_is_the_least(shape: tuple[int, int]) -> None:
    cost = np.random.default_rng(sum(shape)).normal(size=shape)
    pairs = assign(cost)
    rows, columns = linear_sum_assignment(cost)
    assert sum(cost[pair] for pair in pairs) == pytest.approx(cost[rows, columns].sum(), abs=1e-9)
    assert len(pairs) == min(shape)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 6), st.floats(0.1, 0.9))
def test_forbidden_pairs(seed: int, n_rows: int, n_columns: int, share: float) -> None:
    """As many allowed pairs as there can be, and the cheapest such set, by a reference with large finite costs."""
    random = np.random.default_rng(seed)
    cost = random.uniform(0, 1, (n_rows, n_columns))
    cost[random.uniform(size=cost.shape) < share] = np.inf
    pairs = assign(cost)
    assert all(np.isfinite(cost[pair]) for pair in pairs)
    reference = np.where(np.isfinite(cost), cost, 1000.0)
    rows, columns = linear_sum_assignment(reference)
    allowed = [(row, column) for row, column in zip(rows, columns, strict=True) if np.isfinite(cost[row, column])]
    assert len(pairs) == len(allowed)
    assert sum(cost[pair] for pair in pairs) == pytest.approx(sum(cost[pair] for pair in allowed), abs=1e-9)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_nothing_to_pair(shape: tuple[int, int]) -> None:
    assert assign(np.empty(shape)) == []


def test_all_forbidden() -> None:
    assert assign(np.full((2, 2), np.inf)) == []

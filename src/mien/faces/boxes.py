# SPDX-License-Identifier: Apache-2.0
"""Geometry of boxes, (N, 4) xyxy in pixels, and the cheapest one-to-one assignment."""

from __future__ import annotations

import numpy as np

from mien.core import Float32, Floats, Indices

Boxes = Float32
"""(N, 4) xyxy in pixels."""


def centres(boxes: Boxes) -> Float32:
    """The middle of each box, (N, 2)."""
    return (boxes[:, :2] + boxes[:, 2:]) * np.float32(0.5)


def sides(boxes: Boxes) -> Float32:
    """The longer side of each box, (N,)."""
    return np.asarray(np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]))


def squares(boxes: Boxes, scale: float = 1.0) -> Boxes:
    """Squares about the same centres, with ``scale`` times the longer side.

    Examples:
        >>> squares(np.array([[10, 0, 20, 40]], np.float32)).tolist()
        [[-5.0, 0.0, 35.0, 40.0]]
    """
    half = sides(boxes)[:, None] * np.float32(scale / 2)
    middle = centres(boxes)
    return np.concatenate([middle - half, middle + half], axis=1)


def shifted(boxes: Boxes, fractions: Float32) -> Boxes:
    """Boxes with each edge moved by a fraction (N, 4) of the box's width (x) or height (y)."""
    size = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(boxes + fractions * np.concatenate([size, size], axis=1))


def intersections(first: Boxes, second: Boxes) -> Float32:
    """Shared area of every pair, (N, M)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    size = np.maximum(high - low, 0)
    return np.asarray(size[..., 0] * size[..., 1])


def areas(boxes: Boxes) -> Float32:
    """Area of each box, (N,); zero where an edge is inverted."""
    size = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.asarray(size[:, 0] * size[:, 1])


def iou(first: Boxes, second: Boxes) -> Float32:
    """Intersection over union of every pair, (N, M) in [0, 1]; 0 for boxes without area.

    Examples:
        >>> box = np.array([[0, 0, 10, 10]], np.float32)
        >>> iou(box, np.array([[0, 0, 10, 10], [0, 0, 10, 5], [20, 0, 30, 10]], np.float32)).tolist()
        [[1.0, 0.5, 0.0]]
    """
    shared = intersections(first, second)
    union = areas(first)[:, None] + areas(second)[None, :] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def overlap_of_smaller(first: Boxes, second: Boxes) -> Float32:
    """Shared area over the area of the smaller box of every pair, (N, M): 1 where one lies inside the other.

    Examples:
        >>> box = np.array([[0, 0, 10, 10]], np.float32)
        >>> overlap_of_smaller(box, np.array([[2, 2, 4, 4], [8, 0, 12, 10]], np.float32)).tolist()
        [[1.0, 0.5]]
    """
    shared = intersections(first, second)
    smaller = np.minimum(areas(first)[:, None], areas(second)[None, :])
    return np.asarray(np.divide(shared, smaller, out=np.zeros_like(shared), where=smaller > 0))


def assign(cost: Floats) -> list[tuple[int, int]]:
    """Pairs (row, column) of minimum total cost among the assignments with the most pairs.

    Args:
        cost: (N, M) costs; ``inf`` forbids a pair.

    Returns:
        Pairs in order of their rows, each row and column at most once.

    Source: Kuhn's Hungarian method in the form of shortest augmenting paths (Jonker and Volgenant, Computing 38, 1987).

    Examples:
        >>> assign(np.array([[1.0, 2.0], [1.0, 9.0]]))
        [(0, 1), (1, 0)]
        >>> assign(np.array([[1.0, np.inf], [2.0, np.inf]]))
        [(0, 0)]
    """
    allowed = np.isfinite(cost)
    if not allowed.any():
        return []
    if cost.shape[0] > cost.shape[1]:
        return sorted((row, column) for column, row in assign(cost.T))
    # One forbidden pair costs more than any set of allowed ones, so that none is taken where it can be avoided.
    finite = np.where(allowed, cost, 0.0)
    forbidden = (finite.max() - finite.min() + 1.0) * (cost.shape[0] + 1)
    row_of = _row_of_column(np.where(allowed, cost - finite.min(), forbidden))
    return sorted((int(row), column) for column, row in enumerate(row_of) if row >= 0 and allowed[row, column])


def _row_of_column(cost: Floats) -> Indices:
    """Row that each column is assigned to (-1 for none), for N <= M rows and finite costs."""
    n_rows, n_columns = cost.shape
    row_price, column_price = np.zeros(n_rows), np.zeros(n_columns)
    row_of = np.full(n_columns, -1, np.intp)
    for start in range(n_rows):
        distance = np.full(n_columns, np.inf)
        came_from = np.full(n_columns, -1, np.intp)
        done = np.zeros(n_columns, bool)
        row, column, reached = start, -1, 0.0
        while row >= 0:
            through = reached + cost[row] - row_price[row] - column_price
            better = ~done & (through < distance)
            distance[better] = through[better]
            came_from[better] = column
            column = int(np.argmin(np.where(done, np.inf, distance)))
            reached = distance[column]
            done[column] = True
            row = row_of[column]
        # Keep the prices feasible, then assign every column on the path to its new row.
        visited = done.copy()
        visited[column] = False
        gain = reached - distance[visited]
        column_price[visited] -= gain
        row_price[row_of[visited]] += gain
        row_price[start] += reached
        while column >= 0:
            before = int(came_from[column])
            row_of[column] = row_of[before] if before >= 0 else start
            column = before
    return row_of

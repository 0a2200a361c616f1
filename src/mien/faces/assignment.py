# SPDX-License-Identifier: Apache-2.0
"""The cheapest one-to-one pairing, without SciPy at run time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def assign(cost: npt.NDArray[np.floating]) -> list[tuple[int, int]]:
    """Pairs (row, column) that leave as few rows and columns alone as possible, at the least total cost.

    Args:
        cost: (N, M) finite costs; ``inf`` forbids a pair.

    Returns:
        Pairs in order of their rows, each row and column at most once.

    Source: Kuhn's Hungarian method in the form of shortest augmenting paths (Jonker and Volgenant, Computing 38, 1987).
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


def _row_of_column(cost: npt.NDArray[np.floating]) -> npt.NDArray[np.intp]:
    """The row that each column goes to (-1: none), for N <= M rows and finite costs."""
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
        # Keep the prices feasible, then hand every column on the path to its new row.
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

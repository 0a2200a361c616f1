# SPDX-License-Identifier: Apache-2.0
"""Labels that several data sets write alike: ratings with a mark for "not rated", action units, votes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mien.core import DIMENSIONS, EXPRESSIONS
from mien.datasets.columns import UNKNOWN
from mien.datasets.tables import Table


def read_ratings(table: Table, *, not_rated: float) -> npt.NDArray[np.float32]:
    """(N, 2) of the columns ``valence`` and ``arousal``; both NaN in a row where either is ``not_rated``.

    Raises:
        AnnotationError: a value is neither in [-1, 1] nor ``not_rated``.
    """
    values = table.numbers(DIMENSIONS)
    unrated = values == not_rated
    for column, name in enumerate(DIMENSIONS):
        outside = (np.abs(values[:, column]) > 1) & ~unrated[:, column]
        table.refuse(outside, name, f"is neither in [-1, 1] nor {not_rated:g} (not rated)")
    values[unrated.any(axis=1)] = np.nan
    return values.astype(np.float32)


def read_action_units(table: Table, labels: tuple[str, ...]) -> npt.NDArray[np.int8]:
    """(N, len(labels)) of 0, 1 and `UNKNOWN`.

    Raises:
        AnnotationError: a value is anything else.
    """
    return np.stack([table.classes(label, low=UNKNOWN, high=1) for label in labels], axis=1).astype(np.int8)


def plurality(votes: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
    """The most voted expression of each row, ties to the first; `UNKNOWN` where another column has most votes.

    Args:
        votes: (N, 8 or more), the canonical expressions first.
    """
    top = votes.argmax(axis=1)
    return np.where(top < len(EXPRESSIONS), top, UNKNOWN).astype(np.int8)


def majority(votes: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
    """The official FER+ rule: single votes are dropped, the winner needs more than half of the rest; else `UNKNOWN`.

    Args:
        votes: (N, 8 or more), the canonical expressions first.
    """
    kept = np.where(votes > 1, votes, 0)
    clear = kept.max(axis=1) > 0.5 * kept.sum(axis=1)
    return np.where(clear, plurality(kept), UNKNOWN).astype(np.int8)

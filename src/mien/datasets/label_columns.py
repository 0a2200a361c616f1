# SPDX-License-Identifier: Apache-2.0
"""Label columns of annotation files as arrays: ratings, action units, and classes from votes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mien.core import DIMENSIONS, EXPRESSIONS, Float32, Int64
from mien.datasets.samples import UNKNOWN
from mien.datasets.text_files import Table


def read_ratings(table: Table, *, not_rated: float) -> Float32:
    """Columns ``valence`` and ``arousal`` as (N, 2); both are NaN in a row where either is ``not_rated``.

    Raises:
        AnnotationError: A value is neither in [-1, 1] nor ``not_rated``.
    """
    values = table.numbers(DIMENSIONS)
    unrated = values == not_rated
    for column, name in enumerate(DIMENSIONS):
        outside = (np.abs(values[:, column]) > 1) & ~unrated[:, column]
        table.refuse(outside, name, f"is neither in [-1, 1] nor {not_rated:g} (not rated)")
    values[unrated.any(axis=1)] = np.nan
    return values.astype(np.float32)


def read_action_units(table: Table, labels: tuple[str, ...]) -> npt.NDArray[np.int8]:
    """Columns of action units as (N, len(labels)) with the values 0, 1 and `UNKNOWN`.

    Raises:
        AnnotationError: A value is anything else.
    """
    return np.stack([table.classes(label, low=UNKNOWN, high=1) for label in labels], axis=1).astype(np.int8)


def plurality(votes: Int64) -> npt.NDArray[np.int8]:
    """Expression with most votes in each row, ties to the first; `UNKNOWN` where another column has most votes.

    Args:
        votes: (N, 8 or more) numbers of votes, the canonical expressions first.

    Examples:
        >>> plurality(np.array([[4, 5, 0, 0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0, 0, 0, 9]])).tolist()
        [1, -1]
    """
    top = votes.argmax(axis=1)
    return np.where(top < len(EXPRESSIONS), top, UNKNOWN).astype(np.int8)


def majority(votes: Int64) -> npt.NDArray[np.int8]:
    """Expression of each row by the official FER+ rule, else `UNKNOWN`.

    Single votes are dropped; the winner needs more than half of the rest.

    Args:
        votes: (N, 8 or more) numbers of votes, the canonical expressions first.

    Examples:
        >>> majority(np.array([[6, 3, 1, 0, 0, 0, 0, 0], [5, 5, 0, 0, 0, 0, 0, 0]])).tolist()
        [0, -1]
    """
    kept = np.where(votes > 1, votes, 0)
    clear = kept.max(axis=1) > 0.5 * kept.sum(axis=1)
    return np.where(clear, plurality(kept), UNKNOWN).astype(np.int8)

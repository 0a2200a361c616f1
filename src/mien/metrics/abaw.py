# SPDX-License-Identifier: Apache-2.0
"""Metrics of the ABAW challenges, as functions of the frames of a whole split.

The frames of all videos of the split are concatenated first; a mean of per-video metrics is another number.
A ``mask`` selects rows: rows outside it have no influence.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError, Float64
from mien.metrics.agreement import Moments
from mien.metrics.counts import LabelCounts

N_EXPRESSIONS = 8
"""Number of classes of the expression challenge since its 3rd edition; 7 before."""


_NOT_RATED = -5.0
_ROUNDING = 1e-6

OFFICIAL_THRESHOLD = 0.5
"""Probability from which the challenges count an action unit as present."""


class Scored(NamedTuple):
    """Targets and predictions of one task.

    Attributes:
        targets: (N, ...) true labels or values.
        predictions: (N, ...) predictions, like ``targets``.
        mask: (N,) booleans, the rows with a valid label; None for all.
    """

    targets: npt.ArrayLike
    predictions: npt.ArrayLike
    mask: npt.ArrayLike | None = None


def p_va(targets: npt.ArrayLike, predictions: npt.ArrayLike, mask: npt.ArrayLike | None = None) -> float:
    """Mean of the CCC of valence and that of arousal, in [-1, 1].

    Args:
        targets: (N, 2) valence and arousal, in [-1, 1].
        predictions: (N, 2) predicted valence and arousal.
        mask: (N,) rows with a valid label; None for all.

    Raises:
        ConfigError: The shapes do not fit, a selected value is not finite, a target is outside [-1, 1] (such as -5, the
            code for "not rated"), a prediction is that code, or no row is selected.

    Examples:
        >>> targets = [[0.0, 0.1], [0.5, 0.3], [-5, -5]]
        >>> round(p_va(targets, [[0.1, 0.1], [0.4, 0.3], [0, 0]], mask=[True, True, False]), 4)
        0.9412
    """
    truth, predicted = _selected(targets, predictions, mask)
    if truth.ndim != 2 or truth.shape[1] != 2:
        raise ConfigError(f"valence and arousal must have shape (N, 2), got {truth.shape}")
    values = np.asarray(truth, dtype=np.float64)
    if (np.abs(values) > 1 + _ROUNDING).any():
        row = int((np.abs(values) > 1 + _ROUNDING).any(axis=1).argmax())
        raise ConfigError(
            f"targets lie in [-1, 1], got {values[row].tolist()} in row {row}; mask rows without a rating"
        )
    if (np.asarray(predicted) == _NOT_RATED).any():
        raise ConfigError(f"a prediction is {_NOT_RATED:g}, the code for frames without a rating; mask such rows")
    return float(Moments.of(truth, predicted).ccc.mean())


def p_expr(
    targets: npt.ArrayLike,
    predictions: npt.ArrayLike,
    mask: npt.ArrayLike | None = None,
    *,
    n_classes: int = N_EXPRESSIONS,
) -> float:
    """Macro F1 over a fixed number of classes, in [0, 1]; classes that do not occur count as 0.

    Args:
        targets: (N,) labels in 0..n_classes-1.
        predictions: (N,) predicted labels.
        mask: (N,) rows with a valid label; None for all.
        n_classes: Number of classes: 8, or 7 for the 2020 and 2021 editions and compound expressions, 6 for LSD.

    Raises:
        ConfigError: The shapes do not fit, a selected label is out of range, or no row is selected.

    Examples:
        >>> p_expr([0, 1, 1], [0, 1, 0], n_classes=2)
        0.6666666666666666
        >>> p_expr([0, 1, 1], [0, 1, 0])  # six of the eight classes do not occur
        0.16666666666666666
    """
    truth, predicted = _selected(targets, predictions, mask)
    return float(LabelCounts.of_classes(truth, predicted, n_classes).macro_f1)


def p_au(targets: npt.ArrayLike, predictions: npt.ArrayLike, mask: npt.ArrayLike | None = None) -> float:
    """Mean over action units of the F1 of "present", in [0, 1]; 0 for a unit neither present nor predicted.

    Args:
        targets: (N, A) zeros and ones; A = 12, or 8 in 2020.
        predictions: (N, A) zeros and ones; officially 1 from probability `OFFICIAL_THRESHOLD` on.
        mask: (N,) rows in which every unit is annotated; None for all.

    Raises:
        ConfigError: The shapes do not fit, a selected value is neither 0 nor 1, or no row is selected.

    Examples:
        >>> p_au([[1, 0], [1, 1]], [[1, 0], [0, 1]])  # F1 of 2/3 and of 1
        0.8333333333333333
    """
    truth, predicted = _selected(targets, predictions, mask)
    return float(LabelCounts.of_flags(truth, predicted).macro_f1)


def p_mtl(*, va: Scored, expr: Scored, au: Scored) -> float:
    """Metric of the multi-task challenge, `p_va` + `p_expr` + `p_au`, in [-1, 3].

    Each task has its own valid rows, so the masks differ.

    Args:
        va: Targets, predictions and mask as for `p_va`.
        expr: Targets, predictions and mask as for `p_expr`.
        au: Targets, predictions and mask as for `p_au`.

    Raises:
        ConfigError: As for the three metrics.

    Examples:
        >>> va, classes = [[0.0, 0.1], [0.5, 0.3]], list(range(8))
        >>> units = [[1, 0], [0, 1]]
        >>> p_mtl(va=Scored(va, va), expr=Scored(classes, classes), au=Scored(units, units))
        3.0
    """
    return p_va(*va) + p_expr(*expr) + p_au(*au)


def fg2020_expr(targets: npt.ArrayLike, predictions: npt.ArrayLike, mask: npt.ArrayLike | None = None) -> float:
    """Expression metric of the 2020 challenge: 0.67 macro F1 + 0.33 accuracy over seven classes, in [0, 1].

    Args:
        targets: (N,) labels in 0..6.
        predictions: (N,) predicted labels.
        mask: (N,) rows with a valid label; None for all.

    Raises:
        ConfigError: As for `p_expr`.

    Examples:
        >>> round(fg2020_expr(range(7), range(7)), 6)
        1.0
    """
    truth, predicted = _selected(targets, predictions, mask)
    return float(fg2020_expr_of(LabelCounts.of_classes(truth, predicted, 7)))


def fg2020_au(targets: npt.ArrayLike, predictions: npt.ArrayLike, mask: npt.ArrayLike | None = None) -> float:
    """Action unit metric of the 2020 challenge: 0.5 mean F1 + 0.5 total accuracy, in [0, 1].

    Total accuracy is the fraction of binary decisions, over rows and units alike, that are right.

    Args:
        targets: (N, 8) zeros and ones.
        predictions: (N, 8) zeros and ones.
        mask: (N,) rows in which every unit is annotated; None for all.

    Raises:
        ConfigError: As for `p_au`.

    Examples:
        >>> fg2020_au([[1, 0], [1, 1]], [[1, 0], [0, 1]])
        0.7916666666666666
    """
    truth, predicted = _selected(targets, predictions, mask)
    return float(fg2020_au_of(LabelCounts.of_flags(truth, predicted)))


def fg2020_expr_of(counts: LabelCounts) -> Float64:
    """`fg2020_expr` from counts, for one set of rows or for several.

    Examples:
        >>> counts = LabelCounts.of_classes([0, 1], [0, 0], 7)
        >>> round(float(fg2020_expr_of(counts)), 4)
        0.2288
    """
    return np.asarray(0.67 * counts.macro_f1 + 0.33 * counts.accuracy)


def fg2020_au_of(counts: LabelCounts) -> Float64:
    """`fg2020_au` from counts, for one set of rows or for several.

    Examples:
        >>> counts = LabelCounts.of_flags([[1, 0], [1, 1]], [[1, 0], [0, 1]])
        >>> round(float(fg2020_au_of(counts)), 4)
        0.7917
    """
    return np.asarray(0.5 * counts.macro_f1 + 0.5 * counts.accuracy)


def _selected(
    targets: npt.ArrayLike, predictions: npt.ArrayLike, mask: npt.ArrayLike | None
) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]:
    truth, predicted = np.asarray(targets), np.asarray(predictions)
    if truth.shape != predicted.shape or not truth.ndim:
        raise ConfigError(
            f"targets and predictions must have one common shape, got {truth.shape} and {predicted.shape}"
        )
    if mask is not None:
        rows = np.asarray(mask)
        # NumPy would take zeros and ones for row numbers.
        if rows.dtype != np.bool_ or rows.shape != truth.shape[:1]:
            raise ConfigError(f"a mask is {len(truth)} booleans, got {rows.dtype} of shape {rows.shape}")
        truth, predicted = truth[rows], predicted[rows]
    if not len(truth):
        raise ConfigError("no row is selected; check the mask")
    return truth, predicted

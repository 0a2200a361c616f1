# SPDX-License-Identifier: Apache-2.0
"""The scores of the ABAW challenges, as functions of the frames of a whole split.

Frames of all videos of the split are concatenated first and scored once; a mean of per-video scores is another number.
A ``mask`` selects rows: rows outside it have no influence, whatever they hold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError
from mien.metrics.agreement import Moments
from mien.metrics.counts import LabelCounts

N_EXPRESSIONS = 8
"""Classes of the expression challenge since its 3rd edition; 7 before."""


OFFICIAL_THRESHOLD = 0.5
"""Probability from which the challenges count an action unit as present."""


class Scored(NamedTuple):
    """Targets and predictions of one task.

    Attributes:
        targets: N rows.
        predictions: N rows.
        mask: (N,) booleans, the rows to score; None for all.
    """

    targets: npt.ArrayLike
    predictions: npt.ArrayLike
    mask: npt.ArrayLike | None = None


def p_va(targets: npt.ArrayLike, predictions: npt.ArrayLike, mask: npt.ArrayLike | None = None) -> float:
    """Mean of the CCC of valence and that of arousal, in [-1, 1].

    Args:
        targets: (N, 2) valence and arousal.
        predictions: (N, 2).
        mask: (N,) rows with a valid label; None for all.

    Raises:
        ConfigError: shapes do not fit, a selected value is not finite, or no row is selected.
    """
    truth, guess = _selected(targets, predictions, mask)
    if truth.ndim != 2 or truth.shape[1] != 2:
        raise ConfigError(f"valence and arousal must have shape (N, 2), got {truth.shape}")
    return float(Moments.of(truth, guess).ccc.mean())


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
        predictions: (N,) labels.
        mask: (N,) rows with a valid label; None for all.
        n_classes: 8; 7 for the 2020 and 2021 editions and for compound expressions, 6 for LSD.

    Raises:
        ConfigError: shapes do not fit, a selected label is out of range, or no row is selected.
    """
    truth, guess = _selected(targets, predictions, mask)
    return float(LabelCounts.of_classes(truth, guess, n_classes).macro_f1)


def p_au(targets: npt.ArrayLike, predictions: npt.ArrayLike, mask: npt.ArrayLike | None = None) -> float:
    """Mean over action units of the F1 of "present", in [0, 1]; 0 for a unit neither present nor predicted.

    Args:
        targets: (N, A) zeros and ones; A = 12, or 8 in 2020.
        predictions: (N, A) decisions. The official figure takes them at probability >= .5.
        mask: (N,) rows in which every unit is annotated; None for all.

    Raises:
        ConfigError: shapes do not fit, a selected value is neither 0 nor 1, or no row is selected.
    """
    truth, guess = _selected(targets, predictions, mask)
    return float(LabelCounts.of_flags(truth, guess).macro_f1)


def p_mtl(*, va: Scored, expr: Scored, au: Scored) -> float:
    """Score of the multi-task challenge, `p_va` + `p_expr` + `p_au`, in [-1, 3].

    Each task is scored on its own valid rows, so the masks differ.

    Args:
        va: as for `p_va`.
        expr: as for `p_expr`.
        au: as for `p_au`.

    Raises:
        ConfigError: as for the three scores.
    """
    return p_va(*va) + p_expr(*expr) + p_au(*au)


def fg2020_expr(targets: npt.ArrayLike, predictions: npt.ArrayLike, mask: npt.ArrayLike | None = None) -> float:
    """Expression score of the 2020 challenge: .67 macro F1 + .33 accuracy over seven classes, in [0, 1].

    Args:
        targets: (N,) labels in 0..6.
        predictions: (N,) labels.
        mask: (N,) rows with a valid label; None for all.

    Raises:
        ConfigError: as for `p_expr`.
    """
    truth, guess = _selected(targets, predictions, mask)
    return float(fg2020_expr_of(LabelCounts.of_classes(truth, guess, 7)))


def fg2020_au(targets: npt.ArrayLike, predictions: npt.ArrayLike, mask: npt.ArrayLike | None = None) -> float:
    """Action unit score of the 2020 challenge: .5 mean F1 + .5 total accuracy, in [0, 1].

    Total accuracy is the share of all yes-or-no decisions, over rows and units alike, that are right.

    Args:
        targets: (N, 8) zeros and ones.
        predictions: (N, 8) decisions.
        mask: (N,) rows in which every unit is annotated; None for all.

    Raises:
        ConfigError: as for `p_au`.
    """
    truth, guess = _selected(targets, predictions, mask)
    return float(fg2020_au_of(LabelCounts.of_flags(truth, guess)))


def fg2020_expr_of(counts: LabelCounts) -> npt.NDArray[np.float64]:
    """`fg2020_expr` from counts."""
    return np.asarray(0.67 * counts.macro_f1 + 0.33 * counts.accuracy)


def fg2020_au_of(counts: LabelCounts) -> npt.NDArray[np.float64]:
    """`fg2020_au` from counts."""
    return np.asarray(0.5 * counts.macro_f1 + 0.5 * counts.accuracy)


def _selected(
    targets: npt.ArrayLike, predictions: npt.ArrayLike, mask: npt.ArrayLike | None
) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]:
    truth, guess = np.asarray(targets), np.asarray(predictions)
    if truth.shape != guess.shape or not truth.ndim:
        raise ConfigError(f"targets and predictions must have one common shape, got {truth.shape} and {guess.shape}")
    if mask is not None:
        rows = np.asarray(mask)
        # Zeros and ones would be taken for row numbers.
        if rows.dtype != np.bool_ or rows.shape != truth.shape[:1]:
            raise ConfigError(f"a mask is {len(truth)} booleans, got {rows.dtype} of shape {rows.shape}")
        truth, guess = truth[rows], guess[rows]
    if not len(truth):
        raise ConfigError("no row is left to score; check the mask")
    return truth, guess

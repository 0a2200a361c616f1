# SPDX-License-Identifier: Apache-2.0
"""Ranking metrics: area under the ROC curve, rank correlation, and risk over coverage."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError, Float64
from mien.metrics.counts import flags


def roc_auc(targets: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Area under the ROC curve: the probability that a present row scores above an absent one; ties count half.

    Args:
        targets: (N,) booleans, or zeros and ones.
        scores: (N,) finite numbers on any scale.

    Returns:
        A number in [0, 1]; NaN if one of the two kinds of rows is missing.

    Raises:
        ConfigError: The sizes differ, there is no row, a target is neither 0 nor 1, or a score is not finite.

    Examples:
        >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.75
    """
    concordant, pairs = concordant_pairs(targets, scores, np.ones((1, np.size(targets))))
    return float(concordant[0] / pairs[0]) if pairs[0] else float("nan")


def concordant_pairs(targets: npt.ArrayLike, scores: npt.ArrayLike, weights: Float64) -> tuple[Float64, Float64]:
    """Number of concordant pairs of a present and an absent row, and number of all such pairs.

    Sums over parts of the rows (such as the faces of one expression), divided by each other, give the AUC within the
    parts: the probability that a pair from the same part is concordant.

    Args:
        targets: (N,) booleans, or zeros and ones.
        scores: (N,) finite numbers.
        weights: (R, N) number of times that each row counts in each of R samples.

    Returns:
        (R,) concordant pairs, ties counting half, and (R,) all pairs.

    Raises:
        ConfigError: As for `roc_auc`.

    Examples:
        >>> concordant, pairs = concordant_pairs([0, 0, 1], [0.1, 0.4, 0.4], np.ones((1, 3)))
        >>> concordant.tolist(), pairs.tolist()
        ([1.5], [2.0])
    """
    present, values = flags(targets), np.asarray(scores, dtype=np.float64)
    if present.ndim != 1 or present.shape != values.shape or not len(values):
        raise ConfigError(f"N >= 1 targets and N scores are needed, got {present.shape} and {values.shape}")
    if weights.ndim != 2 or weights.shape[1] != len(values):
        raise ConfigError(f"weights must be (R, {len(values)}), got {weights.shape}")
    if not np.isfinite(values).all():
        raise ConfigError("a score is not finite; leave such rows out")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ConfigError("weights are finite numbers of draws, at least 0")
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=-np.inf))  # first rows of the runs of equal scores
    positive = np.add.reduceat(weights[:, order] * present[order], starts, axis=1)
    negative = np.add.reduceat(weights[:, order] * ~present[order], starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative
    return (positive * (below + 0.5 * negative)).sum(axis=1), positive.sum(axis=1) * negative.sum(axis=1)


def rank_correlation(first: npt.ArrayLike, second: npt.ArrayLike, groups: npt.ArrayLike | None = None) -> float:
    """Spearman's rank correlation, ties with their mean rank; with groups, of the ranks within each group.

    Within groups, ranks are centred and divided by the size of the group, so that groups of different size and level
    can be pooled: a difference between groups alone gives 0.

    Args:
        first: (N,) finite numbers.
        second: (N,) finite numbers.
        groups: (N,) group of each row, such as the expression of a face; None for one group.

    Returns:
        A number in [-1, 1]; NaN where one of the two is constant within all groups.

    Raises:
        ConfigError: The sizes differ, there is no row, or a value is not finite.

    Examples:
        >>> rank_correlation([1, 2, 3, 4], [1, 4, 9, 16])
        1.0
        >>> round(rank_correlation([1, 2, 11, 12], [2, 1, 12, 11], [0, 0, 1, 1]), 3)
        -1.0
    """
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or not len(x):
        raise ConfigError(f"two rows of N >= 1 numbers are needed, got {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ConfigError("a value is not finite; leave such rows out")
    own = np.zeros(len(x), dtype=np.intp) if groups is None else np.unique(groups, return_inverse=True)[1]
    if own.shape != x.shape:
        raise ConfigError(f"{len(x)} rows and groups of the shape {own.shape}")
    ranks = np.zeros((2, len(x)))
    for group in range(int(own.max()) + 1):
        rows = own == group
        for row, values in enumerate((x[rows], y[rows])):
            _, place, count = np.unique(values, return_inverse=True, return_counts=True)
            mean_rank = np.cumsum(count) - (count - 1) / 2
            ranks[row, rows] = (mean_rank[place] - (len(values) + 1) / 2) / len(values)
    spread = float((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum())
    return float((ranks[0] * ranks[1]).sum() / spread**0.5) if spread > 0 else float("nan")


def risk_coverage(correct: npt.ArrayLike, confidence: npt.ArrayLike) -> Float64:
    """Fraction of errors among the k predictions with the highest confidence, for k = 1 to N.

    Args:
        correct: (N,) booleans, or zeros and ones.
        confidence: (N,) finite numbers on any scale, larger for predictions that are kept longer.

    Returns:
        (N,) risks; element k - 1 is at coverage k / N. Predictions with equal confidence count as their mean, so their
        order does not matter.

    Raises:
        ConfigError: The sizes differ, there is no prediction, or a confidence is not finite.

    Examples:
        >>> risk_coverage([1, 1, 0, 1], [0.9, 0.8, 0.4, 0.6]).tolist()
        [0.0, 0.0, 0.0, 0.25]

    Source: El-Yaniv and Wiener, On the Foundations of Noise-free Selective Classification, JMLR 11, 2010.
    """
    right, values = flags(correct), np.asarray(confidence, dtype=np.float64)
    if right.ndim != 1 or right.shape != values.shape or not len(values):
        raise ConfigError(f"N >= 1 predictions and N confidences are needed, got {right.shape} and {values.shape}")
    if not np.isfinite(values).all():
        raise ConfigError("a confidence is not finite; leave such predictions out")
    _, group, counts = np.unique(-values, return_inverse=True, return_counts=True)
    mean_error = np.bincount(group, weights=~right) / counts
    errors = np.repeat(mean_error, counts)
    return np.asarray(np.cumsum(errors) / np.arange(1, len(errors) + 1))


def aurc(correct: npt.ArrayLike, confidence: npt.ArrayLike) -> float:
    """Area under the risk-coverage curve: the mean of `risk_coverage`, in [0, 1], lower is better.

    Raises:
        ConfigError: As for `risk_coverage`.

    Examples:
        >>> aurc([1, 1, 0, 1], [0.9, 0.8, 0.4, 0.6])
        0.0625

    Source: Geifman, Uziel and El-Yaniv, Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers, ICLR 2019.
    """
    return float(risk_coverage(correct, confidence).mean())

# SPDX-License-Identifier: Apache-2.0
"""Ranking metrics: area under the ROC curve, and risk over coverage."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError
from mien.metrics.counts import flags

Floats = npt.NDArray[np.float64]


def roc_auc(targets: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Area under the ROC curve: the chance that a present row scores above an absent one, ties counting half.

    Args:
        targets: N booleans, or zeros and ones.
        scores: N finite numbers on any scale.

    Returns:
        A number in [0, 1]; NaN where one of the two kinds of rows is missing.

    Raises:
        ConfigError: sizes differ, there is no row, a target is neither 0 nor 1, or a score is not finite.
    """
    ordered, pairs = concordant_pairs(targets, scores, np.ones((1, np.size(targets))))
    return float(ordered[0] / pairs[0]) if pairs[0] else float("nan")


def concordant_pairs(targets: npt.ArrayLike, scores: npt.ArrayLike, weights: Floats) -> tuple[Floats, Floats]:
    """Pairs of a present and an absent row: how many are ranked in that order, and how many there are.

    Sums over parts of the rows (the faces of one expression, say) divided by each other give the AUC within the
    parts: the chance that a pair from one and the same part is ranked in order.

    Args:
        targets: N booleans, or zeros and ones.
        scores: N finite numbers.
        weights: (R, N) how often each row counts in each of R samples.

    Returns:
        (R,) ordered pairs, ties counting half, and (R,) all pairs.

    Raises:
        ConfigError: see `roc_auc`.
    """
    present, values = flags(targets), np.asarray(scores, dtype=np.float64)
    if present.ndim != 1 or present.shape != values.shape or not len(values):
        raise ConfigError(f"N >= 1 targets and N scores are needed, got {present.shape} and {values.shape}")
    if weights.ndim != 2 or weights.shape[1] != len(values):
        raise ConfigError(f"weights must be (R, {len(values)}), got {weights.shape}")
    if not np.isfinite(values).all():
        raise ConfigError("a score is not finite; leave such rows out")
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=-np.inf))  # of the runs of equal scores
    positive = np.add.reduceat(weights[:, order] * present[order], starts, axis=1)
    negative = np.add.reduceat(weights[:, order] * ~present[order], starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative
    return (positive * (below + 0.5 * negative)).sum(axis=1), positive.sum(axis=1) * negative.sum(axis=1)


def risk_coverage(correct: npt.ArrayLike, trust: npt.ArrayLike) -> Floats:
    """Share of errors among the k most trusted answers, for k = 1 to N.

    Args:
        correct: N booleans, or zeros and ones.
        trust: N finite numbers on any scale, larger for answers that are kept longer.

    Returns:
        (N,) risks; entry k - 1 is at coverage k / N. Predictions of equal trust count as their mean, so their
        order does not matter.

    Raises:
        ConfigError: sizes differ, there is no answer, or a trust is not finite.

    Source: El-Yaniv and Wiener, On the Foundations of Noise-free Selective Classification, JMLR 11, 2010.
    """
    right, values = flags(correct), np.asarray(trust, dtype=np.float64)
    if right.ndim != 1 or right.shape != values.shape or not len(values):
        raise ConfigError(f"N >= 1 answers and N confidence_scores are needed, got {right.shape} and {values.shape}")
    if not np.isfinite(values).all():
        raise ConfigError("a trust is not finite; leave such answers out")
    _, group, counts = np.unique(-values, return_inverse=True, return_counts=True)
    mean_error = np.bincount(group, weights=~right) / counts
    errors = np.repeat(mean_error, counts)
    return np.asarray(np.cumsum(errors) / np.arange(1, len(errors) + 1))


def aurc(correct: npt.ArrayLike, trust: npt.ArrayLike) -> float:
    """Area under the risk-coverage curve: the mean of `risk_coverage`, in [0, 1], lower is better.

    Raises:
        ConfigError: see `risk_coverage`.

    Source: Geifman, Uziel and El-Yaniv, Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers, ICLR 2019.
    """
    return float(risk_coverage(correct, trust).mean())

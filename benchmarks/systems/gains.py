# SPDX-License-Identifier: Apache-2.0
"""Gains of one system over another on the same rows: mean over seeds, with an interval over resampled rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mien.core import Bools, Float64, Floats, Indices
from mien.metrics import bootstrap_weights

N_RESAMPLES = 1000

Statistic = Callable[[Float64], Float64]
"""(R, N) counts of each row (or video) in R resamples -> R values."""


@dataclass(frozen=True, kw_only=True)
class Gain:
    """A difference, positive where the claim holds.

    Attributes:
        name: what is compared.
        value: mean over seeds.
        low: lower end of the 95 % interval over rows.
        high: upper end.
        per_seed: value of each seed.
        n: number of rows.
        before: mean over seeds of what is compared with.
        after: mean over seeds of what should be better.
    """

    name: str
    value: float
    low: float
    high: float
    per_seed: tuple[float, ...]
    n: int
    before: float
    after: float


def paired_gain(name: str, after: Sequence[Statistic], before: Sequence[Statistic], n: int, *, rows: int = 0) -> Gain:
    """Gain of systems over others, all on the same resamples.

    Args:
        name: what is compared.
        after: statistic of each seed of the system that should be better.
        before: the same of the other, seed by seed.
        n: number of rows that are resampled, or of groups of them.
        rows: number of rows that the groups hold; 0 for ``n``.
    """
    once = np.ones((1, n))
    ends = [[float(statistic(once)[0]) for statistic in side] for side in (after, before)]
    own = [one - other for one, other in zip(*ends, strict=True)]
    pairs = list(zip(after, before, strict=True))
    drawn = np.concatenate(
        [
            np.mean([one(block) - two(block) for one, two in pairs], axis=0)
            for block in bootstrap_weights(n, N_RESAMPLES)
        ]
    )
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Gain(
        name=name,
        value=float(np.mean(own)),
        low=float(low),
        high=float(high),
        per_seed=tuple(own),
        n=rows or n,
        after=float(np.mean(ends[0])),
        before=float(np.mean(ends[1])),
    )


def accuracy_of(truth: Indices, predicted: Indices) -> Statistic:
    """Accuracy of (N,) predictions."""
    right = (truth == predicted).astype(np.float64)
    return lambda weights: np.asarray(weights @ right / weights.sum(axis=1))


def macro_f1_of(truth: Indices, predicted: Indices, n_classes: int, known: Bools | None = None) -> Statistic:
    """Macro F1 of (N,) predictions over all classes, on the known rows."""
    from benchmarks.proofs.slice_heads import f1_of

    classes = np.arange(n_classes)
    flags = [values[:, None] == classes for values in (truth, predicted)]
    kept = np.ones(len(truth), dtype=bool) if known is None else known
    return f1_of(flags[0], flags[1], np.broadcast_to(kept[:, None], flags[0].shape))


def mean_recall_of(truth: Indices, predicted: Indices, n_classes: int) -> Statistic:
    """Mean over the classes of the recall of (N,) predictions: the accuracy if all classes were as frequent."""
    flags = truth[:, None] == np.arange(n_classes)
    right = flags & (truth == predicted)[:, None]

    def mean_recall(weights: Float64) -> Float64:
        return np.asarray(((weights @ right) / np.maximum(weights @ flags, 1e-9)).mean(axis=1))

    return mean_recall


def mean_pearson_of(truth: Floats, values: Floats) -> Statistic:
    """Mean over the columns of Pearson's r of (N, K) values."""
    x, y = truth.astype(np.float64), values.astype(np.float64)
    products = [x, y, x * x, y * y, x * y]

    def mean_pearson(weights: Float64) -> Float64:
        shares = weights / weights.sum(axis=1, keepdims=True)
        mean_x, mean_y, xx, yy, xy = (shares @ product for product in products)
        spread = np.sqrt(np.maximum((xx - mean_x**2) * (yy - mean_y**2), 1e-24))
        return np.asarray(((xy - mean_x * mean_y) / spread).mean(axis=1))

    return mean_pearson

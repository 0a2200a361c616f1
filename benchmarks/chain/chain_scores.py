# SPDX-License-Identifier: Apache-2.0
"""Macro F1 of the rows of the LSD chain, with epochs and weights of blends chosen on other faces, and intervals.

The published recipe chooses the epoch and the weight of the blend on the faces that it reports. Here each half of the
faces is scored with the choice of the other half. The published way is in the table, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.affect import blend, search_blend
from mien.core import Bools, Float64, Indices
from mien.metrics import macro_f1

Logits = npt.NDArray[np.floating]

_N_CLASSES = 6
_N_RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class RowLogits:
    """Logits of a row for the test faces.

    Attributes:
        logits: (E, N, 6) of E epochs.
        truth: (N,) classes.
        half: (N,) whether a face is in the second half.
    """

    logits: Logits
    truth: Indices
    half: Bools


def load_logits(path: Path) -> RowLogits:
    """Read the logits of a row."""
    with np.load(path, allow_pickle=False) as stored:
        half = np.array([hashlib.sha256(str(name).encode()).digest()[0] % 2 == 1 for name in stored["names"]])
        return RowLogits(stored["logits"], stored["truth"].astype(np.intp), half)


def predictions(row: RowLogits, pretrained: RowLogits | None = None, *, cross_fitted: bool = True) -> Indices:
    """Predicted classes (N,) of the best epoch, blended with the logits before fine-tuning if they are given.

    Args:
        row: logits of every epoch.
        pretrained: logits before fine-tuning.
        cross_fitted: whether the epoch and the weight are chosen on the other half of the faces; else on all of them,
            as published.
    """
    chosen = np.empty(len(row.truth), dtype=np.intp)
    for second in (False, True):
        scored = row.half == second
        judged = ~scored if cross_fitted else np.ones(len(row.truth), dtype=bool)
        epoch = best_epoch(row, judged)
        logits = row.logits[epoch]
        if pretrained is not None:
            weights = best_weights(pretrained.logits[0], logits, row.truth, judged)
            logits = blend([pretrained.logits[0], logits], weights)
        chosen[scored] = logits[scored].argmax(axis=1)
    return chosen


def best_epoch(row: RowLogits, judged: Bools) -> int:
    """Epoch with the highest macro F1 on some faces."""
    truth = row.truth[judged]
    return int(np.argmax([macro_f1(truth, logits[judged].argmax(axis=1), _N_CLASSES) for logits in row.logits]))


def best_weights(pretrained: Logits, logits: Logits, truth: Indices, judged: Bools) -> tuple[float, ...]:
    """Weights of the logits before and after fine-tuning with the highest macro F1 on some faces, in steps of 0.1."""

    def score(blended: Float64) -> float:
        return macro_f1(truth[judged], blended.argmax(axis=1), _N_CLASSES)

    return search_blend([pretrained[judged], logits[judged]], score).weights


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval over resampled faces.

    Attributes:
        value: of the faces themselves.
        low: end of the interval.
        high: end of the interval.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class Resamples:
    """The same resamples of the test faces for every row, so that rows can be compared.

    Args:
        truth: (N,) classes.
    """

    def __init__(self, truth: Indices) -> None:
        n = len(truth)
        rng = np.random.default_rng(0)
        drawn = rng.multinomial(n, np.full(n, 1 / n), size=_N_RESAMPLES)
        self._weights = np.concatenate([np.ones((1, n)), drawn])
        self._truth = np.eye(_N_CLASSES)[truth]
        self._positives = self._weights @ self._truth

    def macro_f1(self, predicted: Indices) -> Float64:
        """(1 + B,) macro F1 of the faces, then of each resample."""
        flags = np.eye(_N_CLASSES)[predicted]
        hits, called = self._weights @ (self._truth * flags), self._weights @ flags
        total = self._positives + called
        f1: Float64 = np.divide(2 * hits, total, out=np.zeros_like(total), where=total > 0).mean(axis=1)
        return f1

    def accuracy(self, predicted: Indices) -> Float64:
        """(1 + B,) accuracy of the faces, then of each resample."""
        right = (self._truth * np.eye(_N_CLASSES)[predicted]).sum(axis=1)
        values: Float64 = self._weights @ right / self._weights.sum(axis=1)
        return values


def estimate(values: Sequence[Float64]) -> Estimate:
    """Mean over seeds of (1 + B,) values, with the interval of this mean."""
    mean = np.mean(values, axis=0)
    low, high = np.percentile(mean[1:], [2.5, 97.5])
    return Estimate(float(mean[0]), float(low), float(high))


def difference(before: Mapping[int, Float64], after: Mapping[int, Float64]) -> tuple[Estimate, int] | None:
    """Mean difference over the seeds that both have, and their number; None without any.

    Args:
        before: seed -> (1 + B,) values of one row; a row that is not trained has the seed 0 alone, for all seeds.
        after: the same of another row.
    """
    seeds = sorted(set(after) & set(before)) if set(before) != {0} else sorted(after)
    if not seeds:
        return None
    return estimate([after[seed] - before.get(seed, before.get(0, after[seed])) for seed in seeds]), len(seeds)

# SPDX-License-Identifier: Apache-2.0
"""Fits the correction of action units: one bias for all, one for each, and how sure the network should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from mien.affect.adaptation.fit import MIN_EXAMPLES, MIN_NEUTRAL, between_share, kept_share, leave_one_out
from mien.core import Bools, Float64, Floats, Indices, TaskCorrection

# Strengths of the ridges that are tried, on the bias of all units, on the own bias of each, and on the log of the
# factor of the logits; and the shares of what neutral faces show from which the biases start.
_SHARED, _OWN, _FACTOR = (0.25, 1.0, 4.0, 16.0), (1.0, 4.0, 16.0, 64.0), (1.0, 4.0, 16.0)
_TRANSFERS = (0.0, 0.5, 1.0)
# Number of standard errors of the gain that a correction loses, see `kept_share`; this and the strengths were chosen
# on rendered people of whom docs/research/adaptation.md reports none.
_CAUTION = 0.75
# Labels of either kind over all units: fewer say in which direction to move and not how far.
_FEWEST_LABELS, _FEWEST_SHARE = 8, 0.3
_LARGEST_LOG_FACTOR = 1.5
_NEWTON_STEPS = 15


def fit_units(
    logits: Floats,
    targets: Floats,
    labels: Sequence[str],
    *,
    neutral: Bools | None = None,
    levels: Mapping[str, tuple[float, ...]] | None = None,
) -> TaskCorrection | None:
    """Biases of action units, and a temperature, from examples that say where the units are present.

    The examples are few for one unit and many for all, so each bias is the sum of one that all units share and one of
    its own, shrunk separately. Where at least three examples are neutral, the biases may start from what those show
    (as in `fit_neutral`). A temperature is fitted where every unit has labels, since it holds for all. Leave-one-out
    chooses among the strengths, and a share of the correction is kept (`kept_share`).

    Args:
        logits: (N, A) logits of the examples.
        targets: (N, A) presence or probability in [0, 1]; NaN where unknown.
        labels: Names of the A action units.
        neutral: (N,) whether the example is a neutral face; None for none.
        levels: Label -> mean over people, standard deviation between people, and within them, of neutral faces.

    Returns:
        The correction of the units with at least 5 labels; None where leave-one-out shows no gain, or where there are
        fewer than 8 labels (of few labels 3 in 10) of units that are present, or absent.
    """
    z, truth = np.asarray(logits, np.float64), np.asarray(targets, np.float64)
    known = np.isfinite(truth)
    columns = np.flatnonzero(known.sum(axis=0) >= MIN_EXAMPLES)
    rows = known[:, columns].any(axis=1)
    if not len(columns) or rows.sum() < MIN_EXAMPLES:
        return None
    z, truth, known = z[rows][:, columns], truth[rows][:, columns], known[rows][:, columns]
    fewest = min(_FEWEST_LABELS, _FEWEST_SHARE * known.sum())
    if min((known & (truth >= 0.5)).sum(), (known & (truth < 0.5)).sum()) < fewest:
        return None
    names = [labels[column] for column in columns.tolist()]
    at_rest = np.zeros(len(z), np.bool_) if neutral is None else np.asarray(neutral, np.bool_)[rows]
    starts = _neutral_starts(z, at_rest, names, levels or {})
    with_factor = len(columns) == len(labels)
    before = _squared(z, truth)
    rest = leave_one_out(len(z))
    tried = []
    for transfer, shared, own, factor in product(
        _TRANSFERS if starts is not None else (0.0,), _SHARED, _OWN, _FACTOR if with_factor else (np.inf,)
    ):
        strengths = shared, own, factor
        offsets = np.zeros_like(z) if starts is None else transfer * starts.left_out
        left = _fit(z[rest] + offsets[:, None], truth[rest], known[rest], strengths).after(offsets)
        error = float(np.nanmean(_squared(left.of(z), truth)))
        tried.append((error, transfer, strengths, left))
    _, transfer, strengths, left = min(tried, key=lambda one: one[0])
    after = _squared(left.of(z), truth)
    share = kept_share(np.nanmean(before, axis=1), np.nanmean(after, axis=1), _CAUTION)
    error = float(np.nanmean(_squared(left.part(share).of(z), truth)))
    if not share or error > float(np.nanmean(before)):
        return None
    offset = np.zeros((1, len(columns))) if starts is None else transfer * starts.whole[None]
    found = _fit((z + offset)[None], truth[None], known[None], strengths).after(offset).part(share)
    return TaskCorrection(
        bias={name: round(float(value), 5) for name, value in zip(names, found.bias[0], strict=True)},
        temperature=float(np.exp(-found.log_factor[0])),
        error_before=float(np.nanmean(before)),
        error_after=error,
    )


@dataclass(frozen=True, eq=False)
class _Corrections:
    """Biases (B, A) and logs of factors (B,): a row of logits z becomes ``z * exp(log_factor) + bias``."""

    bias: Float64
    log_factor: Float64

    def of(self, logits: Float64) -> Float64:
        """Logits (B, A), the row of each correction corrected by it."""
        return np.asarray(logits * np.exp(self.log_factor)[:, None] + self.bias)

    def after(self, offsets: Float64) -> _Corrections:
        """The same for logits to which offsets (B, A) were not added yet."""
        return _Corrections(self.bias + np.exp(self.log_factor)[:, None] * offsets, self.log_factor)

    def part(self, share: float) -> _Corrections:
        """A share of the correction."""
        return _Corrections(share * self.bias, share * self.log_factor)


@dataclass(frozen=True, eq=False)
class _Starts:
    """Offsets that neutral faces show: (N, A) from all examples but one, and (A,) from all."""

    left_out: Float64
    whole: Float64


def _neutral_starts(
    logits: Float64, neutral: Bools, names: Sequence[str], levels: Mapping[str, tuple[float, ...]]
) -> _Starts | None:
    """Shrunk distances of the neutral faces from the levels of many people; 0 for labels without one."""
    n = int(neutral.sum())
    if n < MIN_NEUTRAL or not levels:
        return None
    unknown = (0.0, 0.0, 1.0)
    mean, between, within = np.array([levels.get(name, unknown) for name in names]).T

    def offsets(total: Float64, count: Indices) -> Float64:
        return np.asarray(-(total / count - mean) * between_share(count, between, within), np.float64)

    total = logits[neutral].sum(axis=0)
    others = total - np.where(neutral[:, None], logits, 0.0)
    return _Starts(offsets(others, (n - neutral.astype(np.intp))[:, None]), offsets(total, np.full(len(names), n)))


def _fit(logits: Float64, truth: Float64, known: Bools, strengths: tuple[float, float, float]) -> _Corrections:
    """Corrections of least cross-entropy with ridges for B sets of examples (B, N, A), by Newton's method."""
    shared, own, factor = strengths
    target, weight = np.nan_to_num(truth), known.astype(np.float64)
    n_sets, _, n_units = logits.shape
    common, single, log_factor = np.zeros(n_sets), np.zeros((n_sets, n_units)), np.zeros(n_sets)
    for _ in range(_NEWTON_STEPS):
        scaled = logits * np.exp(log_factor)[:, None, None]
        p = 1 / (1 + np.exp(-(scaled + (common[:, None] + single)[:, None])))
        slope, curve = weight * (p - target), weight * p * (1 - p)
        by_unit, curve_by_unit = slope.sum(axis=1), curve.sum(axis=1)
        cross = (curve * scaled).sum(axis=1)
        inverse = 1 / (curve_by_unit + own)
        rest = by_unit + own * single
        # The own biases are eliminated; what remains is a system of the common bias and the factor.
        a = curve_by_unit.sum(axis=1) + shared - (curve_by_unit**2 * inverse).sum(axis=1)
        first = by_unit.sum(axis=1) + shared * common - (curve_by_unit * inverse * rest).sum(axis=1)
        if np.isfinite(factor):
            b = cross.sum(axis=1) - (curve_by_unit * inverse * cross).sum(axis=1)
            c = (curve * scaled**2).sum(axis=(1, 2)) + factor - (cross**2 * inverse).sum(axis=1)
            second = (slope * scaled).sum(axis=(1, 2)) + factor * log_factor - (cross * inverse * rest).sum(axis=1)
            determinant = a * c - b * b
            steps = (first * c - b * second) / determinant, (a * second - b * first) / determinant
        else:
            steps = first / a, np.zeros(n_sets)
        step = inverse * (rest - curve_by_unit * steps[0][:, None] - cross * steps[1][:, None])
        common = common - np.clip(steps[0], -2, 2)
        single = single - np.clip(step, -2, 2)
        log_factor = np.clip(log_factor - np.clip(steps[1], -0.5, 0.5), -_LARGEST_LOG_FACTOR, _LARGEST_LOG_FACTOR)
        if max(float(np.abs(one).max()) for one in (*steps, step)) < 1e-6:
            break
    return _Corrections(common[:, None] + single, log_factor)


def _squared(logits: Float64, truth: Float64) -> Float64:
    """Squared errors of probabilities, NaN where the label is unknown."""
    return np.asarray((1 / (1 + np.exp(-logits)) - truth) ** 2, np.float64)

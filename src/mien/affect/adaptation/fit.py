# SPDX-License-Identifier: Apache-2.0
"""Fits the corrections of `mien adapt`: shrunk so far that leaving examples out never shows more error than before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mien.core import Bools, ConfigError, Float64, Floats, TaskCorrection

MIN_EXAMPLES = 5
"""Fewest examples of an adaptation."""

MIN_NEUTRAL = 3
"""Fewest neutral faces that say what the resting face of a person is like."""

# Strengths of the shrinkage that are tried, weakest first: pseudo-examples that want no correction.
_STRENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
_TEMPERATURES = (0.6, 0.8, 1.0, 1.25, 1.6)
# A correction is kept where leave-one-out shows this many standard errors of improvement.
_SURE = 0.5
_NEWTON_STEPS = 12


def fit_expression(logits: Floats, targets: Floats, labels: Sequence[str]) -> TaskCorrection | None:
    """Bias of each expression and a temperature, from labelled examples of at least two expressions.

    Args:
        logits: (N, E) logits of the examples.
        targets: (N,) numbers of the true expressions.
        labels: Names of the E expressions.

    Returns:
        The correction; None where leave-one-out shows no gain.
    """
    z, y = np.asarray(logits, np.float64), np.asarray(targets, np.intp)
    truth = np.eye(z.shape[1])[y]

    def losses(values: Float64) -> Float64:
        shifted = values - values.max(axis=1, keepdims=True)
        return np.asarray(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y])

    best: tuple[float, float, float] | None = None
    before = losses(z)
    for temperature in _TEMPERATURES:
        for strength in _STRENGTHS:
            left = np.stack(
                [_softmax_bias(z[rows] / temperature, truth[rows], strength) for rows in _leave_one_out(len(z))]
            )
            after = losses(z / temperature + left)
            if _helps(before, after) and (best is None or after.mean() < best[0]):
                best = float(after.mean()), temperature, strength
    if best is None:
        return None
    error, temperature, strength = best
    bias = _softmax_bias(z / temperature, truth, strength)
    return TaskCorrection(
        bias=_named(labels, bias),
        temperature=temperature,
        error_before=float(before.mean()),
        error_after=error,
    )


def fit_units(logits: Floats, targets: Floats, labels: Sequence[str]) -> TaskCorrection | None:
    """Bias of each action unit from examples that say where it is present.

    Args:
        logits: (N, A) logits of the examples.
        targets: (N, A) presence or probability in [0, 1]; NaN where unknown.
        labels: Names of the A action units.

    Returns:
        The correction of the units that leave-one-out shows a gain for; None for none.
    """
    z, truth = np.asarray(logits, np.float64), np.asarray(targets, np.float64)
    fits = {}
    for column, label in enumerate(labels):
        known = np.isfinite(truth[:, column])
        own, target = z[known, column], truth[known, column]
        # One kind alone says in which direction to move and not how far.
        if len(own) < MIN_EXAMPLES or (target >= 0.5).all() or (target < 0.5).all():
            continue
        before = _logistic_losses(own, target)
        tried = []
        for strength in _STRENGTHS:
            left = np.array([_logistic_bias(own[rows], target[rows], strength) for rows in _leave_one_out(len(own))])
            tried.append((float(_logistic_losses(own + left, target).mean()), strength, left))
        error, strength, left = min(tried, key=lambda one: one[0])
        if _helps(before, _logistic_losses(own + left, target)):
            fits[label] = _logistic_bias(own, target, strength), float(before.mean()), error
    return _joined(fits)


def fit_offsets(values: Floats, targets: Floats, labels: Sequence[str]) -> TaskCorrection | None:
    """Offset of each value from examples with a rating.

    Args:
        values: (N, L) predicted values.
        targets: (N, L) ratings; NaN where unknown.
        labels: Names of the L values.

    Returns:
        The correction of the values that leave-one-out shows a gain for; None for none.
    """
    fits = {}
    errors = np.asarray(targets, np.float64) - np.asarray(values, np.float64)
    for column, label in enumerate(labels):
        own = errors[np.isfinite(errors[:, column]), column]
        if len(own) < MIN_EXAMPLES:
            continue
        tried = []
        for strength in _STRENGTHS:
            left = (own.sum() - own) / (len(own) - 1 + strength)
            tried.append((float(((own - left) ** 2).mean()), strength, left))
        error, strength, left = min(tried, key=lambda one: one[0])
        if _helps(own**2, (own - left) ** 2):
            fits[label] = float(own.sum() / (len(own) + strength)), float((own**2).mean()), error
    return _joined(fits)


def fit_neutral(
    values: Floats, labels: Sequence[str], levels: Mapping[str, tuple[float, ...]]
) -> TaskCorrection | None:
    """Offset of each value from neutral faces of one person, towards what neutral faces of many people have.

    The offset is the person's mean distance from the level of all people, shrunk by the share of the variance that
    lies between people (empirical Bayes).

    Args:
        values: (N, L) logits or values of neutral faces.
        labels: Names of the L values.
        levels: Label -> mean over people, standard deviation between people, and within them.

    Returns:
        The correction of the values that leave-one-out shows a gain for; None for none.
    """
    fits = {}
    for column, label in enumerate(labels):
        if label not in levels:
            continue
        mean, between, within = levels[label]
        own = np.asarray(values, np.float64)[:, column] - mean
        n = len(own)
        rest = (own.sum() - own) / (n - 1)
        left = rest * _share(n - 1, between, within)
        if _helps(own**2, (own - left) ** 2):
            error = float(((own - left) ** 2).mean())
            fits[label] = -float(own.mean()) * _share(n, between, within), float((own**2).mean()), error
    return _joined(fits)


def joined_corrections(first: TaskCorrection | None, second: TaskCorrection | None) -> TaskCorrection | None:
    """The biases of the first correction, and those of the second for labels that the first leaves alone.

    Args:
        first: Correction without a temperature, or None.
        second: Correction without a temperature, or None.
    """
    if first is None or second is None:
        return first or second
    bias = {**second.bias, **first.bias}
    n, n_first = len(bias), len(first.bias)

    def mean(one: float, two: float) -> float:
        return (one * n_first + two * (n - n_first)) / n

    return TaskCorrection(
        bias=bias,
        error_before=mean(first.error_before, second.error_before),
        error_after=mean(first.error_after, second.error_after),
    )


def _share(n: int, between: float, within: float) -> float:
    return between**2 / max(between**2 + within**2 / max(n, 1), 1e-12)


def _joined(fits: Mapping[str, tuple[float, float, float]]) -> TaskCorrection | None:
    if not fits:
        return None
    return TaskCorrection(
        bias={label: round(float(fit[0]), 5) for label, fit in fits.items()},
        error_before=float(np.mean([fit[1] for fit in fits.values()])),
        error_after=float(np.mean([fit[2] for fit in fits.values()])),
    )


def _named(labels: Sequence[str], bias: Float64) -> dict[str, float]:
    return {label: round(float(value), 5) for label, value in zip(labels, bias, strict=True)}


def _helps(before: Floats, after: Floats) -> bool:
    """Whether errors fall by more than chance explains."""
    gain = np.asarray(before, np.float64) - np.asarray(after, np.float64)
    spread = float(gain.std(ddof=1)) if len(gain) > 1 else np.inf
    return bool(gain.mean() > 0 and gain.mean() >= _SURE * spread / np.sqrt(len(gain)))


def _leave_one_out(n: int) -> Bools:
    if n < 2:
        raise ConfigError(f"leave-one-out needs at least 2 examples, got {n}")
    return np.asarray(~np.eye(n, dtype=np.bool_))


def _softmax_bias(logits: Float64, truth: Float64, strength: float) -> Float64:
    """Biases of least cross-entropy with a ridge, by Newton's method."""
    bias = np.zeros(logits.shape[1])
    for _ in range(_NEWTON_STEPS):
        shifted = logits + bias
        p = np.exp(shifted - shifted.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        slope = (p - truth).sum(axis=0) + strength * bias
        curve = np.diag(p.sum(axis=0) + strength) - p.T @ p
        step = np.linalg.solve(curve, slope)
        bias -= np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-6:
            break
    return bias


def _logistic_bias(logits: Float64, truth: Float64, strength: float) -> float:
    bias = 0.0
    for _ in range(_NEWTON_STEPS):
        p = 1 / (1 + np.exp(-(logits + bias)))
        step = ((p - truth).sum() + strength * bias) / ((p * (1 - p)).sum() + strength)
        bias -= float(np.clip(step, -2, 2))
        if abs(step) < 1e-7:
            break
    return bias


def _logistic_losses(logits: Float64, truth: Float64) -> Float64:
    return np.asarray(np.logaddexp(0, logits) - truth * logits, np.float64)

# SPDX-License-Identifier: Apache-2.0
"""Fits the corrections of `mien adapt`: shrunk so far that leaving examples out never shows more error than before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mien.core import ConfigError, Float64, Floats, Indices, TaskCorrection

MIN_EXAMPLES = 5
"""Fewest examples of an adaptation."""

MIN_NEUTRAL = 3
"""Fewest neutral faces that say what the resting face of a person is like."""

# Strengths of the shrinkage that are tried, weakest first: pseudo-examples that want no correction.
_STRENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
_TEMPERATURES = (1.0, 1.25, 1.6)  # few examples do not show that a network may be surer than it is
# Number of standard errors of the gain that a correction loses, see `kept_share`; chosen on LFW and rendered people of
# whom docs/research/adaptation.md reports none.
_CAUTION_EXPRESSION, _CAUTION = 1.5, 1.0
_TRANSFER = 0.6  # of what neutral faces show: other expressions of the person have only a part of it
# The same number for what neutral faces show. Their examples left out are neutral, too, and tell less of other faces:
# with 2 for valence and arousal one person in 20 lost more than 1 %.
NEUTRAL_CAUTION = {"action_units": 1.5, "valence_arousal": 6.0}
_NEWTON_STEPS = 12


def kept_share(before: Floats, after: Floats, caution: float) -> float:
    """Share in [0, 1] of a correction that is kept: ``1 - (caution * error of the gain / gain)^2``.

    A gain of `caution` standard errors may be chance, and nothing is kept; a clear one keeps nearly all, as in
    positive-part James-Stein estimation (Ann. Math. Stat. 1961). With 0 nothing changes, so a doubtful correction does
    little harm.

    Args:
        before: (N,) leave-one-out errors without the correction.
        after: (N,) the same with it.
        caution: Number of standard errors.

    Examples:
        >>> kept_share([1.0, 1.2, 1.1], [0.2, 0.3, 0.2], 1.0) > 0.9
        True
        >>> kept_share([1.0, 0.2, 1.0], [0.2, 1.0, 0.9], 1.0)
        0.0
    """
    gain = np.asarray(before, np.float64) - np.asarray(after, np.float64)
    if len(gain) < 2 or gain.mean() <= 0:
        return 0.0
    error = float(gain.std(ddof=1)) / np.sqrt(len(gain))
    return float(max(0.0, 1.0 - (caution * error / float(gain.mean())) ** 2))


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

    rest = leave_one_out(len(z))
    tried = []
    for temperature in _TEMPERATURES:
        for strength in _STRENGTHS[1:]:
            left = _softmax_biases(z[rest] / temperature, truth[rest], strength)
            tried.append((float(losses(z / temperature + left).mean()), temperature, strength, left))
    _, temperature, strength, left = min(tried, key=lambda one: one[0])
    before = losses(z)
    share = kept_share(before, losses(z / temperature + left), _CAUTION_EXPRESSION)
    if not share:
        return None
    kept = temperature**share
    return TaskCorrection(
        bias=_named(labels, share * _softmax_biases(z[None] / temperature, truth[None], strength)[0]),
        temperature=kept,
        error_before=float(before.mean()),
        error_after=float(losses(z / kept + share * left).mean()),
    )


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
        _, strength, left = min(tried, key=lambda one: one[0])
        share = kept_share(own**2, (own - left) ** 2, _CAUTION)
        if share:
            error = float(((own - share * left) ** 2).mean())
            fits[label] = share * float(own.sum() / (len(own) + strength)), float((own**2).mean()), error
    return _joined(fits)


def fit_neutral(
    values: Floats, labels: Sequence[str], levels: Mapping[str, tuple[float, ...]], *, caution: float
) -> TaskCorrection | None:
    """Offset of each value from neutral faces of one person, towards what neutral faces of many people have.

    The offset is the person's mean distance from the level of all people, shrunk by the share of the variance that
    lies between people (empirical Bayes), and by a share for expressions other than neutral.

    Args:
        values: (N, L) logits or values of neutral faces.
        labels: Names of the L values.
        levels: Label -> mean over people, standard deviation between people, and within them.
        caution: Number of standard errors of the gain that a correction loses, see `kept_share`.

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
        left = rest * between_share(n - 1, between, within)
        share = _TRANSFER * kept_share(own**2, (own - left) ** 2, caution)
        if share:
            error = float(((own - share * left) ** 2).mean())
            bias = -share * float(own.mean()) * float(between_share(n, between, within))
            fits[label] = bias, float((own**2).mean()), error
    return _joined(fits)


def joined_corrections(first: TaskCorrection | None, second: TaskCorrection | None) -> TaskCorrection | None:
    """The biases of the first correction, and those of the second for labels that the first leaves alone.

    Args:
        first: Correction, or None; without a temperature unless it has a bias for every label.
        second: Correction without a temperature, or None.
    """
    if first is None or second is None or set(second.bias) <= set(first.bias):
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


def between_share(n: int | Indices, between: float | Float64, within: float | Float64) -> Float64:
    """Share of the variance of a mean of n faces of one person that lies between people, from their deviations."""
    whole = np.square(between) + np.square(within) / np.maximum(n, 1)
    return np.asarray(np.square(between) / np.maximum(whole, 1e-12), np.float64)


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


def leave_one_out(n: int) -> Indices:
    """(n, n - 1) rows of all examples but one."""
    if n < 2:
        raise ConfigError(f"leave-one-out needs at least 2 examples, got {n}")
    rows = np.arange(n)
    return np.stack([rows[rows != left] for left in range(n)])


def _softmax_biases(logits: Float64, truth: Float64, strength: float) -> Float64:
    """Biases (B, E) of least cross-entropy with a ridge for B sets of examples (B, N, E), by Newton's method."""
    bias = np.zeros((len(logits), logits.shape[2]))
    diagonal = np.arange(logits.shape[2])
    for _ in range(_NEWTON_STEPS):
        shifted = logits + bias[:, None]
        p = np.exp(shifted - shifted.max(axis=2, keepdims=True))
        p /= p.sum(axis=2, keepdims=True)
        slope = (p - truth).sum(axis=1) + strength * bias
        curve = -np.einsum("bne,bnf->bef", p, p)
        curve[:, diagonal, diagonal] += p.sum(axis=1) + strength
        step = np.linalg.solve(curve, slope[..., None])[..., 0]
        bias -= np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-6:
            break
    return bias

# SPDX-License-Identifier: Apache-2.0
"""Split-conformal calibration: limits of prediction sets and widths of intervals from held-out faces."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mien.core import EVERY_CLASS, Bools, ConfigError, Floats, Integers

_FEWEST = 40
_HALF = 0.5


def in_first_half(names: Sequence[str]) -> Bools:
    """Whether each name is in the half that calibrates; the other half tests. It depends on the name alone.

    Args:
        names: N names of images or persons.

    Examples:
        >>> in_first_half(["a.png", "b.png", "a.png"]).tolist()
        [False, True, False]
    """
    return np.array([hashlib.sha256(f"half {name}".encode()).digest()[0] < 128 for name in names], np.bool_)


def expression_limits(
    probabilities: Floats, targets: Integers, labels: Sequence[str], coverage: float = 0.9
) -> dict[str, float]:
    """Smallest probability of each expression in a prediction set, so that each true expression is covered.

    Args:
        probabilities: (N, E) probabilities of held-out faces.
        targets: (N,) number of the true expression, or -1 for an unlabelled face.
        labels: Names of the E expressions.
        coverage: Share of the faces of each expression whose set holds it, in expectation at least.

    Returns:
        Expression -> limit; 0, which keeps it in every set, where a class has too few faces for the coverage.

    Raises:
        ConfigError: The coverage is not between 0 and 1.

    Source: Sadinle, Lei and Wasserman, Least Ambiguous Set-Valued Classifiers with Bounded Error Levels, JASA 2019.

    Examples:
        >>> own = np.linspace(0.05, 0.95, 19)
        >>> limits = expression_limits(np.stack([own, 1 - own], axis=1), np.zeros(19, int), ("neutral", "fear"))
        >>> round(limits["neutral"], 2), limits["fear"]
        (0.1, 0.0)
    """
    _check(coverage)
    limits = {}
    for number, label in enumerate(labels):
        own = np.sort(np.asarray(probabilities, np.float64)[targets == number, number])
        place = math.floor((len(own) + 1) * (1 - coverage) + 1e-9)
        limits[label] = float(own[place - 1]) if place else 0.0
    return limits


def half_widths(
    errors: Floats, tops: npt.NDArray[np.str_], labels: Sequence[str], coverage: float = 0.9
) -> dict[str, float]:
    """Half-width of the interval about a value, by the predicted expression.

    Args:
        errors: (N,) reference minus prediction on held-out faces.
        tops: (N,) predicted expressions.
        labels: Names of the expressions; one with fewer than 40 faces has no half-width of its own.
        coverage: Share of the intervals that hold the reference.

    Returns:
        Expression, and `mien.core.EVERY_CLASS` for all others -> half-width.

    Raises:
        ConfigError: The coverage is not between 0 and 1, or there is no face.

    Examples:
        >>> half_widths(np.arange(99) / 100, np.full(99, "fear"), ("fear", "anger"))
        {'any': 0.89, 'fear': 0.89}
    """
    _check(coverage)
    sizes = np.abs(np.asarray(errors, np.float64))
    widths = {EVERY_CLASS: _upper(sizes, coverage)}
    for label in labels:
        own = sizes[tops == label]
        if len(own) >= _FEWEST:
            widths[label] = _upper(own, coverage)
    return widths


def unit_offsets(
    probabilities: Floats, reference: Floats, labels: Sequence[str], coverage: float = 0.9
) -> dict[str, tuple[float, ...]]:
    """What the interval of each action unit reaches below and above its probability.

    Args:
        probabilities: (N, A) probabilities of held-out faces.
        reference: (N, A) probabilities of a teacher or labels of 0 and 1; NaN where unknown.
        labels: Names of the A action units; one with fewer than 40 known faces gets none.
        coverage: Share of the intervals that hold the reference.

    Returns:
        Action unit -> offsets below and above for a probability under 0.5, then below and above for a higher one,
        see `mien.core.UncertaintySpec`.

    Raises:
        ConfigError: The coverage is not between 0 and 1.
    """
    _check(coverage)
    offsets: dict[str, tuple[float, ...]] = {}
    for column, label in enumerate(labels):
        own, truth = np.asarray(probabilities, np.float64)[:, column], np.asarray(reference, np.float64)[:, column]
        known = np.isfinite(truth) & np.isfinite(own)
        if known.sum() < _FEWEST:
            continue
        ends: list[float] = []
        for present in (False, True):
            rows = known & ((own >= _HALF) == present)
            rows = rows if rows.sum() >= _FEWEST else known
            error = truth[rows] - own[rows]
            each = 1 - (1 - coverage) / 2
            ends += [max(_upper(-error, each), 0.0), max(_upper(error, each), 0.0)]
        offsets[label] = tuple(min(end, 1.0) for end in ends)
    return offsets


def binomial_band(n: int, share: float = 0.9, level: float = 0.95) -> tuple[float, float]:
    """Central interval of the share of successes in n trials of that probability.

    Args:
        n: Number of trials, at least 1.
        share: Probability of a success.
        level: Probability of the interval.

    Examples:
        >>> [round(end, 2) for end in binomial_band(100)]
        [0.84, 0.95]
    """
    counts = np.arange(n + 1)
    logs = [math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in counts]
    mass = np.exp(np.array(logs) + counts * math.log(share) + (n - counts) * math.log(1 - share))
    below = np.cumsum(mass)
    tail = (1 - level) / 2
    return int(np.searchsorted(below, tail)) / n, int(np.searchsorted(below, 1 - tail)) / n


def _upper(values: Floats, coverage: float) -> float:
    """The conformal upper quantile: the largest value where there are too few for the coverage."""
    ordered = np.sort(np.asarray(values, np.float64))
    if not len(ordered):
        raise ConfigError("no held-out face has the value that an interval needs")
    place = math.ceil((len(ordered) + 1) * coverage - 1e-9)
    return float(ordered[min(place, len(ordered)) - 1])


def _check(coverage: float) -> None:
    if not 0 < coverage < 1:
        raise ConfigError(f"coverage must be between 0 and 1, got {coverage}")

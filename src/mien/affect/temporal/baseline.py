# SPDX-License-Identifier: Apache-2.0
"""Baselines: the resting level of a person's face, and values relative to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError, Float64, Indices

NEUTRAL_FROM = 0.5
"""Probability of neutral from which a face counts as neutral."""

MIN_NEUTRAL_ROWS = 10
"""Least number of neutral rows that gives a reliable resting level."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Baseline:
    """The resting level of each group of rows.

    Attributes:
        levels: (G, D) medians; NaN for a group with fewer than `MIN_NEUTRAL_ROWS` neutral rows.
        n_neutral: (G,) number of neutral rows of each group.
    """

    levels: Float64
    n_neutral: Indices


def resting_levels(groups: npt.ArrayLike, neutral: npt.ArrayLike, values: npt.ArrayLike, n_groups: int) -> Baseline:
    """The median of each group's neutral rows, as OpenFace calibrates its features to a person.

    Args:
        groups: (N,) group of each row from 0; rows with a negative number belong to none.
        neutral: (N,) probability of neutral; NaN counts as not neutral.
        values: (N, D); NaN is ignored.
        n_groups: Number G of groups.

    Raises:
        ConfigError: The shapes do not fit.

    Examples:
        >>> neutral = [0.9] * 12 + [0.1] * 3
        >>> values = [[0.25]] * 12 + [[0.8]] * 3
        >>> rest = resting_levels([0] * 15, neutral, values, n_groups=1)
        >>> rest.levels.tolist(), rest.n_neutral.tolist()
        ([[0.25]], [12])
    """
    group, probability, rows = np.asarray(groups), np.asarray(neutral, np.float64), np.asarray(values, np.float64)
    if rows.ndim != 2 or group.shape != rows.shape[:1] or probability.shape != group.shape:
        raise ConfigError(
            f"groups, neutral and (N, D) values do not fit: {group.shape}, {probability.shape}, {rows.shape}"
        )
    levels, n_neutral = np.full((n_groups, rows.shape[1]), np.nan), np.zeros(n_groups, np.intp)
    is_neutral = (probability >= NEUTRAL_FROM) & np.isfinite(rows).any(axis=1)
    for index in range(n_groups):
        own = rows[is_neutral & (group == index)]
        n_neutral[index] = len(own)
        if len(own) >= MIN_NEUTRAL_ROWS:
            levels[index] = [resting_level(column) for column in own.T]
    return Baseline(levels=levels, n_neutral=n_neutral)


def resting_level(values: npt.ArrayLike) -> float:
    """The median of the finite values (N,) of neutral rows; NaN without any.

    Examples:
        >>> resting_level([0.5, np.nan, 0.25])
        0.375
    """
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    return float(np.median(known, overwrite_input=True)) if len(known) else float("nan")


def subtract_levels(groups: npt.ArrayLike, values: npt.ArrayLike, levels: Float64, low: float, high: float) -> Float64:
    """Each row minus the level of its group, limited to ``low`` to ``high``.

    Args:
        groups: (N,) group of each row, as for `resting_levels`.
        values: (N, D).
        levels: (G, D); where a level is NaN, values stay unchanged.
        low: Smallest value of the result.
        high: Largest value of the result.

    Returns:
        (N, D) float64; rows of no group unchanged.

    Examples:
        >>> subtract_levels([0, 0, -1], [[0.5], [0.1], [0.7]], np.array([[0.25]]), 0.0, 1.0).tolist()
        [[0.25], [0.0], [0.7]]
    """
    group, rows = np.asarray(groups), np.array(values, dtype=np.float64)
    own = np.flatnonzero(group >= 0)
    level = levels[group[own]]
    rows[own] = np.where(np.isnan(level), rows[own], np.clip(rows[own] - level, low, high))
    return rows

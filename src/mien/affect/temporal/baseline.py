# SPDX-License-Identifier: Apache-2.0
"""What a person's face looks like at rest, and values measured from there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError

Floats = npt.NDArray[np.float64]

NEUTRAL_FROM = 0.5
"""Probability of neutral from which a face looks neutral."""

MIN_NEUTRAL_ROWS = 10
"""Fewer neutral-looking rows say nothing reliable about a face at rest."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Baseline:
    """The resting level of each group of rows.

    Attributes:
        levels: (G, D) medians; NaN for a group with fewer than `MIN_NEUTRAL_ROWS` neutral-looking rows.
        n_neutral: (G,) neutral-looking rows of each group.
    """

    levels: Floats
    n_neutral: npt.NDArray[np.intp]


def resting_levels(groups: npt.ArrayLike, neutral: npt.ArrayLike, values: npt.ArrayLike, n_groups: int) -> Baseline:
    """The median of each group's neutral-looking rows, as OpenFace calibrates its features to a person.

    Args:
        groups: (N,) group of each row from 0; rows with a negative number belong to none.
        neutral: (N,) probability of neutral; NaN counts as not neutral-looking.
        values: (N, D); NaN is passed over.
        n_groups: G.

    Raises:
        ConfigError: the shapes do not fit.
    """
    group, chance, rows = np.asarray(groups), np.asarray(neutral, np.float64), np.asarray(values, np.float64)
    if rows.ndim != 2 or group.shape != rows.shape[:1] or chance.shape != group.shape:
        raise ConfigError(f"groups, neutral and (N, D) values do not fit: {group.shape}, {chance.shape}, {rows.shape}")
    levels, n_neutral = np.full((n_groups, rows.shape[1]), np.nan), np.zeros(n_groups, np.intp)
    looks_neutral = (chance >= NEUTRAL_FROM) & np.isfinite(rows).any(axis=1)
    for index in range(n_groups):
        own = rows[looks_neutral & (group == index)]
        n_neutral[index] = len(own)
        if len(own) >= MIN_NEUTRAL_ROWS:
            measured = np.isfinite(own).any(axis=0)
            levels[index, measured] = np.nanmedian(own[:, measured], axis=0)
    return Baseline(levels=levels, n_neutral=n_neutral)


def subtract_levels(groups: npt.ArrayLike, values: npt.ArrayLike, levels: Floats, low: float, high: float) -> Floats:
    """Each row less the level of its group, limited to ``low`` to ``high``.

    Args:
        groups: (N,) as for `resting_levels`.
        values: (N, D).
        levels: (G, D); where a level is NaN, values stay as they are.
        low: smallest value of the result.
        high: largest.

    Returns:
        (N, D) float64; rows of no group as they were.
    """
    group, rows = np.asarray(groups), np.array(values, dtype=np.float64)
    own = np.flatnonzero(group >= 0)
    level = levels[group[own]]
    rows[own] = np.where(np.isnan(level), rows[own], np.clip(rows[own] - level, low, high))
    return rows

# SPDX-License-Identifier: Apache-2.0
"""Measures of groups with intervals by person, tests against all others, and gaps at equal geometry."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mien.core import Bools, ConfigError, Float64, Floats, Indices

N_RESAMPLES = 300
"""Number of bootstrap samples of people behind an interval."""

Statistic = Callable[[Indices], float]
"""Function from rows (with repetitions) to a value; NaN where it has no meaning."""

_FEWEST = 20


@dataclass(frozen=True, kw_only=True)
class GroupResult:
    """One measure of one group, and its difference from all others.

    Attributes:
        measure: Name of the measure.
        column: Column of the groups.
        group: Name of the group.
        n: Number of its faces for which the measure is defined.
        value: Value of the group.
        low: 2.5 % percentile over bootstrap samples of people.
        high: 97.5 % percentile.
        gap: Value of the group minus that of all others.
        gap_low: 2.5 % percentile of the gap.
        gap_high: 97.5 % percentile of the gap.
        p: Two-sided probability of such a gap without a difference, by the bootstrap's standard error.
        p_holm: The same after Holm's correction over all tests of the audit.
    """

    measure: str
    column: str
    group: str
    n: int
    value: float
    low: float
    high: float
    gap: float
    gap_low: float
    gap_high: float
    p: float
    p_holm: float = math.nan


def group_results(
    measure: str,
    statistic: Statistic,
    defined: Bools,
    column: str,
    groups: npt.NDArray[np.str_],
    people: npt.NDArray[np.str_],
    *,
    seed: int = 0,
) -> list[GroupResult]:
    """A measure in every group with at least 20 faces.

    Args:
        measure: Name of the measure.
        statistic: Function from rows to the value.
        defined: (N,) rows for which it is defined.
        column: Name of the column of groups.
        groups: (N,) group of each row; empty text for none.
        people: (N,) person of each row.
        seed: Seed of the bootstrap.
    """
    usable = defined & (groups != "")
    codes = np.unique(people, return_inverse=True)[1]
    members = _members(codes[usable], np.flatnonzero(usable))
    rng = np.random.default_rng(seed)
    names = [
        name
        for name in sorted(set(groups[usable].tolist()), key=group_order)
        if (groups[usable] == name).sum() >= _FEWEST
    ]
    draws = []
    for _ in range(N_RESAMPLES):
        rows = (
            np.concatenate([members[place] for place in rng.integers(0, len(members), len(members))])
            if members
            else np.empty(0, np.intp)
        )
        draws.append([_pair(statistic, rows, groups, name) for name in names])
    drawn = np.array(draws, np.float64).reshape(N_RESAMPLES, len(names), 2)
    everyone = np.flatnonzero(usable)
    results = []
    for place, name in enumerate(names):
        value, others = _pair(statistic, everyone, groups, name)
        own, gaps = drawn[:, place, 0], drawn[:, place, 0] - drawn[:, place, 1]
        low, high = _percentiles(own)
        gap_low, gap_high = _percentiles(gaps)
        results.append(
            GroupResult(
                measure=measure,
                column=column,
                group=name,
                n=int((groups[everyone] == name).sum()),
                value=value,
                low=low,
                high=high,
                gap=value - others,
                gap_low=gap_low,
                gap_high=gap_high,
                p=_p_value(value - others, gaps),
            )
        )
    return results


def with_holm(results: Sequence[GroupResult]) -> list[GroupResult]:
    """The same results with Holm's correction over all their tests.

    Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 1979.
    """
    known = [place for place, one in enumerate(results) if math.isfinite(one.p)]
    order = sorted(known, key=lambda place: results[place].p)
    corrected, largest = {}, 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, results[place].p * (len(order) - rank)))
        corrected[place] = largest
    return [replace(one, p_holm=corrected.get(place, math.nan)) for place, one in enumerate(results)]


def conditional_gaps(
    measure: str,
    values: Floats,
    geometry: Floats,
    column: str,
    groups: npt.NDArray[np.str_],
    people: npt.NDArray[np.str_],
    *,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
) -> list[GroupResult]:
    """Differences of a value between groups at equal geometry: a regression with smooth terms and one level a group.

    Args:
        measure: Name of the measure.
        values: (N,) logits; NaN where unknown.
        geometry: (N, G) measures of the face that must be equal, such as the width of the mouth and the pose.
        column: Name of the column of groups.
        groups: (N,) group of each row; empty text for none.
        people: (N,) person of each row.
        seed: Seed of the bootstrap.
        n_resamples: Number of bootstrap samples; 1 where only the levels are needed.

    Returns:
        For each group with at least 20 faces its level minus the mean level of all others, weighted by their faces;
        ``value`` is the level itself, less the mean of all.

    Raises:
        ConfigError: The sizes differ.
    """
    equal: Float64 = np.asarray(geometry, np.float64)
    if len(equal) != len(values) or equal.ndim != 2:
        raise ConfigError(f"{len(values)} values need as many rows of geometry, got {equal.shape}")
    usable = np.isfinite(values) & np.isfinite(equal).all(axis=1) & (groups != "")
    names = [
        name
        for name in sorted(set(groups[usable].tolist()), key=group_order)
        if (groups[usable] == name).sum() >= _FEWEST
    ]
    usable &= np.isin(groups, names)
    if len(names) < 2:
        return []
    rows = np.flatnonzero(usable)
    smooth = _smooth_terms(equal[rows])
    dummies = (groups[rows][:, None] == np.array(names)[None]).astype(np.float64)
    design, target = np.concatenate([smooth, dummies], axis=1), np.asarray(values, np.float64)[rows]
    codes = np.unique(people[rows], return_inverse=True)[1]
    members = _members(codes, np.arange(len(rows)))
    rng = np.random.default_rng(seed)

    def levels(weights: Float64) -> Float64:
        weighted = design * weights[:, None]
        ridge = 1e-6 * np.eye(design.shape[1])
        found = np.linalg.solve(weighted.T @ design + ridge, weighted.T @ target)[-len(names) :]
        sizes = (dummies * weights[:, None]).sum(axis=0)
        total = float(found @ sizes)
        others = np.array([(total - found[k] * sizes[k]) / max(sizes.sum() - sizes[k], 1) for k in range(len(names))])
        return np.stack([found - total / sizes.sum(), found - others])

    plain = levels(np.ones(len(rows)))
    drawn = []
    for _ in range(n_resamples):
        weights = np.zeros(len(rows))
        for place, times in zip(
            *np.unique(rng.integers(0, len(members), len(members)), return_counts=True), strict=True
        ):
            weights[members[place]] += times
        drawn.append(levels(weights))
    samples = np.array(drawn)
    results = []
    for place, name in enumerate(names):
        low, high = _percentiles(samples[:, 0, place])
        gap_low, gap_high = _percentiles(samples[:, 1, place])
        results.append(
            GroupResult(
                measure=measure,
                column=column,
                group=name,
                n=int(dummies[:, place].sum()),
                value=float(plain[0, place]),
                low=low,
                high=high,
                gap=float(plain[1, place]),
                gap_low=gap_low,
                gap_high=gap_high,
                p=_p_value(float(plain[1, place]), samples[:, 1, place]),
            )
        )
    return results


def group_order(group: str) -> tuple[int, str]:
    """Sort key: ages in ascending order ("3-9" before "10-19", "more than 70" last), names alphabetically."""
    first = group.split("-")[0]
    return (int(first), group) if first.isdecimal() else (1000, group)


def worst_gap(results: Sequence[GroupResult]) -> Mapping[tuple[str, str], GroupResult]:
    """(measure, column) -> the result with the largest absolute gap."""
    worst: dict[tuple[str, str], GroupResult] = {}
    for one in results:
        key = one.measure, one.column
        if math.isfinite(one.gap) and (key not in worst or abs(one.gap) > abs(worst[key].gap)):
            worst[key] = one
    return worst


def _smooth_terms(geometry: Float64) -> Float64:
    """Cubic terms of every standardised column, held within three deviations."""
    scaled = np.clip((geometry - geometry.mean(axis=0)) / np.maximum(geometry.std(axis=0), 1e-9), -3, 3)
    return np.concatenate([scaled, scaled**2, scaled**3], axis=1)


def _pair(statistic: Statistic, rows: Indices, groups: npt.NDArray[np.str_], name: str) -> tuple[float, float]:
    inside = groups[rows] == name
    own, others = rows[inside], rows[~inside]
    return (statistic(own) if len(own) else math.nan), (statistic(others) if len(others) else math.nan)


def _members(codes: Indices, rows: Indices) -> list[Indices]:
    order = np.argsort(codes, kind="stable")
    _, start = np.unique(codes[order], return_index=True)
    return np.split(rows[order], start[1:]) if len(rows) else []


def _percentiles(values: Float64) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return math.nan, math.nan
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def _p_value(gap: float, samples: Float64) -> float:
    spread = float(np.nanstd(samples)) if np.isfinite(samples).any() else math.nan
    if not math.isfinite(gap) or not spread > 0:
        return math.nan
    return math.erfc(abs(gap) / spread / math.sqrt(2))

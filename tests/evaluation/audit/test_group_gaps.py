# SPDX-License-Identifier: Apache-2.0
"""Gaps between groups, on draws whose gap is known."""

import math

import numpy as np
import pytest

from mien.core import ConfigError
from mien.evaluation.audit.group_gaps import GroupResult, conditional_gaps, group_results, with_holm, worst_gap

N = 1200
RNG = np.random.default_rng(0)
GROUPS = RNG.choice(["a", "b", "c"], N)
PEOPLE = np.array([f"person {number % 500}" for number in range(N)])
EVERYONE = np.ones(N, bool)


def mean_of(values: np.ndarray) -> object:
    return lambda rows: float(values[rows].mean())


def test_a_group_that_differs_is_found_and_the_others_are_not() -> None:
    values = RNG.normal(0, 1, N) + (GROUPS == "b") * 0.6
    results = {one.group: one for one in with_holm(group_results("m", mean_of(values), EVERYONE, "g", GROUPS, PEOPLE))}
    assert results["b"].gap == pytest.approx(0.6, abs=0.15)
    assert results["b"].gap_low < 0.6 < results["b"].gap_high
    assert results["b"].p_holm < 1e-6
    alike = RNG.normal(0, 1, N)
    assert min(one.p for one in group_results("m", mean_of(alike), EVERYONE, "g", GROUPS, PEOPLE)) > 0.01


def test_intervals_are_of_people_and_not_of_rows() -> None:
    of_people = RNG.normal(0, 1, 30)
    people = np.array([f"p{number % 30:02d}" for number in range(N)])
    values = of_people[np.arange(N) % 30]
    (first, *_) = group_results("m", mean_of(values), EVERYONE, "g", np.full(N, "a"), people)
    assert first.high - first.low > 0.4  # 30 people; 1,200 rows alone would give 0.11


def test_small_and_unknown_groups_are_left_out() -> None:
    groups = GROUPS.copy()
    groups[:5], groups[5:100] = "rare", ""
    results = group_results("m", mean_of(np.ones(N)), EVERYONE, "g", groups, PEOPLE)
    assert [one.group for one in results] == ["a", "b", "c"]
    assert sum(one.n for one in results) == N - 100


def test_holm_agrees_with_the_definition() -> None:
    line = GroupResult(
        measure="m", column="c", group="g", n=1, value=0, low=0, high=0, gap=0, gap_low=0, gap_high=0, p=0.0
    )
    from dataclasses import replace

    corrected = with_holm([replace(line, p=p) for p in (0.01, 0.04, 0.03, math.nan)])
    assert [round(one.p_holm, 6) for one in corrected[:3]] == [0.03, 0.06, 0.06]
    assert math.isnan(corrected[3].p_holm)


def test_equal_geometry_takes_away_what_geometry_explains() -> None:
    mouth = RNG.normal(0, 1, N) + (GROUPS == "a") * 1.5  # group a smiles more
    logits = 2 * mouth + 0.3 * mouth**2 - (GROUPS == "c") * 1.0 + RNG.normal(0, 0.5, N)
    found = {one.group: one for one in conditional_gaps("m", logits, mouth[:, None], "g", GROUPS, PEOPLE)}
    assert found["c"].gap == pytest.approx(-1.0, abs=0.15)
    assert found["a"].gap == pytest.approx(0.5, abs=0.15)  # against b and c, of which c is 1 lower
    assert found["c"].gap_low < -1.0 < found["c"].gap_high
    plain = {one.group: one for one in group_results("m", mean_of(logits), EVERYONE, "g", GROUPS, PEOPLE)}
    assert plain["a"].gap > 2


def test_one_group_alone_has_no_gap_and_sizes_must_fit() -> None:
    assert conditional_gaps("m", np.zeros(N), np.zeros((N, 1)), "g", np.full(N, "a"), PEOPLE) == []
    with pytest.raises(ConfigError):
        conditional_gaps("m", np.zeros(N), np.zeros((3, 1)), "g", GROUPS, PEOPLE)


def test_the_worst_gap_keeps_its_sign() -> None:
    values = RNG.normal(0, 0.1, N) - (GROUPS == "b") * 0.6
    worst = worst_gap(group_results("m", mean_of(values), EVERYONE, "g", GROUPS, PEOPLE))
    assert worst["m", "g"].group == "b"
    assert worst["m", "g"].gap < -0.5

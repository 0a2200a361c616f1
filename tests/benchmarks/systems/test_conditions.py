# SPDX-License-Identifier: Apache-2.0
"""Verdicts follow the rules that were written before the runs."""

import pytest

from benchmarks.systems.conditions import CONDITIONS, MARGIN, Condition, judge
from benchmarks.systems.gains import Gain


def gain(low: float, high: float, *per_seed: float) -> Gain:
    value = sum(per_seed) / len(per_seed)
    return Gain(name="", value=value, low=low, high=high, per_seed=per_seed, n=9, before=0.5, after=0.5 + value)


BETTER = Condition(key="k", part="p", claim="", measure="")
AT_LEAST = Condition(key="k", part="p", claim="", measure="", rule="at least")
BOTH_ENDS = Condition(key="k", part="p", claim="", measure="", n_gains=2)


@pytest.mark.parametrize(
    ("condition", "gains", "verdict"),
    [
        (BETTER, [], "not run"),
        (BETTER, [gain(0.01, 0.03, 0.01, 0.02, 0.03)], "passed"),
        (BETTER, [gain(-0.01, 0.03, 0.01, 0.02, 0.03)], "undecided"),  # the interval has 0
        (BETTER, [gain(0.01, 0.03, 0.05, 0.03, -0.01)], "undecided"),  # a seed is against it
        (BETTER, [gain(0.01, 0.03, 0.01, 0.02)], "undecided"),  # a seed was not run
        (BETTER, [gain(-0.03, -0.01, -0.01, -0.02, -0.03)], "failed"),
        (AT_LEAST, [gain(-0.9 * MARGIN, 0.02, 0.01, 0.0, -0.01)], "passed"),
        (AT_LEAST, [gain(-1.1 * MARGIN, 0.02, 0.01, 0.0, -0.01)], "undecided"),
        (AT_LEAST, [gain(-0.9 * MARGIN, -0.001, 0.0, 0.0, -0.01)], "failed"),  # small, but certain
        (BOTH_ENDS, [gain(0.01, 0.03, 0.01, 0.02, 0.03)], "not run"),
        (BOTH_ENDS, [gain(0.01, 0.03, 0.01, 0.02, 0.03), gain(-0.03, -0.01, -0.01, -0.02, -0.03)], "failed"),
        (BOTH_ENDS, [gain(0.01, 0.03, 0.01, 0.02, 0.03), gain(-0.01, 0.01, 0.0, 0.0, 0.0)], "undecided"),
        (BOTH_ENDS, [gain(0.01, 0.03, 0.01, 0.02, 0.03)] * 2, "passed"),
    ],
)
def test_verdicts(condition: Condition, gains: list[Gain], verdict: str) -> None:
    assert judge(condition, tuple(gains)) == verdict


def test_conditions_have_keys_of_their_own() -> None:
    keys = [condition.key for condition in CONDITIONS]
    assert len(keys) == len(set(keys)) > 20
    parts = [condition.part for condition in CONDITIONS]
    assert parts == sorted(parts, key=parts.index), "parts are not mixed"

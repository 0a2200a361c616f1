# SPDX-License-Identifier: Apache-2.0
"""The page has a row with a verdict for every condition, also for those that were not run."""

import dataclasses

import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

from benchmarks.systems.conditions import CONDITIONS
from benchmarks.systems.gains import Gain
from benchmarks.systems.stand_in import Budget
from benchmarks.systems.systems_page import REASONS, Found, systems_page


def test_every_condition_has_a_verdict() -> None:
    nothing = "\n".join(systems_page(Found({}, {}), Budget()))
    assert all(condition.claim in nothing for condition in CONDITIONS)
    assert nothing.count("| not run |") == len(CONDITIONS)
    assert "## Not run" in nothing
    assert "## Hold here" not in nothing
    assert f"{len(CONDITIONS)} conditions: 0 passed, 0 failed, 0 undecided, {len(CONDITIONS)} not run" in nothing
    gain = Gain(name="", value=0.02, low=0.01, high=0.03, per_seed=(0.02,) * 3, n=3555, before=0.6, after=0.62)
    page = "\n".join(systems_page(Found({"sam-adam": (gain,)}, {}), Budget()))
    assert "| 0.600, 0.620 | +0.020 [+0.010, +0.030] | +0.020 +0.020 +0.020 | 3,555 | **passed** |" in page
    assert "1 passed" in page
    assert "as accurate as Adam, with as many epochs (accuracy, FER+ valid by plurality: +0.020)." in page


def test_a_claim_that_fails_has_its_reason_on_top() -> None:
    gain = Gain(name="", value=-0.06, low=-0.07, high=-0.05, per_seed=(-0.06,) * 3, n=3555, before=0.34, after=0.28)
    page = "\n".join(systems_page(Found({"weights-plain": (gain,)}, {}), Budget()))
    claim = "- class weights with label smoothing raise macro F1 (macro F1, FER+ valid by plurality: "
    assert f"{claim}-0.060). {REASONS['weights-plain']}" in page
    better = dataclasses.replace(gain, value=0.06, low=0.05, high=0.07, per_seed=(0.06,) * 2)
    page = "\n".join(systems_page(Found({"weights-plain": (better,)}, {}), Budget()))
    assert f"{claim}+0.060, 2 of 3 runs)." in page

# SPDX-License-Identifier: Apache-2.0
"""The pretext over identities and the training after it: recipes of the plan, the paired gain and the page."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from benchmarks.training.identity import PLAN, SIZE_PX, identity_page, paired_gain, recipe_of, results_path


def test_both_trainings_share_the_backbone_of_their_start() -> None:
    plan = tomllib.loads(PLAN.read_text("utf-8"))
    for start in plan["starts"]:
        pretext = recipe_of(plan, "pretext", start, seed=1)
        task = recipe_of(plan, "task", start, seed=2, weights="start.pt")
        assert pretext.tasks == ("identity",)
        assert task.tasks == ("expression",)
        assert pretext.model.backbone == task.model.backbone
        assert (pretext.model.input_px, task.seed, task.model.start) == (SIZE_PX, 2, "start.pt")
        assert {source.split for source in (*pretext.data.sources, *task.data.sources)} == {"train"}


def test_gains_are_paired_by_seed_and_face(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    before = {str(seed): (rng.random(400) < 0.6).tolist() for seed in (1, 2)}
    after = {seed: [True] * 40 + rights[40:] for seed, rights in before.items()}
    value, low, high, n = paired_gain(before, after | {"3": [False] * 400})
    assert n == 2
    assert 0.02 < low < value < high < 0.07
    whole = tomllib.loads(PLAN.read_text("utf-8"))
    plan = {**whole, "starts": {"scratch": whole["starts"]["scratch"]}}
    facts = {
        "backbone": "net",
        "n_persons": 312,
        "provenance": "2026-11-28, 1 epochs in 2 min on 2 CPU cores, seed 1",
        "metrics": [{"value": 0.5, "low": 0.4, "high": 0.6, "n": 106}],
    }
    (tmp_path / "scratch-identity").mkdir()
    (tmp_path / "scratch-identity/start.json").write_text(json.dumps(facts), "utf-8")
    results_path(plan, tmp_path).write_text(json.dumps({"scratch": before, "scratch + identity": after}), "utf-8")
    page = "\n".join(identity_page(plan, tmp_path, 28385, "Measured."))
    assert "2 epochs at 48 px of 2,015 FER+ faces; accuracy by plurality on FER+ valid, whole crops." in page
    assert "| scratch | net | 312 | 106 | 0.500 [0.400, 0.600] |" in page
    assert f"{value:+.3f} [{low:+.3f}, {high:+.3f}]" in page


def test_another_budget_has_other_results() -> None:
    plan = {"starts": {}, "task": {"stages": [{"epochs": 3}]}}
    other = {"starts": {}, "task": {"stages": [{"epochs": 2}]}}
    assert results_path(plan, Path("work")) != results_path(other, Path("work"))
    assert results_path(plan, Path("work")).parent == Path("work")

# SPDX-License-Identifier: Apache-2.0
"""Rows, claims and page of the benchmark of starts."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from benchmarks.claims.verdicts import KeptResults
from benchmarks.training.ablation import load_plan
from benchmarks.training.face_starts import COLUMNS, PLAN, key, load_claims, metrics, run, starts_page, values
from mien.core import EXPRESSIONS, ConfigError
from mien.training import ComputeSettings

VALID = {"neutral": 1263, "disgust": 32, "fear": 71, "contempt": 26}


def test_each_row_is_a_recipe_with_one_difference_and_claims_are_about_rows() -> None:
    plan = load_plan(PLAN)
    names = {row.name for row in plan.rows}
    recipes = {row.name: plan.recipe(row, 1, Path()) for row in plan.rows}
    assert len({key(recipes[name], "row", 1) for name in names}) == len(names)
    assert {claim.higher for claim in load_claims()} | {claim.lower for claim in load_claims()} == names
    assert {claim.metric for claim in load_claims()} <= set(COLUMNS)
    assert (recipes["whole"].model.given, recipes["base"].model.given) == ("whole", "aligned")
    assert {source.split for recipe in recipes.values() for source in recipe.data.sources} == {"train"}
    assert {recipe.model.start for recipe in recipes.values()} == {"faceres", "scratch", "imagenet", "sface"}


def test_rare_recall_is_the_mean_over_the_rare_classes() -> None:
    places = [EXPRESSIONS.index(name) for name in ("neutral", "disgust", "fear", "contempt", "contempt")]
    truth = np.eye(len(EXPRESSIONS), dtype=np.float32)[places]
    found = truth.copy()
    found[1] = np.eye(len(EXPRESSIONS))[0]  # disgust as neutral
    found[4] = np.eye(len(EXPRESSIONS))[0]  # one of two contempts
    figures = metrics(found, truth)
    assert figures["accuracy"] == pytest.approx(3 / 5)
    assert figures["rare recall"] == pytest.approx((0 + 1 + 0.5) / 3)


def test_finished_trainings_are_not_run_again_and_the_page_has_their_verdicts(tmp_path: Path) -> None:
    plan = load_plan(PLAN)
    kept = KeptResults(tmp_path / "results.json")
    for row in plan.rows:
        gain = {"scratch": -0.3, "whole": 0.02}.get(row.name, 0.0)
        for seed in row.seeds:
            figures = dict.fromkeys(COLUMNS, 0.6 + gain + 0.002 * seed * (row.name != "votes"))
            kept.get(key(plan.recipe(row, seed, tmp_path), row.name, seed), figures.copy)
    results = run(plan, Path("nowhere"), tmp_path, ComputeSettings())
    with pytest.raises(ConfigError, match="no rows \\['other'\\]; known are \\['base'"):
        run(plan, Path("nowhere"), tmp_path, ComputeSettings(), ["other"])
    found = values(plan, results, tmp_path)
    lines = starts_page(plan, load_claims(), found, 28385, VALID)
    assert "Each row is trained for 2 epochs at 48 px of 3,974 FER+ faces. That is short:" in lines
    assert "disgust (32), fear (71), contempt (26)." in lines
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in lines if line.startswith("|")}
    assert rows["random start weights"].startswith("| random start weights | 3 | 0.304 (0.002) |")
    assert rows["a face-recognition start reads more faces rightly than a random one"].endswith("| supported |")
    assert rows["aligned crops are read more rightly than whole ones"].endswith("| not supported |")
    del found["votes"][1], found["votes"][2]
    text = "\n".join(starts_page(plan, load_claims(), found, 28385, VALID))
    assert "beside the votes read more faces rightly than the votes alone | accuracy | 1 | - | not run |" in text

# SPDX-License-Identifier: Apache-2.0
"""The ablation's rows are recipes, each differs from the first, and what is done is not done again."""

import dataclasses
from pathlib import Path

import pytest

from benchmarks.training import ablation
from benchmarks.training.bundle_metrics import COLUMNS
from mien.core import ConfigError, MetricValue, ModelSpec
from mien.inference import load_spec
from mien.training import Recipe
from mien.training.export.bundle_files import write_bundle
from mien.training.recipes.target_settings import CoAnnotationSettings


def test_every_row_is_a_recipe_of_its_own() -> None:
    plan = ablation.load_plan()
    recipes = {row.name: plan.recipe(row, 1, Path()) for row in plan.rows}
    plain = {name: dataclasses.replace(recipe, name="") for name, recipe in recipes.items()}
    assert len({repr(recipe) for recipe in plain.values()}) == len(plan.rows)
    assert recipes["scratch"].model.start == "scratch"
    assert recipes["base"].model.input_px == 64
    assert recipes["48-px"].model.input_px == 48
    assert recipes["plurality"].losses["expression"].name == "top_cross_entropy"
    assert "action_units" not in recipes["no-action-units"].tasks
    named = {
        row: [[target.name for target in stage.targets] for stage in recipe.stages] for row, recipe in recipes.items()
    }
    assert named["base"] == [["auxiliary_rows"], ["auxiliary_rows", "pseudo_labels"]]
    assert named["no-distillation"] == [["auxiliary_rows"], ["auxiliary_rows"]]
    assert named["only-voted"] == [[], []]
    assert recipes["co-annotation"].targets == (CoAnnotationSettings(soft=True),)
    assert recipes["base"].targets == ()
    budgets = {sum(stage.epochs for stage in recipe.stages) for recipe in recipes.values()}
    assert len(budgets) == 1  # one budget for all


def test_a_wrong_row_is_refused() -> None:
    plan = ablation.load_plan()
    for change, drop in (({"model.strat": "scratch"}, ()), ({"seed.x": 1}, ()), ({}, ("heads.gaze",))):
        row = ablation.Row(name="wrong", title="", change=change, drop=drop, seeds=(1,))
        with pytest.raises(ConfigError, match=r"wrong|strat"):
            plan.recipe(row, 1, Path())


def test_rows_that_are_done_stay_and_the_page_grows(tmp_path: Path) -> None:
    plan, trained = ablation.load_plan(), []
    learnt: dict[str, str] = {}

    def pretrain(recipe: Recipe, _data: Path, work: Path) -> None:
        learnt[str(work / "checkpoint.pt")] = recipe.name

    def train(recipe: Recipe, _data: Path, out: Path, _work: Path) -> None:
        first = learnt.get(recipe.model.start)
        trained.append(f"{recipe.name} after {first}" if first else recipe.name)
        if recipe.name.endswith("plurality"):
            raise KeyboardInterrupt
        spec = load_spec()
        write_bundle(out, b"", dataclasses.replace(spec, name=recipe.name, provenance=f"seed {recipe.seed}"))

    page = tmp_path / "page.md"
    with pytest.raises(KeyboardInterrupt):
        ablation.run(plan, tmp_path, tmp_path / "work", page, train, pretrain)
    assert [name.removeprefix("mien-light-") for name in trained] == [
        *["base"] * 3,
        "scratch",
        *["fairface-traits after fairface-traits"] * 2,
        "units-first after units-first",
        *["48-px"] * 2,
        *["80-px"] * 2,
        "plurality",
    ]
    assert "the recipe under this budget | 1 | 0." in page.read_text("utf-8")
    assert "plurality labels" not in page.read_text("utf-8")
    trained.clear()
    ablation.run(plan, tmp_path, tmp_path / "work", page, train, pretrain, ["base", "co-annotation"])
    assert trained == ["mien-light-co-annotation"]  # base was there
    text = page.read_text("utf-8")
    assert "random start weights" in text  # an earlier row stays on the page
    assert "n = 3555" in text
    with pytest.raises(ConfigError, match="no rows"):
        ablation.run(plan, tmp_path, tmp_path / "work", page, train, pretrain, ["bas"])


def test_what_chance_explains_is_not_named() -> None:
    def bundle(accuracy: float, happy: float) -> ModelSpec:
        figures = [
            MetricValue(name=name, data=data, value=value, low=value - 0.02, high=value + 0.02, n=100, command="")
            for (name, data), value in zip((COLUMNS["accuracy"], COLUMNS["happy"]), (accuracy, happy), strict=True)
        ]
        return dataclasses.replace(load_spec(), metrics=tuple(figures))

    base = {1: bundle(0.70, 0.80), 2: bundle(0.74, 0.80)}
    assert ablation.changes(base, {1: bundle(0.77, 0.81)}) == {"accuracy": pytest.approx(0.05)}
    assert not ablation.changes(base, {1: bundle(0.73, 0.79)})  # outside the interval, inside the range of seeds
    assert not ablation.changes(base, {1: bundle(0.77, 0.80), 2: bundle(0.73, 0.80)})  # one seed does not follow
    assert ablation.changes(base, {1: bundle(0.66, 0.70)}) == pytest.approx({"accuracy": -0.06, "happy": -0.1})
    assert not ablation.changes(base, {1: dataclasses.replace(load_spec(), metrics=())})


def test_other_settings_are_trained_again(tmp_path: Path) -> None:
    plan = ablation.load_plan()
    recipe = plan.recipe(plan.rows[0], 1, tmp_path)
    (tmp_path / "recipe.sha256").write_text(ablation.digest(recipe), "utf-8")
    assert ablation.is_done(tmp_path, recipe)
    assert ablation.is_done(tmp_path, dataclasses.replace(recipe, limitations=("said beside",)))
    assert not ablation.is_done(tmp_path, dataclasses.replace(recipe, seed=2))

# SPDX-License-Identifier: Apache-2.0
"""Recipes are read as typed settings; every slip in a file is named with its place."""

import dataclasses
from pathlib import Path

import pytest

from mien.core import ConfigError, read_typed
from mien.training import Recipe, list_recipes, load_recipe
from mien.training.recipes.target_settings import (
    AuxiliaryRowsSettings,
    CoAnnotationSettings,
    SelfDistillationSettings,
)

HEAD = """
[data]
sources = [{ name = "open-ferplus" }]
[heads.expression]
[losses.expression]
name = "soft_cross_entropy"
"""
STAGE = "[[stages]]\nepochs = 1\npeak_lr = 1e-3\n"


@pytest.mark.parametrize("name", list_recipes())
def test_every_recipe_reads(name: str) -> None:
    assert load_recipe(name).name == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "x"\n' + HEAD, r"\['stages'\] are missing"),
        ('name = "x"\nspeed = 3\n' + HEAD + STAGE, r"unknown keys \['speed'\]"),
        ('name = "x"\nseed = "one"\n' + HEAD + STAGE, "seed must be int"),
        ('name = "x"\nseed = true\n' + HEAD + STAGE, "seed must be int"),
        ('name = "x"\n[model]\ninput_px = 3.5\n' + HEAD + STAGE, "model: input_px must be int"),
        ('name = "x"\n[model]\ncolour = "cmyk"\n' + HEAD + STAGE, "model: colour must be one of"),
        ('name = "x"\n[model]\nmean = [1, 2]\n' + HEAD + STAGE, "mean and std"),
        ('name = "x"\n[model]\noptions = { a = [1] }\n' + HEAD + STAGE, "options: a must be one of"),
        ('name = "x"\n' + HEAD + "[[stages]]\nepochs = 1\n", r"stages\[0\]: keys \['peak_lr'\]"),
        ('name = "x"\n' + HEAD + STAGE + 'tasks = ["gaze"]\n', "stage 1 trains"),
        ('name = "x"\n' + HEAD + STAGE + 'keep = "best"\n', r"needs \[\[data.valid\]\]"),
        ('name = "x"\n' + HEAD + STAGE + 'schedule = "steps"\n', "schedule must be one of"),
        ('name = "x"\n' + HEAD + STAGE + "final_share = 2.0\n", "final_share"),
        ('name = "x"\nema_decay = 1.0\n' + HEAD + STAGE, "ema_decay must be in"),
        (
            'name = "x"\n' + HEAD + STAGE + 'targets = [{ name = "gift" }]\n',
            r"targets\[0\]: name must be one of .*'teacher'",
        ),
        ('name = "x"\n' + HEAD + STAGE + 'targets = [{ name = "teacher" }]\n', r"\['path'\] are missing"),
        (
            'name = "x"\n' + HEAD + STAGE + 'targets = [{ name = "pseudo_labels", label_weight = 1.5 }]\n',
            "label_weight",
        ),
        (
            'name = "x"\n' + HEAD.replace("expression", "pose") + STAGE,
            r"heads \['pose'\] need \[model\] crop = 'loose'",
        ),
        ('name = "x"\n[augmentation]\nno_face = 0.1\n' + HEAD + STAGE, "no_face and squeeze need"),
        ('name = "x"\n[model]\ncrop = "loose"\ncolour = "rgb"\n' + HEAD + STAGE, "needs colour = 'gray'"),
        (
            'name = "x"\n[model]\nbackbone = "ddamfn"\n' + HEAD + STAGE + "size_px = 64\n",
            r"input_px is 112.*have \[64\]",
        ),
        ('name = "x"\n[model]\nbackbone = "ddamfn"\noptions = { size_px = 48 }\n' + HEAD + STAGE, r"have \[48\]"),
        ('name = "x"\n[heads.gaze]\n' + HEAD + STAGE, "must be of the same tasks"),
        ("name = \n", "Invalid value"),
        (HEAD + STAGE, r"\['name'\] are missing"),
    ],
)
def test_slips_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_recipe(path)


def test_a_whole_number_is_a_number(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('name = "x"\nclass_balance = 1\n' + HEAD + STAGE)
    assert load_recipe(path).class_balance == 1.0


def test_a_stage_may_have_its_own_optimizer(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('name = "x"\n' + HEAD + STAGE + '[stages.optimizer]\nname = "sgd"\n')
    recipe = load_recipe(path)
    assert recipe.stages[0].optimizer is not None
    assert recipe.stages[0].optimizer.name == "sgd"


def test_a_refit_has_the_published_epochs(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('name = "x"\n' + HEAD + STAGE + "refit_epochs = 8\n")
    assert load_recipe(path).refit().stages[0].epochs == 8


def test_an_unknown_recipe_lists_those_here() -> None:
    with pytest.raises(ConfigError, match="mien-light"):
        load_recipe("no-such-recipe")


def test_targets_of_the_stage_come_before_those_of_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    stage = STAGE + 'targets = [{ name = "auxiliary_rows", n = 5 }, { name = "self_distillation", weight = 0.3 }]\n'
    path.write_text('name = "x"\ntargets = [{ name = "co_annotation", soft = true }]\n' + HEAD + stage)
    recipe = load_recipe(path)
    assert recipe.stage_targets(0) == (
        AuxiliaryRowsSettings(n=5),
        SelfDistillationSettings(weight=0.3),
        CoAnnotationSettings(soft=True),
    )
    assert read_typed(Recipe, dataclasses.asdict(recipe), "again") == recipe  # as in a checkpoint


def test_keys_can_have_other_values_and_the_card_says_so() -> None:
    recipe = load_recipe("mien-units", {"stages.*.epochs": 1, "data.sources.0.epoch_share": 0.5, "stages.1.batch": 8})
    usual = load_recipe("mien-units")
    assert [(stage.epochs, stage.batch) for stage in recipe.stages] == [(1, 96), (1, 8)]
    assert (recipe.data.sources[0].epoch_share, recipe.data.sources[1]) == (0.5, usual.data.sources[1])
    assert recipe.limitations[:-1] == usual.limitations
    assert recipe.limitations[-1] == (
        "Trained with stages.*.epochs = 1, data.sources.0.epoch_share = 0.5, stages.1.batch = 8 "
        "in place of the recipe's."
    )
    assert load_recipe("mien-units", {}) == usual


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("stages.*.epoch", r"unknown keys \['epoch'\]"),
        ("stages.9.epochs", "stages.9.epochs: the path leads to no table"),
        ("name.*.epochs", "the path leads to no table"),
        ("seed.x", "the path leads to no table"),
        ("stages.epochs", "the path leads to no table"),
        ("", "mien-light"),
    ],
)
def test_a_wrong_path_is_named(path: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_recipe("mien-light", {path: 1})

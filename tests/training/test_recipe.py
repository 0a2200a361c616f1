# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from mien.core import ConfigError
from mien.training import list_recipes, load_recipe

HEAD = """
[data]
sources = [{ name = "open-faces" }]
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

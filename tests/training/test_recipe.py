# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from mien.core import ConfigError
from mien.training import list_recipes, load_recipe

STAGE = "[[stages]]\nepochs = 1\nsize_px = 32\npeak_lr = 1e-3\n"


@pytest.mark.parametrize("name", list_recipes())
def test_every_recipe_reads(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.stages[-1].size_px == recipe.model.input_px


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "x"\n', "at least one"),
        ('name = "x"\nspeed = 3\n' + STAGE, r"unknown keys \['speed'\]"),
        ('name = "x"\nseed = "one"\n' + STAGE, "seed must be int"),
        ('name = "x"\nseed = true\n' + STAGE, "seed must be int"),
        ('name = "x"\n[model]\ninput_px = 3.5\n' + STAGE, "input_px must be int"),
        ('name = "x"\n[[stages]]\nepochs = 1\n', "size_px"),
        ("name = \n", "Invalid value"),
        (STAGE, "name"),
    ],
)
def test_slips_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_recipe(path)


def test_a_whole_number_is_a_number(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('name = "x"\nbalance = 1\n' + STAGE)
    assert load_recipe(path).balance == 1.0


def test_an_unknown_recipe_lists_those_here() -> None:
    with pytest.raises(ConfigError, match="mien-light"):
        load_recipe("no-such-recipe")

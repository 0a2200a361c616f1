# SPDX-License-Identifier: Apache-2.0
"""Geometry recipes are read as typed settings; every slip is named."""

import os
from pathlib import Path

import pytest

from mien.core import ConfigError
from mien.training import list_geometry_recipes, list_recipes, load_geometry_recipe, load_recipe
from mien.training.recipes.geometry_recipe import is_geometry_recipe

DATA = '[data]\nsources = [{ name = "morphset" }]\n'


@pytest.mark.parametrize("name", list_geometry_recipes())
def test_every_recipe_reads(name: str) -> None:
    recipe = load_geometry_recipe(name)
    assert recipe.name == name
    assert name not in list_recipes()
    assert recipe.refit().data.valid == ()
    assert len(recipe.refit().data.sources) == len(recipe.data.sources) + len(recipe.data.valid)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "x"\n' + DATA + "[geometry]\ncomponents = 0\n", "components must be from 1 to 200, got 0"),
        ('name = "x"\n' + DATA + '[geometry]\npoints = "eyes"\n', "points must be one of"),
        ('name = "x"\n' + DATA + "[geometry]\nspeed = 3\n", r"unknown keys \['speed'\]"),
        ('name = "x"\n' + DATA + "calibration_rows = 5\n[geometry]\n", "nothing to calibrate"),
        ('name = "x"\nseed = -1\n' + DATA + "[geometry]\n", "seed must be from 0"),
        (DATA + "[geometry]\n", r"\['name'\] are missing"),
    ],
)
def test_slips_are_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    assert is_geometry_recipe(path)
    with pytest.raises(ConfigError, match=message):
        load_geometry_recipe(path)


def test_unknown_names_list_both_kinds(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mien-light.*pls-geometry"):
        load_recipe("pls-geometri")
    with pytest.raises(ConfigError, match="pls-morphset"):
        load_geometry_recipe("mien-light")
    broken = tmp_path / "recipe.toml"
    broken.write_text("name = \n[geometry]")
    assert not is_geometry_recipe(broken)
    with pytest.raises(ConfigError, match="Invalid value"):
        load_geometry_recipe(broken)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_no_recipe_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "recipe.toml")
    assert not is_geometry_recipe(tmp_path / "recipe.toml")
    for load in (load_recipe, load_geometry_recipe):
        with pytest.raises(ConfigError, match=r"recipe\.toml"):
            load(tmp_path / "recipe.toml")

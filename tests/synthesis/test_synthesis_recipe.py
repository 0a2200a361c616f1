# SPDX-License-Identifier: Apache-2.0
"""Recipes are read strictly."""

from pathlib import Path

import pytest

from mien.core import ConfigError
from mien.synthesis import SynthesisRecipe, list_synthesis_recipes, load_synthesis_recipe


@pytest.mark.parametrize("name", list_synthesis_recipes())
def test_shipped_recipes_are_read(name: str) -> None:
    recipe = load_synthesis_recipe(name)
    assert recipe.name == name
    assert recipe.description


def test_a_file_overrides_what_it_names_alone(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\nsize_px = 64\n[pose]\nmax_yaw_deg = 45\n')
    recipe = load_synthesis_recipe(path)
    assert (recipe.size_px, recipe.pose.max_yaw_deg) == (64, 45.0)
    assert recipe.expressions == SynthesisRecipe(name="x").expressions


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('name = "a"\nsizepx = 64\n', "unknown keys"),
        ('name = "a"\nsize_px = "64"\n', "size_px must be int"),
        ('name = "a"\nsize_px = 16\n', "size_px must be in"),
        ("size_px = 64\n", "missing"),
        ('name = "a"\n[expressions]\nneutral = 0.9\n', "sum to 1"),
        ('name = "a"\n[pose]\nmax_yaw_deg = 120\n', "max_yaw_deg"),
        ('name = "a"\n[degradation]\njpeg_quality = [95, 60]\n', "ascending"),
        ('name = "a"\n[clips]\nexpressions = 1\n', "at least 2 expressions"),
        ('name = "a"\nvalid_share = 0.7\ntest_share = 0.7\n', "leave some"),
        ("name = \n", "no valid TOML"),
    ],
)
def test_a_wrong_recipe_is_an_error_that_names_file_and_key(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=message) as caught:
        load_synthesis_recipe(path)
    assert "wrong.toml" in str(caught.value)


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="units"):
        load_synthesis_recipe("no-such-recipe")

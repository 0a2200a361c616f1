# SPDX-License-Identifier: Apache-2.0
"""Recipes of geometry bundles: landmark distances and partial least squares, without stages or networks."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path

from mien.core import (
    MAX_SEED,
    ConfigError,
    PointChoice,
    check_choices,
    check_number,
    is_regular_file,
    read_regular,
    read_typed,
)
from mien.training.recipes.settings import DataSettings, PublishedSettings

_MAX_COMPONENTS = 200
_MAX_TURNS = 100


@dataclass(frozen=True, kw_only=True)
class GeometrySettings:
    """``[geometry]``: from landmarks to distances, and the regression on them.

    Attributes:
        points: Landmarks whose pairwise distances are used: ``"inner"`` (51 without the jaw), ``"all"`` (68) or
            ``"published"`` (the first 51, the slip of a public implementation).
        components: Number of components of the partial least squares regression.
        frontal: Map that turns shapes to the front: ``"learned"`` from the head poses of the training faces,
            ``"none"``, or the name or folder of a geometry bundle whose map is used.
        turns: Number of random turns of each frontal face that the map is learned from.
    """

    points: PointChoice = "inner"
    components: int = 31
    frontal: str = "learned"
    turns: int = 3

    def __post_init__(self) -> None:
        check_choices(self)
        check_number("components", self.components, 1, _MAX_COMPONENTS)
        check_number("turns", self.turns, 1, _MAX_TURNS)


@dataclass(frozen=True, kw_only=True)
class GeometryRecipe:
    """A geometry bundle. The tables of the TOML file are its attributes.

    Attributes:
        name: Name of the recipe.
        data: Sets of landmarks to fit on; those under ``[[data.valid]]`` are evaluated on, and fit nothing.
        geometry: Distances and regression.
        bundle: Name of the bundle; empty for the recipe's.
        seed: Seed of the turns.
        limitations: What the card must say about this recipe, in sentences.
        published: Metrics of the publication that this recipe follows, none of them measured by mien.
    """

    name: str
    data: DataSettings
    geometry: GeometrySettings = field(default_factory=GeometrySettings)
    bundle: str = ""
    seed: int = 1
    limitations: tuple[str, ...] = ()
    published: tuple[PublishedSettings, ...] = ()

    def __post_init__(self) -> None:
        check_number("seed", self.seed, 0, MAX_SEED)
        if self.data.calibration_rows:
            raise ConfigError("a regression on distances has nothing to calibrate; leave calibration_rows out")

    def refit(self) -> GeometryRecipe:
        """The recipe that fits on training and validation sets; nothing is left to evaluate on."""
        return replace(self, data=replace(self.data, sources=self.data.sources + self.data.valid, valid=()))


def list_geometry_recipes() -> list[str]:
    """Names of the geometry recipes that come with mien.

    Examples:
        >>> list_geometry_recipes()
        ['pls-geometry', 'pls-morphset']
    """
    folder = resources.files("mien.training") / "recipes" / "geometry"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def is_geometry_recipe(name_or_path: str | Path) -> bool:
    """Whether a recipe, by name or file, has a table ``[geometry]``.

    Examples:
        >>> is_geometry_recipe("pls-geometry"), is_geometry_recipe("mien-light")
        (True, False)
    """
    if str(name_or_path) in list_geometry_recipes():
        return True
    try:
        return "geometry" in tomllib.loads(read_regular(name_or_path).decode("utf-8"))
    except (OSError, ValueError):
        return False  # `mien.training.load_recipe` says what is wrong with it


def load_geometry_recipe(name_or_path: str | Path) -> GeometryRecipe:
    """Read a geometry recipe by name or from a TOML file.

    Raises:
        ConfigError: There is no such recipe, or it has an unknown, missing or wrongly typed key.

    Examples:
        >>> load_geometry_recipe("pls-geometry").geometry.components
        31
    """
    path = Path(name_or_path)
    if str(name_or_path) in list_geometry_recipes():
        content = (resources.files("mien.training") / "recipes" / "geometry" / f"{name_or_path}.toml").read_bytes()
    elif is_regular_file(path):
        content = read_regular(path)
    else:
        raise ConfigError(f"{path}: no such recipe file, nor one of {list_geometry_recipes()}")
    try:
        tables = tomllib.loads(content.decode("utf-8"))
    except ValueError as error:  # no UTF-8, or no TOML
        raise ConfigError(f"{name_or_path}: {error}") from error
    return read_typed(GeometryRecipe, tables, str(name_or_path))

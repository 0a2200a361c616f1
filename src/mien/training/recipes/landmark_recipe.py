# SPDX-License-Identifier: Apache-2.0
"""Recipes of landmark nets, read from TOML files with ``kind = "points"``. Unknown keys are errors."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from mien.core import ConfigError, read_typed

KIND = "points"
"""What the key ``kind`` of such a file says; other recipes have no such key."""

_STRIDE = 16  # of the network, from the crop to its last map


@dataclass(frozen=True, kw_only=True)
class TermWeights:
    """``[weights]``: what each part of the loss counts.

    Attributes:
        points: of the distance of points, in eye distances.
        pose: of the angles, in radians.
        eyes: of the cross-entropy of both eyes.
        face: of the cross-entropy of face against no face.
    """

    points: float = 10.0
    pose: float = 3.0
    eyes: float = 0.5
    face: float = 0.3


@dataclass(frozen=True, kw_only=True)
class PointsRecipe:
    """A training of a landmark net.

    Attributes:
        name: of the recipe and of the bundle.
        epochs: through all faces.
        peak_lr: highest learning rate of AdamW; it rises linearly and falls along half a cosine to 0.005 of it.
        kind: always ``"points"``.
        seed: of everything random.
        input_px: side of the loose crops, a multiple of 16.
        batch: crops a step.
        warmup: share of the steps in which the learning rate rises.
        weight_decay: of kernels and matrices.
        clip_norm: largest norm of the gradient.
        ema_decay: of the averaged weights that are kept.
        no_face: share of crops that show no face.
        small_share: share of the FER+ faces that an epoch shows; at 48 px they say less about where exactly a point is.
        weights: of the parts of the loss.
    """

    name: str
    epochs: int
    peak_lr: float
    kind: str = KIND
    seed: int = 1
    input_px: int = 64
    batch: int = 128
    warmup: float = 0.05
    weight_decay: float = 0.01
    clip_norm: float = 5.0
    ema_decay: float = 0.998
    no_face: float = 0.12
    small_share: float = 1.0
    weights: TermWeights = field(default_factory=TermWeights)

    def __post_init__(self) -> None:
        if self.kind != KIND:
            raise ConfigError(f"kind must be {KIND!r}, got {self.kind!r}")
        if self.epochs < 1 or self.batch < 2:
            raise ConfigError(f"epochs must be at least 1 and batch at least 2, got {self.epochs} and {self.batch}")
        if self.input_px < 2 * _STRIDE or self.input_px % _STRIDE:
            raise ConfigError(f"input_px must be a multiple of {_STRIDE} from {2 * _STRIDE} on, got {self.input_px}")
        if not 0 <= self.small_share <= 1:
            raise ConfigError(f"small_share must be in 0..1, got {self.small_share}")
        if not 0 <= self.no_face < 1 or not 0 < self.warmup < 1 or not 0 < self.ema_decay < 1:
            raise ConfigError("no_face, warmup and ema_decay are shares below 1, the last two above 0")


def list_points_recipes() -> list[str]:
    """Names of the recipes of landmark nets that come with mien."""
    folder = resources.files("mien.training.recipes") / "landmarks"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def is_points_recipe(name_or_path: str | Path) -> bool:
    """Whether this is the name of such a recipe, or a TOML file that says so; a file that cannot be read is none."""
    if str(name_or_path) in list_points_recipes():
        return True
    try:
        return tomllib.loads(Path(name_or_path).read_text(encoding="utf-8")).get("kind") == KIND
    except (OSError, ValueError):
        return False


def load_points_recipe(name_or_path: str | Path) -> PointsRecipe:
    """Read a recipe by name or from a TOML file.

    Raises:
        ConfigError: there is no such recipe, or it has an unknown, missing or wrongly typed key.
    """
    bundled = resources.files("mien.training.recipes") / "landmarks" / f"{name_or_path}.toml"
    source = bundled if str(name_or_path) in list_points_recipes() else Path(name_or_path)
    try:
        tables = tomllib.loads(source.read_bytes().decode("utf-8"))
    except OSError as error:
        raise ConfigError(f"{name_or_path}: no such recipe file, nor one of {list_points_recipes()}") from error
    except ValueError as error:  # no UTF-8, or no TOML
        raise ConfigError(f"{name_or_path}: {error}") from error
    return read_typed(PointsRecipe, tables, str(name_or_path))

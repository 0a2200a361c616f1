# SPDX-License-Identifier: Apache-2.0
"""Recipes: typed settings of a training, read from TOML. Unknown keys are errors."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from mien.core import ConfigError

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class ModelSettings:
    """The network.

    Attributes:
        backbone: timm model name.
        input_px: side of the input of the exported bundle.
        drop_rate: dropout before the heads.
        drop_path_rate: stochastic depth of the backbone.
        start: ``"imagenet"`` or ``"scratch"``.
    """

    backbone: str = "efficientnet_lite0"
    input_px: int = 112
    drop_rate: float = 0.2
    drop_path_rate: float = 0.05
    start: str = "imagenet"


@dataclass(frozen=True)
class Stage:
    """Some epochs at one resolution with one learning-rate hill.

    Attributes:
        epochs: passes over the sampled rows.
        size_px: side of the crops.
        peak_lr: highest learning rate (AdamW), reached after ``warmup`` of the steps, then a cosine down.
        batch: faces a step.
        warmup: share of the steps that warm up.
        other_rows: rows an epoch from sets without votes (fairface, lfw).
        named_rows: rows an epoch from those of them whose one, noisy label is used (lfw).
        distill: whether the other sets get the expression and affect that the weights so far see in their own
            gray 48-px copies.
        self_teaching: share of the averaged network's own answer in the expression targets of voted faces: ten
            raters are few, and what the network has learnt from all faces smooths their noise.
        mixup: both parameters of the Beta distribution of mixing shares; 0 mixes nothing (Zhang et al., ICLR 2018).
    """

    epochs: int
    size_px: int
    peak_lr: float
    batch: int = 96
    warmup: float = 0.15
    other_rows: int = 0
    named_rows: int = 0
    distill: bool = False
    self_teaching: float = 0.0
    mixup: float = 0.0


@dataclass(frozen=True)
class TaskWeights:
    """What each task's loss counts in the sum."""

    expression: float = 1.0
    valence_arousal: float = 1.0
    action_units: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training besides the data.

    Attributes:
        name: of the recipe and of the bundle.
        stages: run one after the other on the same weights.
        model: the network.
        weights: of the tasks.
        weight_decay: AdamW's, on matrices and kernels only.
        ema_decay: of the averaged weights that are exported.
        balance: rows are drawn with a chance proportional to (frequency of their top expression) ** -balance.
        calibration_rows: training faces set aside for temperature and thresholds.
        seed: of everything random.
    """

    name: str
    stages: tuple[Stage, ...]
    model: ModelSettings = ModelSettings()
    weights: TaskWeights = TaskWeights()
    weight_decay: float = 0.02
    ema_decay: float = 0.998
    balance: float = 0.2
    calibration_rows: int = 1500
    seed: int = 1


def list_recipes() -> list[str]:
    """Names of the recipes that come with mien."""
    folder = resources.files("mien.training") / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Read a recipe by name or from a TOML file.

    Raises:
        ConfigError: there is no such recipe, or it has an unknown, missing or wrongly typed key.
    """
    if str(name_or_path) in list_recipes():
        text = (resources.files("mien.training") / "recipes" / f"{name_or_path}.toml").read_text("utf-8")
    else:
        path = Path(name_or_path)
        if not path.is_file():
            raise ConfigError(f"{path}: no such recipe file, nor one of {list_recipes()}")
        text = path.read_text("utf-8")
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name_or_path}: {error}") from error
    where = str(name_or_path)
    nested: dict[str, Any] = {
        "model": _typed(ModelSettings, content.pop("model", {}), f"{where} [model]"),
        "weights": _typed(TaskWeights, content.pop("weights", {}), f"{where} [weights]"),
        "stages": tuple(_typed(Stage, stage, f"{where} [[stages]]") for stage in content.pop("stages", [])),
    }
    if not nested["stages"]:
        raise ConfigError(f"{where}: at least one [[stages]] is needed")
    return _typed(Recipe, content | nested, where)


def _typed(kind: type[Settings], content: Mapping[str, Any], where: str) -> Settings:
    """An instance of a settings class; its default values say what type a key has."""
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(content) - set(known))
    if unknown:
        raise ConfigError(f"{where}: unknown keys {unknown}; known are {sorted(known)}")
    values: dict[str, Any] = {}
    for key, value in content.items():
        expected = str(known[key].type)
        if expected == "float" and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if expected in ("int", "float", "str", "bool") and type(value).__name__ != expected:
            raise ConfigError(f"{where}: {key} must be {expected}, got {value!r}")
        values[key] = value
    try:
        return kind(**values)
    except TypeError as error:
        raise ConfigError(f"{where}: {error}") from error

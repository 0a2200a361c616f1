# SPDX-License-Identifier: Apache-2.0
"""Recipes: everything that decides a training besides the data, read from TOML. Unknown keys are errors."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path

from mien.affect import Smoothing
from mien.core import ConfigError, read_typed
from mien.training.models.backbones.registry import BACKBONES
from mien.training.recipes.settings import (
    AugmentationSettings,
    CalibrationSettings,
    CouplingSettings,
    DataSettings,
    HeadSettings,
    LossSettings,
    ModelSettings,
    OptimizerSettings,
    PublishedSettings,
    StageSettings,
    TeacherSettings,
)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training. The tables of the TOML file are its attributes.

    Attributes:
        name: of the recipe and of the bundle.
        data: what is learnt from.
        heads: task -> head; their order is the order of the outputs.
        losses: task -> loss, for every head.
        stages: run one after the other on the same weights.
        model: input and backbone.
        optimizer: of every stage that has none of its own.
        augmentation: of the crops.
        coupling: of expressions and action units.
        teachers: whose answers become targets.
        calibration: after training.
        task_balance: ``"fixed"`` takes the losses' weights as they are, ``"rows"`` multiplies each by
            (rows of the task with most labels) / (rows of this task).
        class_balance: rows are drawn with a chance proportional to (frequency of their top expression) **
            -class_balance; 0 shows every row once an epoch.
        ema_decay: of the averaged weights that are kept; 0 keeps the weights themselves.
        seed: of everything random.
        limitations: what the card must say of how this recipe came about, in sentences.
        smoothing: of a video's answers, such as ``"expr=50,va=50"``; the bundle keeps it for ``smooth="bundle"``.
        published: figures of the source that this recipe follows, none of them measured by mien.
    """

    name: str
    data: DataSettings
    heads: Mapping[str, HeadSettings]
    losses: Mapping[str, LossSettings]
    stages: tuple[StageSettings, ...]
    model: ModelSettings = field(default_factory=ModelSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)
    coupling: CouplingSettings = field(default_factory=CouplingSettings)
    teachers: tuple[TeacherSettings, ...] = ()
    calibration: CalibrationSettings = field(default_factory=CalibrationSettings)
    task_balance: str = "fixed"
    class_balance: float = 0.0
    ema_decay: float = 0.0
    seed: int = 1
    limitations: tuple[str, ...] = ()
    smoothing: str = ""
    published: tuple[PublishedSettings, ...] = ()

    def __post_init__(self) -> None:
        if not self.stages or not self.heads:
            raise ConfigError("at least one [[stages]] and one [heads.TASK] are needed")
        if set(self.heads) != set(self.losses):
            raise ConfigError(f"heads {sorted(self.heads)} and losses {sorted(self.losses)} must be of the same tasks")
        if self.task_balance not in ("fixed", "rows"):
            raise ConfigError(f"task_balance must be 'fixed' or 'rows', got {self.task_balance!r}")
        Smoothing.of(self.smoothing or None)  # refused now and not after the training
        for number, stage in enumerate(self.stages, start=1):
            strange = sorted(set(stage.tasks) - set(self.heads))
            if strange:
                raise ConfigError(f"stage {number} trains {strange}, which have no head")
            if stage.is_validated and not self.data.valid:
                raise ConfigError(
                    f"stage {number} watches {stage.best_by!r} of every epoch, which needs [[data.valid]]"
                )
        self._check_sizes()

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks in the order of the outputs."""
        return tuple(self.heads)

    def _check_sizes(self) -> None:
        """A backbone that is built for one size of crops sees no other."""
        name, size_px = self.model.backbone, self.model.input_px
        if name not in BACKBONES or not BACKBONES[name].sized:
            return
        others = {stage.size_px or size_px for stage in self.stages} | {self.model.options.get("size_px", size_px)}
        if others != {size_px}:
            raise ConfigError(
                f"backbone {name} is built for crops of one size: input_px is {size_px}, but the stages and options "
                f"have {sorted(others - {size_px}, key=str)}"
            )

    def refit(self) -> Recipe:
        """The recipe that learns from training and validation sets for the published number of epochs.

        Nothing is left to select on, so every stage keeps its last epoch, and one that would wait for a plateau keeps
        its learning rate.
        """
        stages = tuple(
            replace(
                stage,
                epochs=stage.refit_epochs or stage.epochs,
                keep="last",
                schedule="constant" if stage.schedule == "plateau" else stage.schedule,
            )
            for stage in self.stages
        )
        data = replace(self.data, sources=self.data.sources + self.data.valid, valid=())
        return replace(self, data=data, stages=stages)


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
        content = (resources.files("mien.training") / "recipes" / f"{name_or_path}.toml").read_bytes()
    else:
        path = Path(name_or_path)
        if not path.is_file():
            raise ConfigError(f"{path}: no such recipe file, nor one of {list_recipes()}")
        content = path.read_bytes()
    try:
        tables = tomllib.loads(content.decode("utf-8"))
    except ValueError as error:  # no UTF-8, or no TOML
        raise ConfigError(f"{name_or_path}: {error}") from error
    return read_typed(Recipe, tables, str(name_or_path))

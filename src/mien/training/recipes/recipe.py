# SPDX-License-Identifier: Apache-2.0
"""Recipes: everything that decides a training besides the data, read from TOML. Unknown keys are errors."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from mien.affect import Smoothing
from mien.core import (
    MAX_SEED,
    ConfigError,
    check_blend,
    check_choices,
    check_number,
    is_regular_file,
    read_regular,
    read_typed,
)
from mien.training.models.backbones.registry import BACKBONES
from mien.training.recipes.geometry_recipe import list_geometry_recipes
from mien.training.recipes.schedule_settings import OptimizerSettings, StageSettings
from mien.training.recipes.settings import (
    AugmentationSettings,
    CalibrationSettings,
    CouplingSettings,
    DataSettings,
    HeadSettings,
    LossSettings,
    ModelSettings,
    PublishedSettings,
)
from mien.training.recipes.target_settings import TargetSettings

IDENTITY = "identity"
"""Task of a pretext: who of all persons it is. Such a recipe makes start weights and no bundle."""

_PLACED_TASKS = {"landmarks", "pose", "eyes", "face", "face_parts", "joints", "body_parts"}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training. The tables of the TOML file are its attributes.

    Attributes:
        name: Name of the recipe and of the bundle.
        data: Sets to train on, to select on and to calibrate on.
        heads: Task -> head; their order is the order of the outputs.
        losses: Task -> loss, for every head.
        stages: Stages, run one after the other on the same weights.
        model: Input and backbone.
        optimizer: Optimiser of every stage that has none of its own.
        augmentation: Random changes of training pictures.
        coupling: Losses between expressions and action units.
        targets: Target providers of every stage, applied in order after the stage's own.
        calibration: What is fitted after training.
        task_balance: ``"fixed"`` uses the losses' weights unchanged; ``"rows"`` multiplies each by
            (rows of the task with most labels) / (rows of this task).
        class_balance: Exponent b in [0, 1]: rows are drawn with a probability proportional to (frequency of their top
            expression) ** -b; 0 shows every row once an epoch.
        ema_decay: Decay of the averaged weights that are kept; 0 keeps the weights themselves.
        ema_warmup: Whether the average starts with a low decay, (1 + n) / (10 + n) after n steps, so that it soon
            forgets the first weights.
        seed: Seed of everything random.
        limitations: What the card must say about this recipe, in sentences.
        smoothing: Smoothing of a video's predictions, such as ``"expr=50,va=50"``; the bundle keeps it for
            ``smooth="bundle"``.
        blend: Weights of this model in a blend with a second one, by task (``va``, ``expr``, ``au``) or emotion, as
            published; the bundle or head keeps them for ``--weights bundle``.
        published: Metrics of the publication that this recipe follows, none of them measured by mien.
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
    targets: tuple[TargetSettings, ...] = ()
    calibration: CalibrationSettings = field(default_factory=CalibrationSettings)
    task_balance: Literal["fixed", "rows"] = "fixed"
    class_balance: float = 0.0
    ema_decay: float = 0.0
    ema_warmup: bool = False
    seed: int = 1
    limitations: tuple[str, ...] = ()
    smoothing: str = ""
    blend: Mapping[str, float] = field(default_factory=dict)
    published: tuple[PublishedSettings, ...] = ()

    def __post_init__(self) -> None:
        if not self.stages or not self.heads:
            raise ConfigError("at least one [[stages]] and one [heads.TASK] are needed")
        if set(self.heads) != set(self.losses):
            raise ConfigError(f"heads {sorted(self.heads)} and losses {sorted(self.losses)} must be of the same tasks")
        if not self.bundle_tasks:
            raise ConfigError("every head is auxiliary; a bundle needs at least one other")
        check_choices(self)
        check_number("seed", self.seed, 0, MAX_SEED)
        if not 0 <= self.ema_decay < 1:
            raise ConfigError(f"ema_decay must be in [0, 1), got {self.ema_decay}")
        check_blend(self.blend)
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
        self._check_crops()

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks in the order of the outputs."""
        return tuple(self.heads)

    @property
    def bundle_tasks(self) -> tuple[str, ...]:
        """Tasks that the bundle has: all without the auxiliary ones."""
        return tuple(task for task, head in self.heads.items() if not head.auxiliary)

    def stage_targets(self, number: int) -> tuple[TargetSettings, ...]:
        """Target providers of a stage: the stage's own, then those of the recipe."""
        return (*self.stages[number].targets, *self.targets)

    def _check_sizes(self) -> None:
        """A backbone that is built for one size of crops gets no other."""
        name, size_px = self.model.backbone, self.model.input_px
        if name not in BACKBONES or not BACKBONES[name].sized:
            return
        others = {stage.size_px or size_px for stage in self.stages} | {self.model.options.get("size_px", size_px)}
        if others != {size_px}:
            raise ConfigError(
                f"backbone {name} is built for crops of one size: input_px is {size_px}, but the stages and options "
                f"have {sorted(others - {size_px}, key=str)}"
            )

    def _check_crops(self) -> None:
        """Only loose crops know where they cut the picture, which targets with a place need."""
        if self.model.crop == "loose":
            if self.model.colour != "gray":
                raise ConfigError("crop = 'loose' needs colour = 'gray'")
            return
        placed = sorted(_PLACED_TASKS & set(self.heads))
        if placed:
            raise ConfigError(f"heads {placed} need [model] crop = 'loose'")
        if self.augmentation.no_face or self.augmentation.squeeze:
            raise ConfigError("[augmentation] no_face and squeeze need [model] crop = 'loose'")

    def refit(self) -> Recipe:
        """The recipe that trains on training and validation sets for the published number of epochs.

        Nothing is left to select on, so every stage keeps its last epoch, and one that would wait for a plateau keeps
        its learning rate.
        """
        stages = tuple(
            replace(
                stage,
                epochs=stage.refit_epochs or stage.epochs,
                keep="last",
                stop_after=0,
                schedule="constant" if stage.schedule == "plateau" else stage.schedule,
            )
            for stage in self.stages
        )
        data = replace(self.data, sources=self.data.sources + self.data.valid, valid=())
        return replace(self, data=data, stages=stages)


def list_recipes() -> list[str]:
    """Names of the recipes of networks that come with mien; `list_geometry_recipes` lists those of landmarks.

    Examples:
        >>> {"mien-light", "mien-points"} <= set(list_recipes())
        True
    """
    folder = resources.files("mien.training") / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_recipe(name_or_path: str | Path, changes: Mapping[str, object] | None = None) -> Recipe:
    """Read a recipe by name or from a TOML file.

    Args:
        name_or_path: Name or file.
        changes: Path of a key, see `tables_at`, to the value that it has in place of the file's; the card says so.

    Examples:
        >>> load_recipe("mien-light").tasks
        ('expression', 'valence_arousal', 'action_units')
        >>> {stage.epochs for stage in load_recipe("mien-light", {"stages.*.epochs": 1}).stages}
        {1}

    Raises:
        ConfigError: There is no such recipe, or it has an unknown, missing or wrongly typed key.
    """
    if str(name_or_path) in list_recipes():
        content = (resources.files("mien.training") / "recipes" / f"{name_or_path}.toml").read_bytes()
    else:
        path = Path(name_or_path)
        if not is_regular_file(path):
            raise ConfigError(f"{path}: no such recipe file, nor one of {list_recipes() + list_geometry_recipes()}")
        try:
            content = read_regular(path)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        tables = tomllib.loads(content.decode("utf-8"))
    except (RecursionError, ValueError) as error:  # nested too deeply, no UTF-8, or no TOML
        raise ConfigError(f"{name_or_path}: {error}") from error
    for key, value in (changes or {}).items():
        change_key(tables, key, value, str(name_or_path))
    if changes:
        said = ", ".join(f"{key} = {value!r}" for key, value in changes.items())
        tables["limitations"] = [*tables.get("limitations", ()), f"Trained with {said} in place of the recipe's."]
    return read_typed(Recipe, tables, str(name_or_path))


def change_key(tables: dict[str, Any], path: str, value: object, where: str) -> None:
    """Give a key of a recipe's tables another value.

    Args:
        tables: Content of a recipe's TOML file.
        path: Keys with points between them, such as ``"stages.*.epochs"``; the last one is the key, see `tables_at`.
        value: Value.
        where: Beginning of the message of an error.

    Raises:
        ConfigError: The path leads to no table.
    """
    *way, last = path.split(".")
    for table in tables_at(tables, way, f"{where}: {path}"):
        table[last] = value


def tables_at(tables: dict[str, Any], way: Sequence[str], where: str) -> list[dict[str, Any]]:
    """The tables at the end of a path; ``*`` stands for each entry of a list, a number for one. Absent ones appear.

    Raises:
        ConfigError: The path leads to no table.
    """
    found: list[Any] = [tables]
    for step in way:
        if step == "*":
            found = [entry for entries in found if isinstance(entries, list) for entry in entries]
        elif step.isdigit():
            found = [entries[int(step)] for entries in found if isinstance(entries, list) and int(step) < len(entries)]
        else:
            found = [entry.setdefault(step, {}) for entry in found if isinstance(entry, dict)]
    if not found or not all(isinstance(table, dict) for table in found):
        raise ConfigError(f"{where}: the path leads to no table")
    return found

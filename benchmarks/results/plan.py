# SPDX-License-Identifier: Apache-2.0
"""Rows of the table, which come from the recipes, and the one budget under which all of them are trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from mien.core import ConfigError
from mien.training import Recipe, list_recipes, load_recipe
from mien.training.models.backbones.registry import Option
from mien.training.recipes.recipe import IDENTITY
from mien.training.recipes.schedule_settings import OptimizerSettings, StageSettings
from mien.training.recipes.settings import (
    AugmentationSettings,
    DataSettings,
    HeadSettings,
    LossSettings,
    ModelSettings,
    PublishedSettings,
    SourceSettings,
)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Training budget of every row. Heads, losses, optimiser and augmentation are the same for all rows too.

    Attributes:
        images: number of faces shown in training, repetitions counted; rounded so that all epochs are equal.
        size_px: side of the crops. FER+ images have 48 px.
        batch: number of faces per step.
        peak_lr: peak learning rate of AdamW, one cycle.
    """

    images: int = 28_000
    size_px: int = 48
    batch: int = 32
    peak_lr: float = 1e-3

    def __post_init__(self) -> None:
        if self.images < self.batch:
            raise ConfigError(f"a budget of {self.images} images is less than one step of {self.batch}")

    def epochs(self, n_rows: int) -> tuple[int, int]:
        """Number of epochs and of rows per epoch, so that about ``images`` of the available ``n_rows`` are shown."""
        epochs = -(-self.images // n_rows)
        return epochs, self.images // epochs


BUDGET = Budget()
"""Budget of a new table."""

# A pretext, and a detector, whose network has no features of a face: the heads of the table do not fit them.
_OTHER_TASKS = {IDENTITY, "faces"}

# Number of changes of a network's initial weights since rows were trained: such rows are trained again.
_STARTS = {"ddamfn": 1, "tf_efficientnet_b0": 1, "tf_efficientnet_b2": 1}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One network.

    Attributes:
        name: name of the first recipe with this network, or of the variant.
        recipes: all recipes of this network: they differ in heads, losses and data, which the budget equalises.
        recipe: the first of these recipes, as published.
        note: difference to the recipe, for a variant.
        start: ``"scratch"``, or ``"imagenet"`` where the row asks for it.
    """

    name: str
    recipes: tuple[str, ...]
    recipe: Recipe
    note: str = ""
    start: str = "scratch"

    @property
    def published(self) -> tuple[tuple[str, PublishedSettings], ...]:
        """(recipe, published figure) of every recipe of the network; a variant has none."""
        return tuple((name, metric) for name in self.recipes for metric in load_recipe(name).published)


@dataclass(frozen=True, kw_only=True)
class _Variant:
    """A network that differs from a recipe's in one choice that the sources leave open or do not offer."""

    name: str
    of: str
    note: str
    options: Mapping[str, Option] = field(default_factory=dict)
    start: str = "scratch"


_VARIANTS = (
    _Variant(
        name="ddamfn-norm-act",
        of="ddamfn",
        note="with the normalisation and PReLU that the authors' code declares and never calls",
        options={"norm_act": True},
    ),
    _Variant(
        name="mien-light-imagenet",
        of="mien-light",
        note="from ImageNet weights: the gain of start weights under this budget",
        start="imagenet",
    ),
)

_HEADS = {
    "expression": HeadSettings(),
    "valence_arousal": HeadSettings(kind="bounded"),
    "action_units": HeadSettings(),
}
_LOSSES = {
    "expression": LossSettings(name="soft_cross_entropy"),
    "valence_arousal": LossSettings(name="ccc", weight=0.5),
    "action_units": LossSettings(name="bce"),
}


def list_rows() -> dict[str, Row]:
    """Name -> row: every network of the recipes that reads one face, then the variants."""
    networks: dict[str, list[Recipe]] = {}
    for name in list_recipes():
        recipe = load_recipe(name)
        if recipe.model.backbone and not _OTHER_TASKS & set(recipe.tasks):
            networks.setdefault(repr(_network(recipe.model)), []).append(recipe)
    rows = [
        Row(name=same[0].name, recipes=tuple(recipe.name for recipe in same), recipe=same[0])
        for same in networks.values()
    ]
    by_name = {name: row for row in rows for name in row.recipes}
    rows += [_row_of(variant, by_name[variant.of].recipe) for variant in _VARIANTS]
    return {row.name: row for row in rows}


def choose_rows(names: Collection[str]) -> list[Row]:
    """The named rows in the order given, or all rows.

    Args:
        names: names of rows, or of any recipe that a row stands for.

    Raises:
        ConfigError: a name is unknown.
    """
    rows = list_rows()
    known = rows | {recipe: row for row in rows.values() for recipe in row.recipes}
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ConfigError(f"no rows {unknown}; known are {sorted(known)}")
    chosen = dict.fromkeys(known[name].name for name in names)
    return [rows[name] for name in chosen or rows]


def trained_name(row: Row, budget: Budget) -> str:
    """Name of a row under a budget, which differs for another budget and for other initial weights."""
    name = f"{row.name}-{budget.size_px}px-{budget.images}"
    if budget.batch != BUDGET.batch or budget.peak_lr != BUDGET.peak_lr:
        name += f"-{budget.batch}x{budget.peak_lr:g}"
    start = _STARTS.get(row.recipe.model.backbone, 0)
    return f"{name}-start{start}" if start else name


def under_budget(row: Row, budget: Budget, n_rows: int, seed: int = 1) -> Recipe:
    """The recipe that trains a row: its network, and everything else from the budget.

    Args:
        row: the row, whose ``[model]`` is kept except for size and start.
        budget: budget of every row.
        n_rows: number of faces available for training.
        seed: seed of the training.
    """
    epochs, _ = budget.epochs(n_rows)
    return Recipe(
        name=trained_name(row, budget) + (f"-seed{seed}" if seed != 1 else ""),
        seed=seed,
        data=DataSettings(sources=(SourceSettings(name="open-ferplus"),)),
        model=dataclasses.replace(row.recipe.model, input_px=budget.size_px, start=row.start),
        heads=dict(_HEADS),
        losses=dict(_LOSSES),
        optimizer=OptimizerSettings(name="adamw", weight_decay=0.02, clip_norm=5.0),
        augmentation=AugmentationSettings(flip=0.5, rotation_deg=6.0, zoom=0.1, shift=0.05),
        stages=(
            StageSettings(epochs=epochs, batch=budget.batch, peak_lr=budget.peak_lr, schedule="one_cycle", warmup=0.15),
        ),
        limitations=("Trained for a comparison of networks under one small budget; no model to use.",),
    )


def own_recipe(row: Row, budget: Budget) -> Recipe | None:
    """The row's own recipe on FER+: its heads, losses, optimiser and stages, with the images and size of the budget.

    The faces are chosen so that all epochs of the recipe together show as many images as the budget. The start is that
    of the common budget.

    Args:
        row: the row.
        budget: number of images and size.

    Returns:
        The recipe; None for a variant, and for a recipe that needs more than the labels of FER+.
    """
    recipe = row.recipe
    if not row.recipes or not set(recipe.heads) <= set(_HEADS) or recipe.targets or recipe.coupling.matching:
        return None
    if any(stage.targets for stage in recipe.stages) or own_faces(recipe, budget) < recipe.stages[0].batch:
        return None
    source = SourceSettings(name="open-ferplus")
    return dataclasses.replace(
        recipe,
        name=f"{row.name}-own-{budget.size_px}px-{budget.images}",
        data=DataSettings(sources=(source,), valid=(source,)),
        model=dataclasses.replace(recipe.model, input_px=budget.size_px, start=row.start, start_heads=()),
        stages=tuple(dataclasses.replace(stage, size_px=0) for stage in recipe.stages),
        published=(),
        limitations=("Trained for a comparison of networks under one small budget; no model to use.",),
    )


def own_faces(recipe: Recipe, budget: Budget) -> int:
    """Number of faces that all epochs of a recipe show as often as the budget's images."""
    return budget.images // sum(stage.epochs for stage in recipe.stages)


def _network(model: ModelSettings) -> ModelSettings:
    """The settings that make two networks equal: all of ``[model]`` except the start weights and the crop."""
    return dataclasses.replace(model, start="scratch", template=ModelSettings().template)


def _row_of(variant: _Variant, recipe: Recipe) -> Row:
    model = dataclasses.replace(recipe.model, options={**recipe.model.options, **variant.options})
    changed = dataclasses.replace(recipe, name=variant.name, model=model)
    return Row(name=variant.name, recipes=(), recipe=changed, note=variant.note, start=variant.start)

# SPDX-License-Identifier: Apache-2.0
"""The rows of the table, taken from the recipes, and the one budget under which all of them are trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from mien.core import ConfigError
from mien.training.models.backbones.registry import Option
from mien.training.recipes.recipe import Recipe, list_recipes, load_recipe
from mien.training.recipes.settings import (
    AugmentationSettings,
    DataSettings,
    HeadSettings,
    LossSettings,
    ModelSettings,
    OptimizerSettings,
    PublishedSettings,
    SourceSettings,
    StageSettings,
)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What every row may use. Heads, losses, optimiser and augmentation are the same for all as well.

    Attributes:
        images: faces shown in training, repetitions counted; rounded so that every epoch shows as many.
        size_px: side of the crops. FER+ pictures have 48.
        batch: faces a step.
        peak_lr: of AdamW, one cycle.
    """

    images: int = 28_000
    size_px: int = 48
    batch: int = 32
    peak_lr: float = 1e-3

    def __post_init__(self) -> None:
        if self.images < self.batch:
            raise ConfigError(f"a budget of {self.images} images is less than one step of {self.batch}")

    def epochs(self, n_rows: int) -> tuple[int, int]:
        """Passes and rows of each pass, so that about ``images`` are shown of the ``n_rows`` that there are."""
        epochs = -(-self.images // n_rows)
        return epochs, self.images // epochs


BUDGET = Budget()
"""Of a table that has none of its own yet."""

# How often the weights that a network begins with were changed, after rows had been trained: those are trained anew.
_STARTS = {"ddamfn": 1, "tf_efficientnet_b0": 1, "tf_efficientnet_b2": 1}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One network.

    Attributes:
        name: of the first recipe that has it, or of the variant.
        recipes: all recipes of this network: they differ in heads, losses and data, which the budget makes alike.
        recipe: the first of them, as published.
        note: what is different, for a variant.
        start: ``"scratch"``, or ``"imagenet"`` where that is what the row asks.
    """

    name: str
    recipes: tuple[str, ...]
    recipe: Recipe
    note: str = ""
    start: str = "scratch"

    @property
    def published(self) -> tuple[tuple[str, PublishedSettings], ...]:
        """(recipe, figure) of every recipe of the network; a variant has none."""
        return tuple((name, metric) for name in self.recipes for metric in load_recipe(name).published)


@dataclass(frozen=True, kw_only=True)
class _Variant:
    """A network that differs from a recipe's in one thing that the sources leave open or do not offer."""

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
        note="from ImageNet weights: what a start is worth under this budget",
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
    """Name -> row: every network of the recipes that see pictures, then the variants."""
    networks: dict[str, list[Recipe]] = {}
    for name in list_recipes():
        recipe = load_recipe(name)
        if recipe.model.backbone:
            networks.setdefault(repr(_network(recipe.model)), []).append(recipe)
    rows = [
        Row(name=same[0].name, recipes=tuple(recipe.name for recipe in same), recipe=same[0])
        for same in networks.values()
    ]
    by_name = {name: row for row in rows for name in row.recipes}
    rows += [_row_of(variant, by_name[variant.of].recipe) for variant in _VARIANTS]
    return {row.name: row for row in rows}


def choose_rows(names: Collection[str]) -> list[Row]:
    """The named rows in the order given, or all.

    Args:
        names: of rows, or of any recipe that a row stands for.

    Raises:
        ConfigError: there is no such row.
    """
    rows = list_rows()
    known = rows | {recipe: row for row in rows.values() for recipe in row.recipes}
    strange = sorted(set(names) - set(known))
    if strange:
        raise ConfigError(f"no rows {strange}; known are {sorted(known)}")
    chosen = dict.fromkeys(known[name].name for name in names)
    return [rows[name] for name in chosen or rows]


def trained_name(row: Row, budget: Budget) -> str:
    """Names what a row is under a budget: another budget, or another start of its network, has another name."""
    name = f"{row.name}-{budget.size_px}px-{budget.images}"
    if budget.batch != BUDGET.batch or budget.peak_lr != BUDGET.peak_lr:
        name += f"-{budget.batch}x{budget.peak_lr:g}"
    start = _STARTS.get(row.recipe.model.backbone, 0)
    return f"{name}-start{start}" if start else name


def under_budget(row: Row, budget: Budget, n_rows: int) -> Recipe:
    """The recipe by which a row is trained: its network, and all else of the budget.

    Args:
        row: whose ``[model]`` is kept but for size and start.
        budget: of every row.
        n_rows: faces that there are to learn from.
    """
    epochs, _ = budget.epochs(n_rows)
    return Recipe(
        name=trained_name(row, budget),
        data=DataSettings(sources=(SourceSettings(name="open-faces", split="ferplus-train"),)),
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


def _network(model: ModelSettings) -> ModelSettings:
    """What makes two recipes train the same network: all of ``[model]`` but where it starts and how faces are cut."""
    return dataclasses.replace(model, start="scratch", template=ModelSettings().template)


def _row_of(variant: _Variant, recipe: Recipe) -> Row:
    model = dataclasses.replace(recipe.model, options={**recipe.model.options, **variant.options})
    changed = dataclasses.replace(recipe, name=variant.name, model=model)
    return Row(name=variant.name, recipes=(), recipe=changed, note=variant.note, start=variant.start)

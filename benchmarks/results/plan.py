# SPDX-License-Identifier: Apache-2.0
"""Rows of the table, which come from the recipes, and the one budget under which all of them are trained."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from mien.core import EXPRESSION_ORDERS, ConfigError
from mien.training import Recipe, list_recipes, load_recipe
from mien.training.models.backbones.registry import Option
from mien.training.recipes.recipe import IDENTITY
from mien.training.recipes.schedule_settings import OptimizerSettings, StageSettings
from mien.training.recipes.settings import (
    AugmentationSettings,
    DataSettings,
    HeadSettings,
    LossSettings,
    PublishedSettings,
    SourceSettings,
)

MAX_GFLOP = 1.0
"""Operations of a face, 10^9, above which one seed takes a core more than half an hour under the first budget."""


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

_LIMITATION = "Trained for a comparison of networks under one small budget; no model to use."

# A pretext, and a detector, whose network has no features of a face: the heads of the table do not fit them.
_OTHER_TASKS = {IDENTITY, "faces"}

# Number of changes of a network's initial weights since rows were trained: such rows are trained again.
_STARTS = {"ddamfn": 1, "tf_efficientnet_b0": 1, "tf_efficientnet_b2": 1}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One network.

    Attributes:
        name: name of the first recipe with this network, or of the variant.
        recipes: all recipes of this network: they differ in heads, losses, input and data, which the budget equalises.
        recipe: the first of these recipes, as published.
        note: difference to the recipe, for a variant.
        start: ``"scratch"``, or ``"imagenet"`` where the row asks for it.
        images: number of faces shown in training, for a variant with fewer; 0 for those of the budget.
        size_px: side of the crops, for such a variant; 0 for that of the budget.
    """

    name: str
    recipes: tuple[str, ...]
    recipe: Recipe
    note: str = ""
    start: str = "scratch"
    images: int = 0
    size_px: int = 0

    @property
    def compares_sizes(self) -> bool:
        """Whether the row has images and size of its own, and is compared with its partner of another size alone."""
        return bool(self.images)

    def budget(self, budget: Budget) -> Budget:
        """The budget of this row: that of all rows, but for its own images and size."""
        return replace(budget, images=self.images or budget.images, size_px=self.size_px or budget.size_px)

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
    images: int = 0
    size_px: int = 0


SIZES_PX = (48, 112)
"""Sides of the crops of the rows that compare sizes: that of the faces, and that of the papers' crops."""
_SIZE_IMAGES = 10_000

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
    *(
        _Variant(
            name=f"{name}-10k-{size_px}px",
            of=of,
            note=f"{words}, {size_px} px",
            start=start,
            images=_SIZE_IMAGES,
            size_px=size_px,
        )
        for name, of, words, start in (
            ("mobilenet", "mobilenet", "`mobilenet` from random weights", "scratch"),
            ("mien-light-imagenet", "mien-light", "`mien-light` from ImageNet weights", "imagenet"),
        )
        for size_px in SIZES_PX
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
    """Name -> row: every network of the recipes that reads one face, then the variants.

    Recipes of one network share a row. Those with more of mien's expressions come first and give the row its name.
    """
    networks: dict[str, list[Recipe]] = {}
    for recipe in sorted(_with_network().values(), key=lambda recipe: (-_n_expressions(recipe), recipe.name)):
        networks.setdefault(_network(recipe), []).append(recipe)
    rows = sorted(
        (
            Row(name=same[0].name, recipes=tuple(sorted(recipe.name for recipe in same)), recipe=same[0])
            for same in networks.values()
        ),
        key=lambda row: row.name,
    )
    by_name = {name: row for row in rows for name in row.recipes}
    rows += [_row_of(variant, by_name[variant.of].recipe) for variant in _VARIANTS]
    return {row.name: row for row in rows}


def without_network() -> tuple[str, ...]:
    """Recipes without a row: heads on stored vectors, clips and sequences, a pretext, and a detector."""
    return tuple(sorted(set(list_recipes()) - set(_with_network())))


def left_out(row: Row, gflop: float | None) -> str:
    """Why the table does not compare this network, in words; empty for one that it compares.

    Args:
        row: the network.
        gflop: 10^9 operations of a face at the size of the table; None where they were not counted.
    """
    if not _HEADS.keys() & set(row.recipe.tasks):
        return "predicts points, none of the tasks of the table"
    if gflop is not None and gflop > MAX_GFLOP and not row.compares_sizes:
        return f"takes {gflop:.1f} GFLOP a face; one core trains a seed in half an hour up to {MAX_GFLOP:g}"
    return ""


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
    budget = row.budget(budget)
    name = row.name if row.compares_sizes else f"{row.name}-{budget.size_px}px-{budget.images}"
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
    own = row.budget(budget)
    epochs, _ = own.epochs(n_rows)
    return Recipe(
        name=trained_name(row, budget) + (f"-seed{seed}" if seed != 1 else ""),
        seed=seed,
        data=DataSettings(sources=(SourceSettings(name="open-ferplus"),)),
        model=replace(row.recipe.model, input_px=own.size_px, start=row.start),
        heads=dict(_HEADS),
        losses=dict(_LOSSES),
        optimizer=OptimizerSettings(name="adamw", weight_decay=0.02, clip_norm=5.0),
        augmentation=AugmentationSettings(flip=0.5, rotation_deg=6.0, zoom=0.1, shift=0.05),
        stages=(StageSettings(epochs=epochs, batch=own.batch, peak_lr=own.peak_lr, schedule="one_cycle", warmup=0.15),),
        limitations=(_LIMITATION,),
    )


def own_obstacle(row: Row, budget: Budget) -> str:
    """What the row's own recipe needs beyond FER+ and the budget, in words; empty where it can be run."""
    recipe = row.recipe
    stages = recipe.stages
    needed = {target.name for number in range(len(stages)) for target in recipe.stage_targets(number)}
    heads = set(recipe.heads) - set(_HEADS)
    if not row.recipes:
        return "a variant has no recipe of its own"
    if heads:
        return f"labels of {', '.join(sorted(heads))}"
    if needed or recipe.coupling.matching:
        return f"{', '.join(sorted(needed) or ['matching of heads'])}, which use other data or networks"
    n_faces = own_faces(recipe, budget)
    if n_faces < stages[0].batch:
        return f"{n_faces} faces for all its epochs are less than a step"
    return ""


def own_recipe(row: Row, budget: Budget) -> Recipe | None:
    """The row's own recipe on FER+: its heads, losses, optimiser and stages, with the images and size of the budget.

    The faces are chosen so that all epochs of the recipe together show as many images as the budget. The start is that
    of the common budget.

    Args:
        row: the row.
        budget: number of images and size.

    Returns:
        The recipe; None where `own_obstacle` names one.
    """
    if own_obstacle(row, budget):
        return None
    source = SourceSettings(name="open-ferplus")
    return replace(
        row.recipe,
        name=f"{row.name}-own-{budget.size_px}px-{budget.images}",
        data=DataSettings(sources=(source,), valid=(source,)),
        model=replace(row.recipe.model, input_px=budget.size_px, start=row.start, start_heads=()),
        stages=tuple(replace(stage, size_px=0) for stage in row.recipe.stages),
        published=(),
        limitations=(_LIMITATION,),
    )


def own_faces(recipe: Recipe, budget: Budget) -> int:
    """Number of faces that all epochs of a recipe show as often as the budget's images."""
    return budget.images // sum(stage.epochs for stage in recipe.stages)


def _with_network() -> dict[str, Recipe]:
    """Name -> recipe whose network reads one face."""
    recipes = {name: load_recipe(name) for name in list_recipes()}
    return {name: own for name, own in recipes.items() if own.model.backbone and not _OTHER_TASKS & set(own.tasks)}


def _n_expressions(recipe: Recipe) -> int:
    return len(EXPRESSION_ORDERS[recipe.data.expressions])


def _network(recipe: Recipe) -> str:
    """What makes two networks equal under a budget: all of the backbone. Input, start and regularisation do not.

    A network without a task of the table is told apart by its tasks too, which decide its cost.
    """
    model = recipe.model
    others = () if _HEADS.keys() & set(recipe.tasks) else recipe.tasks
    return repr((model.backbone, sorted(model.options.items()), model.unit_length, model.penalty, others))


def _row_of(variant: _Variant, recipe: Recipe) -> Row:
    model = replace(recipe.model, options={**recipe.model.options, **variant.options})
    return Row(
        name=variant.name,
        recipes=(),
        recipe=replace(recipe, name=variant.name, model=model),
        note=variant.note,
        start=variant.start,
        images=variant.images,
        size_px=variant.size_px,
    )

# SPDX-License-Identifier: Apache-2.0
"""The systems of the experiments: the papers' recipes under one small budget, trained and measured, resumable."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.doubtful.label_sets import (
    DIGIT_PX,
    RATES,
    Experiment,
    hidden_thirds,
    noisy_digits,
    single_votes,
    two_halves,
)
from mien.datasets import FERPLUS_TEMPLATE
from mien.training import Recipe, load_recipe
from mien.training.engine.trainer import CHECKPOINT
from mien.training.recipes.method_settings import (
    AdversarialSettings,
    CoTeachingSettings,
    MaskedAutoencodingSettings,
)
from mien.training.recipes.schedule_settings import StageSettings
from mien.training.recipes.settings import AugmentationSettings, CouplingSettings, HeadSettings, ModelSettings
from mien.training.recipes.target_settings import TargetSettings, TeacherSettings

logger = logging.getLogger(__name__)

SEEDS = (1, 2, 3)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Fields of the recipes that the experiments change; everything else is as published in them.

    Attributes:
        faces: number of training faces of each seed.
        digits: number of training digits; the others are the test.
        epochs: number of epochs with faces that have one vote each.
        partial_epochs: number of epochs with faces that have some of their labels.
        digit_epochs: number of epochs with digits.
        more_faces: number of training faces of the enlarged experiments.
        more_epochs: number of their epochs.
        batch: rows per step.
        peak_lr: highest learning rate of one cycle; the discriminators keep their published 1e-4.
        size_px: side of the faces, which have 48 px.
        width: share of the published numbers of channels of the encoder.
        hidden: width of its dense layers.
        drop_rate: dropout of its dense layers.
        channels: width of the discriminators' first block.
        vit_px: side of the faces of the transformers.
        vit_lr: highest learning rate of the transformers.
        vit_options: patch, width, depth and heads of the transformers.
        pretext_faces: number of faces of masked autoencoding, none of whose labels is used.
        pretext_epochs: number of its epochs.
    """

    faces: int = 1500
    digits: int = 500
    epochs: int = 8
    partial_epochs: int = 4
    digit_epochs: int = 8
    more_faces: int = 3000
    more_epochs: int = 10
    batch: int = 32
    peak_lr: float = 1e-3
    size_px: int = 32
    width: float = 0.25
    hidden: int = 128
    drop_rate: float = 0.25
    channels: int = 8
    vit_px: int = 48
    vit_lr: float = 5e-4
    vit_options: tuple[tuple[str, int], ...] = (("patch", 8), ("width", 128), ("depth", 4), ("heads", 4))
    pretext_faces: int = 4000
    pretext_epochs: int = 2


Change = Callable[[Recipe], Recipe]


def _same(recipe: Recipe) -> Recipe:
    return recipe


@dataclass(frozen=True, kw_only=True)
class System:
    """One system of an experiment.

    Attributes:
        name: name on the page.
        recipe: recipe of the paper that it trains.
        change: what the experiment changes beside the budget.
        words: that change in words; empty for none.
        tasks: tasks of its heads, of those of the recipe; empty for all.
        start: system whose network it starts from; empty for random weights.
        teacher: system whose predictions are the missing labels; empty for none.
        members: systems whose mean prediction it is, without a training of its own.
        seed: added to the seed of the weights.
    """

    name: str
    recipe: str
    change: Change = _same
    words: str = ""
    tasks: tuple[str, ...] = ()
    start: str = ""
    teacher: str = ""
    members: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Part:
    """One experiment: its samples, and the systems that are compared on them.

    Attributes:
        name: name of its folder.
        title: heading on the page.
        samples: function of data folder, budget and seed.
        systems: systems, in the order in which they are trained.
        is_faces: whether the samples are faces; else digits.
        encoder: ``"cnn"`` or ``"vit"``.
    """

    name: str
    title: str
    samples: Callable[[Path, Budget, int], Experiment]
    systems: tuple[System, ...]
    is_faces: bool = True
    encoder: str = "cnn"

    def named(self, name: str) -> System:
        """The system of this name."""
        return next(system for system in self.systems if system.name == name)


def without_method(recipe: Recipe) -> Recipe:
    """The recipe whose losses are added up."""
    return dataclasses.replace(recipe, stages=tuple(dataclasses.replace(stage, method=None) for stage in recipe.stages))


def smoothed(recipe: Recipe) -> Recipe:
    """The same with label smoothing of 0.1."""
    recipe = without_method(recipe)
    loss = dataclasses.replace(recipe.losses["expression"], options={"label_smoothing": 0.1})
    return dataclasses.replace(recipe, losses={**recipe.losses, "expression": loss})


def forgetting(recipe: Recipe, *, rate: float) -> Recipe:
    """Co-teaching with the rate of wrong labels."""
    method = CoTeachingSettings(forget_rate=rate)
    return dataclasses.replace(
        recipe, stages=tuple(dataclasses.replace(stage, method=method) for stage in recipe.stages)
    )


def weighted(recipe: Recipe, *, weight: float) -> Recipe:
    """NoisyFER with another weight of the adversarial part."""
    return dataclasses.replace(
        recipe,
        stages=tuple(
            dataclasses.replace(stage, method=dataclasses.replace(stage.method, weight=weight))
            if isinstance(stage.method, AdversarialSettings)
            else stage
            for stage in recipe.stages
        ),
    )


def uncoupled(recipe: Recipe) -> Recipe:
    """The recipe without the matching loss."""
    return dataclasses.replace(recipe, coupling=CouplingSettings())


def unprovided(recipe: Recipe) -> Recipe:
    """The recipe without target providers."""
    return dataclasses.replace(recipe, targets=())


def pretext(recipe: Recipe) -> Recipe:
    """Masked autoencoding alone, of which two members may start."""
    model = dataclasses.replace(recipe.model, options={**recipe.model.options, "members": 2})
    return dataclasses.replace(recipe, model=model, stages=recipe.stages[:1])


def fine_tuned(recipe: Recipe) -> Recipe:
    """The last stage alone, with a dense layer for expressions, as masked CoTEX needs it."""
    heads = {**recipe.heads, "expression": HeadSettings()}
    return dataclasses.replace(recipe, heads=heads, stages=recipe.stages[-1:])


def masked_members(recipe: Recipe) -> Recipe:
    """The same with two members and the method of the recipe masked-cotex."""
    recipe = fine_tuned(recipe)
    method = load_recipe("masked-cotex").stages[-1].method
    model = dataclasses.replace(recipe.model, options={**recipe.model.options, "members": 2})
    stages = tuple(dataclasses.replace(stage, method=method) for stage in recipe.stages)
    return dataclasses.replace(recipe, model=model, stages=stages)


_EXPRESSION = ("expression",)
_DENSE = "expressions by one dense layer"
_VOTES_RATE = 0.25


def _digit_part(rate: float) -> Part:
    cifar = partial(weighted, weight=0.8)
    return Part(
        name=f"digits {rate}",
        title=f"Digits, {rate:g} of the labels wrong",
        samples=lambda _data, budget, seed: noisy_digits(budget.digits, rate, seed),
        systems=(
            System(name="plain", recipe="noisyfer", change=without_method, words="no method", tasks=_EXPRESSION),
            System(
                name="smoothing", recipe="noisyfer", change=smoothed, words="label smoothing 0.1", tasks=_EXPRESSION
            ),
            System(
                name="co-teaching",
                recipe="co-teaching",
                change=partial(forgetting, rate=rate),
                words=f"forget rate {rate:g}",
                tasks=_EXPRESSION,
            ),
            System(
                name="noisyfer",
                recipe="noisyfer",
                change=cifar,
                words="lambda 0.8, as published for CIFAR-10",
                tasks=_EXPRESSION,
            ),
        ),
        is_faces=False,
    )


_AGAINST_NOISE = (
    System(name="plain", recipe="noisyfer", change=without_method, words="no method"),
    System(name="smoothing", recipe="noisyfer", change=smoothed, words="label smoothing 0.1"),
    System(
        name="co-teaching",
        recipe="co-teaching",
        change=partial(forgetting, rate=_VOTES_RATE),
        words=f"forget rate {_VOTES_RATE:g}",
    ),
    System(name="noisyfer", recipe="noisyfer"),
)

_COUPLED = (
    System(name="none", recipe="distribution-matching", change=uncoupled, words="no coupling"),
    System(name="matching", recipe="distribution-matching"),
    System(name="expressions", recipe="distribution-matching", change=uncoupled, tasks=_EXPRESSION),
    System(name="action units", recipe="distribution-matching", change=uncoupled, tasks=("action_units",)),
    System(name="hard", recipe="co-annotation-hard"),
    System(name="soft", recipe="co-annotation-soft"),
)

_PARTIAL = (
    System(
        name="plain",
        recipe="balancing-teacher",
        change=unprovided,
        words="no oversampling: the partial-label engine alone",
    ),
    System(name="plain, weighted", recipe="ss-mfar", change=without_method, words="no method"),
    System(name="ss-mfar", recipe="ss-mfar"),
    System(name="teacher", recipe="balancing-teacher"),
    System(name="student 1", recipe="balancing-student", teacher="teacher", seed=100),
    System(name="student 2", recipe="balancing-student", teacher="teacher", seed=200),
    System(
        name="students",
        recipe="balancing-student",
        members=("student 1", "student 2"),
        words="mean of both (published: five)",
    ),
)

PARTS: tuple[Part, ...] = (
    Part(
        name="votes",
        title="Faces with one vote each",
        samples=lambda data, budget, seed: single_votes(data, budget.faces, seed),
        systems=(
            *_AGAINST_NOISE,
            System(name="noisyfer, single", recipe="noisyfer", words="expressions alone", tasks=_EXPRESSION),
            System(
                name="plain, single",
                recipe="noisyfer",
                change=without_method,
                words="no method, expressions alone",
                tasks=_EXPRESSION,
            ),
        ),
    ),
    *map(_digit_part, RATES),
    Part(
        name="halves",
        title="Expressions on one half, action units on the other",
        samples=lambda data, budget, seed: two_halves(data, budget.faces, seed),
        systems=_COUPLED,
    ),
    Part(
        name="thirds",
        title="Two thirds of every label set hidden",
        samples=lambda data, budget, seed: hidden_thirds(data, budget.faces, seed),
        systems=_PARTIAL,
    ),
    Part(
        name="transformers",
        title="Two thirds hidden, transformers",
        samples=lambda data, budget, seed: hidden_thirds(data, budget.faces, seed),
        systems=(
            System(name="pretext", recipe="emma", change=pretext, words="the first stage alone, two members"),
            System(name="vit, pretrained", recipe="emma", change=fine_tuned, words=_DENSE, start="pretext"),
            System(
                name="cotex",
                recipe="emma",
                change=masked_members,
                words=f"{_DENSE}; two members and the method of `masked-cotex`",
                start="pretext",
            ),
            System(name="vit, scratch", recipe="emma", change=fine_tuned, words=f"{_DENSE}; random start"),
        ),
        encoder="vit",
    ),
    Part(
        name="more votes",
        title="Faces with one vote each, more of them",
        samples=lambda data, budget, seed: single_votes(data, budget.more_faces, seed),
        systems=_AGAINST_NOISE,
    ),
    Part(
        name="more halves",
        title="Expressions on one half, action units on the other, more faces",
        samples=lambda data, budget, seed: two_halves(data, budget.more_faces, seed),
        systems=_COUPLED,
    ),
    Part(
        name="more thirds",
        title="Two thirds of every label set hidden, more faces",
        samples=lambda data, budget, seed: hidden_thirds(data, budget.more_faces, seed),
        systems=_PARTIAL,
    ),
)
"""All experiments, in the order in which they are run."""


def system_recipe(part: Part, system: System, seed: int, budget: Budget, work: Path) -> Recipe:
    """The recipe of a system under the budget.

    Of the recipe stay heads, losses, optimiser, method and its weights; network, crops, epochs, batch and learning rate
    are those of the budget, and every stage keeps its last epoch: nothing is selected on the test faces.
    """
    published = load_recipe(system.recipe)
    tasks = [task for task in published.tasks if not system.tasks or task in system.tasks]
    plain = dataclasses.replace(published.augmentation, aligned=0.0, colour_jitter=())  # gray faces, cut already
    recipe = dataclasses.replace(
        published,
        name=f"doubtful-{system.name}",
        seed=seed + system.seed,
        heads={task: published.heads[task] for task in tasks},
        losses={task: published.losses[task] for task in tasks},
        model=_model(part, published.model, budget),
        augmentation=plain if part.is_faces else AugmentationSettings(),
        targets=tuple(_provider(part, system, settings, seed, work) for settings in published.targets),
        published=(),
        stages=tuple(_under_budget(stage, part, budget) for stage in published.stages),
    )
    recipe = system.change(recipe)
    if system.start:
        start = run_folder(part, part.named(system.start), seed, work) / CHECKPOINT
        recipe = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, start=str(start.absolute())))
    return recipe


def _model(part: Part, published: ModelSettings, budget: Budget) -> ModelSettings:
    """The encoder of an experiment; the recipe's other settings of the model stay."""
    options: dict[str, Any] = dict(budget.vit_options)
    if part.encoder == "cnn":
        options = {"width": budget.width, "hidden": budget.hidden, "drop_rate": budget.drop_rate, "norm": True}
    face_px = budget.size_px if part.encoder == "cnn" else budget.vit_px
    return dataclasses.replace(
        published,
        backbone="vgg_encoder" if part.encoder == "cnn" else "masked_vit",
        options=options,
        input_px=face_px if part.is_faces else DIGIT_PX,
        colour="gray",
        mean=(127.5,),
        std=(127.5,),
        template=FERPLUS_TEMPLATE,
        start="scratch",
    )


def _provider(part: Part, system: System, settings: TargetSettings, seed: int, work: Path) -> TargetSettings:
    """A target provider of the recipe; a teacher is the trained one of the experiment."""
    if not isinstance(settings, TeacherSettings):
        return settings
    path = run_folder(part, part.named(system.teacher), seed, work) / CHECKPOINT
    return dataclasses.replace(settings, path=str(path.absolute()))


def _under_budget(stage: StageSettings, part: Part, budget: Budget) -> StageSettings:
    epochs = _epochs(part, budget)
    method = stage.method
    if isinstance(method, AdversarialSettings):
        method = dataclasses.replace(method, channels=budget.channels)
    if isinstance(method, MaskedAutoencodingSettings):
        method, epochs = dataclasses.replace(method, width=64, depth=1), budget.pretext_epochs
    return dataclasses.replace(
        stage,
        epochs=epochs,
        batch=budget.batch,
        peak_lr=budget.peak_lr if part.encoder == "cnn" else budget.vit_lr,
        schedule="one_cycle",
        warmup=0.15,
        final_share=0.01,
        size_px=0,
        keep="last",
        stop_after=0,
        method=method,
    )


def _epochs(part: Part, budget: Budget) -> int:
    if not part.is_faces:
        return budget.digit_epochs
    if part.name == "votes":
        return budget.epochs
    return budget.more_epochs if part.name.startswith("more ") else budget.partial_epochs


def n_samples(part: Part, budget: Budget) -> int:
    """Number of training samples of an experiment."""
    if part.name.startswith("more "):
        return budget.more_faces
    return budget.faces if part.is_faces else budget.digits


def run_folder(part: Part, system: System, seed: int, work: Path) -> Path:
    """Folder of a run."""
    return work / part.name.replace(" ", "-") / system.name.replace(", ", "-").replace(" ", "-") / f"{seed}"

# SPDX-License-Identifier: Apache-2.0
"""MTANet on three disjoint label sets against three single nets, and the fold leak of the CNN of 2020."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.systems.gains import Gain, Statistic, paired_gain
from benchmarks.systems.head_systems import TASKS, mtl_statistics
from benchmarks.systems.stand_in import Budget, half_of, hash_of
from mien.core import Float64
from mien.results import atomic_write
from mien.training import ComputeSettings, Recipe, Trainer, TrainingSet, load_recipe, load_source, raw_outputs
from mien.training.data.training_images import cached_side_px, default_cache_folder
from mien.training.recipes.settings import DataSettings, SourceSettings

logger = logging.getLogger(__name__)

N_EACH, N_VALID, EPOCHS = 600, 300, 3
"""MTANet: faces of each label set, faces to select on, epochs (20 in the recipe)."""

LARGER_BATCH = 3
"""MTANet: times the rows a step of the variant with a larger batch, which has as many of each task as a single net."""

MtanetVariant = Literal["published", "larger batch", "plain loss"]
"""Nets of MTANet: the recipe; a joint net with `LARGER_BATCH` times the rows a step; the joint net and that of
expressions without class weights."""

N_FOLDS, N_FOLD_FACES, FOLD_EPOCHS, N_FOLD_TEST = 10, 100, 30, 400
"""CNN of 2020: folds, faces of all of them, epochs of each (100 in the recipe), faces of FER+ valid to compare with."""


def mtanet_recipe(tasks: tuple[str, ...], seed: int, budget: Budget, variant: MtanetVariant = "published") -> Recipe:
    """The recipe with some of its tasks, on a smaller backbone from ImageNet, from which the paper starts, too."""
    published = load_recipe("mtanet")
    model = dataclasses.replace(
        published.model,
        backbone="efficientnet_lite0",
        options={"bn_eps": 1.0e-3},
        start="imagenet",
        input_px=budget.size_px,
    )
    source = SourceSettings(name="open-ferplus")
    losses = {task: published.losses[task] for task in published.losses if task in tasks}
    if variant == "plain loss" and "expression" in losses:
        losses["expression"] = dataclasses.replace(losses["expression"], options={})
    batch = budget.batch * (LARGER_BATCH if variant == "larger batch" else 1)
    return dataclasses.replace(
        published,
        seed=seed,
        data=DataSettings(sources=(source,), valid=(source,)),
        model=model,
        heads={task: published.heads[task] for task in published.heads if task in tasks},
        losses=losses,
        stages=tuple(
            dataclasses.replace(stage, epochs=EPOCHS, batch=batch, peak_lr=budget.peak_lr) for stage in published.stages
        ),
    )


def run_mtanet(
    data: Path,
    work: Path,
    seeds: tuple[int, ...],
    budget: Budget,
    compute: ComputeSettings,
    variant: MtanetVariant = "published",
) -> None:
    """Train the joint net of each seed and the single ones that the variant changes; keep labels and outputs."""
    singles = {"published": TASKS, "larger batch": (), "plain loss": ("expression",)}[variant]
    for seed in seeds:
        target = _mtanet_file(seed, work, variant)
        if target.is_file():
            continue
        logger.info("MTANet, seed %d, %s", seed, variant)
        recipe = mtanet_recipe(TASKS, seed, budget)
        everything = _faces(recipe, data, "train")
        order = np.array(sorted(range(len(everything)), key=lambda row: hash_of(everything.groups[row])))
        order = order[[half_of(everything.groups[row]) == "a" for row in order]]
        valid, test = everything.take(order[-N_VALID:]), _faces(recipe, data, "valid")
        kept = {f"true {task}": test.targets[task] for task in TASKS}
        for tasks in (TASKS, *((task,) for task in singles)):
            own = mtanet_recipe(tasks, seed, budget, variant)
            name = "joint" if len(tasks) > 1 else tasks[0]
            trainer = Trainer(
                own,
                disjoint(everything, order, tasks),
                target.with_suffix("") / name,
                valid=valid,
                fabric=compute.prepare(),
                data=data,
            )
            outputs = raw_outputs(trainer.run(), test, own)
            kept |= {f"{'joint' if len(tasks) > 1 else 'single'} {task}": outputs[task] for task in tasks}
        with atomic_write(target) as file:
            np.savez(file, **kept)


def _mtanet_file(seed: int, work: Path, variant: MtanetVariant) -> Path:
    suffix = "" if variant == "published" else f"-{variant.replace(' ', '-')}"
    return work / "mtanet" / f"{seed}{suffix}.npz"


def load_mtanet(seed: int, work: Path, variant: MtanetVariant = "published") -> dict[str, Any] | None:
    """Labels and outputs of a seed's nets, those of the recipe where the variant changes none; None where missing."""
    paths = list(dict.fromkeys(_mtanet_file(seed, work, each) for each in ("published", variant)))
    if not all(path.is_file() for path in paths):
        return None
    return {key: values for path in paths for key, values in np.load(path).items()}


def disjoint(
    samples: TrainingSet, order: np.ndarray[tuple[int], np.dtype[np.intp]], tasks: tuple[str, ...]
) -> TrainingSet:
    """The label sets of some tasks: other faces for each task, on which the labels of the other tasks are unknown."""
    rows, owner = [], []
    for number, task in enumerate(TASKS):
        if task in tasks:
            rows.append(order[number * N_EACH : (number + 1) * N_EACH])
            owner += [task] * len(rows[-1])
    chosen = samples.take(np.concatenate(rows))
    targets = {
        task: np.where((np.array(owner) == task)[:, None], values, np.nan).astype(np.float32)
        for task, values in chosen.targets.items()
    }
    return dataclasses.replace(chosen, targets=targets)


def _faces(recipe: Recipe, data: Path, split: str) -> TrainingSet:
    found = load_source(SourceSettings(name="open-ferplus", split=split), data, recipe)  # type: ignore[arg-type]  # a name
    return found.cached(default_cache_folder(), cached_side_px(recipe.model.input_px))


def fold_recipe(seed: int, budget: Budget) -> Recipe:
    """The recipe of the CNN for one fold, on the votes of FER+."""
    published = load_recipe("expr-cnn-2020")
    source = SourceSettings(name="open-ferplus")
    return dataclasses.replace(
        published,
        seed=seed,
        data=DataSettings(sources=(source,), valid=(source,)),
        stages=tuple(dataclasses.replace(stage, epochs=FOLD_EPOCHS, batch=budget.batch) for stage in published.stages),
    )


def run_folds(data: Path, work: Path, seeds: tuple[int, ...], budget: Budget, compute: ComputeSettings) -> None:
    """Carry one model through the folds, as published; keep what each fold's weights predict right."""
    for seed in seeds:
        target = work / "folds" / f"{seed}.npz"
        if target.is_file():
            continue
        logger.info("CNN of 2020, seed %d", seed)
        recipe = fold_recipe(seed, budget)
        faces, test = _faces(recipe, data, "train"), _faces(recipe, data, "valid").take(np.arange(N_FOLD_TEST))
        order = np.array(sorted(range(len(faces)), key=lambda row: hash_of(f"{seed} {faces.groups[row]}")))
        chosen = faces.take(order[:N_FOLD_FACES])
        fold = np.arange(N_FOLD_FACES) % N_FOLDS
        state, own_right, other_right = None, [], []
        for number in range(N_FOLDS):
            held_out = chosen.take(fold == number)
            folder = work / "folds" / f"{seed}" / f"{number}"
            trainer = Trainer(
                recipe, chosen.take(fold != number), folder, valid=held_out, fabric=compute.prepare(), data=data
            )
            if state is not None:
                trainer.network.load_state_dict(state)  # the model of the fold before, as published
            network = trainer.run()
            state = {key: value.clone() for key, value in network.state_dict().items()}
            own_right.append(_right(network, held_out, recipe))
            other_right.append(_right(network, test, recipe))
        with atomic_write(target) as file:
            np.savez(file, own=np.stack(own_right), other=np.stack(other_right))


def _right(network: object, samples: TrainingSet, recipe: Recipe) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    outputs = raw_outputs(network, samples, recipe)["expression"]  # type: ignore[arg-type]  # the trainer's network
    return np.asarray(outputs.argmax(axis=1) == samples.targets["expression"].argmax(axis=1))


def other_gains(work: Path, seeds: tuple[int, ...]) -> dict[str, tuple[Gain, ...]]:
    """Gains of the conditions ``mtanet`` and ``fold-leak``; those without results are left out."""
    found: dict[str, tuple[Gain, ...]] = {}
    joint = mtanet_gain(work, seeds, "P_MTL")
    if joint is not None:
        found["mtanet"] = (joint,)
    folds = [dict(np.load(path)) for seed in seeds if (path := work / "folds" / f"{seed}.npz").is_file()]
    if folds:
        pairs = [_fold_statistics(own["own"][1:].ravel(), own["other"][1:].mean(axis=0)) for own in folds]
        n = len(folds[0]["own"][1:].ravel()) + folds[0]["other"].shape[1]
        found["fold-leak"] = (paired_gain("own fold over FER+ valid", [a for a, _ in pairs], [b for _, b in pairs], n),)
    return found


def mtanet_gain(work: Path, seeds: tuple[int, ...], measure: str, variant: MtanetVariant = "published") -> Gain | None:
    """Gain of the joint net over the three single ones in P_MTL or a part of it; None where no seed was run."""
    runs = [run for seed in seeds if (run := load_mtanet(seed, work, variant)) is not None]
    if not runs:
        return None

    def statistics(side: str) -> list[Statistic]:
        return [
            mtl_statistics(*({task: run[f"{kind} {task}"] for task in TASKS} for kind in ("true", side)))[measure]
            for run in runs
        ]

    return paired_gain("joint over single", statistics("joint"), statistics("single"), len(runs[0]["true expression"]))


def first_fold(work: Path, seeds: tuple[int, ...]) -> list[float]:
    """Accuracy of the first fold minus that on FER+ valid, of each seed: there nothing has leaked yet."""
    paths = [work / "folds" / f"{seed}.npz" for seed in seeds]
    found = [dict(np.load(path)) for path in paths if path.is_file()]
    return [float(own["own"][0].mean() - own["other"][0].mean()) for own in found]


def _fold_statistics(own: np.ndarray[tuple[int], np.dtype[np.bool_]], other: Float64) -> tuple[Statistic, Statistic]:
    """Accuracy on the folds and on other faces, as functions of weights of both one after the other."""
    n = len(own)

    def of_folds(weights: Float64) -> Float64:
        return np.asarray(weights[:, :n] @ own / weights[:, :n].sum(axis=1))

    def of_others(weights: Float64) -> Float64:
        return np.asarray(weights[:, n:] @ other / weights[:, n:].sum(axis=1))

    return of_folds, of_others

# SPDX-License-Identifier: Apache-2.0
"""Training of one row under the budget, its export, and its measurement by the public protocols."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import today
from benchmarks.results.plan import Budget, Row, own_faces, own_recipe, under_budget
from benchmarks.results.records import Trained
from mien.training import ComputeSettings
from mien.training.data.batch_loader import clean_inputs
from mien.training.data.sources import hold_out, load_source
from mien.training.data.training_images import cached_side_px, default_cache_folder
from mien.training.engine.trainer import CHECKPOINT, Trainer
from mien.training.export.bundle_files import write_bundle
from mien.training.export.card_content import create_card
from mien.training.export.onnx_export import describe, export_onnx, runtime_gap
from mien.training.picture_training import evaluate_bundle
from mien.training.recipes.recipe import Recipe

logger = logging.getLogger(__name__)

PROTOCOLS = ("ferplus", "ferplus-mtl")

MEASURES = (
    "accuracy, plurality",
    "accuracy, official majority",
    "macro F1, plurality",
    "CCC valence",
    "CCC arousal",
    "mean AU F1 against the teacher",
    "P_MTL",
)
"""Metrics of these protocols that the table keeps."""

_N_PARITY, _N_VALID, _N_TASKS = 64, 1000, 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """One training of a row.

    Attributes:
        recipe: recipe to train.
        n_faces: number of faces of each epoch.
        digest: hash of all settings, see `digest`.
    """

    recipe: Recipe
    n_faces: int
    digest: str


def budget_run(row: Row, budget: Budget, n_rows: int, seed: int = 1) -> Run:
    """A row under the common budget.

    Args:
        row: the network.
        budget: budget of every row.
        n_rows: number of available faces, from `count_rows`.
        seed: seed of the training.
    """
    recipe = under_budget(row, budget, n_rows, seed)
    return Run(recipe=recipe, n_faces=row.budget(budget).epochs(n_rows)[1], digest=digest(recipe, n_rows))


def own_run(row: Row, budget: Budget) -> Run | None:
    """A row by its own recipe, with as many images; None where `plan.own_recipe` is."""
    recipe = own_recipe(row, budget)
    if recipe is None:
        return None
    n_faces = own_faces(recipe, budget)
    return Run(recipe=recipe, n_faces=n_faces, digest=digest(recipe, n_faces))


def row_folder(work: Path, recipe: Recipe) -> Path:
    """Folder of the checkpoints and the bundle of a row; every budget has its own."""
    return work / recipe.name


def digest(recipe: Recipe, n_rows: int) -> str:
    """Hash of every setting that affects the weights; limitations and published figures do not.

    Settings with their default value are left out, so that a new key of recipes does not invalidate old results.
    """
    recipe = dataclasses.replace(recipe, limitations=(), published=())
    return hashlib.sha256(f"{n_rows} {changed_settings(recipe)}".encode()).hexdigest()


def changed_settings(settings: object) -> object:
    """The settings that differ from their defaults, in plain types."""
    if dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        found = {}
        for field in dataclasses.fields(settings):
            value = getattr(settings, field.name)
            default = field.default_factory() if callable(field.default_factory) else field.default
            if value != default:
                found[field.name] = changed_settings(value)
        return found
    if isinstance(settings, Mapping):
        return {key: changed_settings(value) for key, value in sorted(settings.items())}
    return [changed_settings(value) for value in settings] if isinstance(settings, tuple) else settings


def count_rows(budget: Budget, row: Row, data: Path) -> int:
    """Number of faces available for training.

    Raises:
        DatasetError: the data are incomplete.
    """
    recipe = under_budget(row, budget, budget.images)
    return len(load_source(recipe.data.sources[0], data, recipe))


def train_row(run: Run, data: Path, work: Path, machine: ComputeSettings) -> Trained:
    """Train a row, write its bundle below ``work`` and measure it.

    Args:
        run: recipe, and number of faces to train on.
        data: folder of the open face sets.
        work: folder of all rows; an interrupted training resumes from there.
        machine: settings of one device.

    Raises:
        ConfigError: the network does not take crops of this size, or the device does not exist.
        DatasetError: the data are incomplete.
        ModelError: the runtime cannot run the exported graph.
    """
    recipe, n_shown = run.recipe, run.n_faces
    folder = row_folder(work, recipe)
    fabric = machine.prepare()
    everything = load_source(recipe.data.sources[0], data, recipe)
    cached = everything.cached(machine.cache or default_cache_folder(), cached_side_px(recipe.model.input_px))
    train_set = cached.take(hold_out(cached, n_shown))
    valid = None
    if recipe.data.valid:  # further training faces: nothing is selected on those of the table
        valid = cached.take(hold_out(cached, n_shown + _N_VALID) & ~hold_out(cached, n_shown))
    resumed, started = (folder / "checkpoints" / CHECKPOINT).is_file(), time.process_time()
    trainer = Trainer(recipe, train_set, folder / "checkpoints", valid=valid, fabric=fabric, data=data)
    network = trainer.run().cpu()
    cpu_seconds = 0.0 if resumed else time.process_time() - started
    epochs = sum(stage.epochs for stage in recipe.stages)
    logger.info("%s: %d images in %.0f s", recipe.name, epochs * n_shown, trainer.seconds)
    graph = export_onnx(network, recipe.model.input_px)
    # A gap above the bound for bundles is a result too, which the page reports: the graph is what is measured.
    gap = runtime_gap(network, graph, clean_inputs(train_set, recipe, np.arange(min(_N_PARITY, len(train_set)))))
    card = create_card(train_set)
    provenance = f"{today()}, torch {torch.__version__}"
    spec = dataclasses.replace(
        describe(recipe, "1", graph, train_set.labels),
        weights_notice=card.notice,
        training_sources=card.training_sources,
        provenance=provenance,
        limitations=(*recipe.limitations, *card.limitations),
    )
    write_bundle(folder / "bundle", graph, spec)
    protocols = PROTOCOLS if len(recipe.tasks) == _N_TASKS else PROTOCOLS[:1]
    spec = evaluate_bundle(folder / "bundle", data, spec, protocols)
    return Trained(
        digest=run.digest,
        images=epochs * n_shown,
        epochs=epochs,
        size_px=recipe.model.input_px,
        seconds=round(trainer.seconds, 1),
        cpu_seconds=round(cpu_seconds, 1),
        device=trainer.fabric.device.type,
        threads=torch.get_num_threads(),
        provenance=provenance,
        parity=gap,
        metrics=tuple(metric for metric in spec.metrics if metric.name in MEASURES),
        recipe=recipe.name,
        seed=recipe.seed,
    )

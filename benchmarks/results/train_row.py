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
from benchmarks.results.plan import Budget, Row, under_budget
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

_N_PARITY = 64


def row_folder(work: Path, recipe: Recipe) -> Path:
    """Folder of the checkpoints and the bundle of a row; every budget has its own."""
    return work / recipe.name


def digest(recipe: Recipe, n_rows: int) -> str:
    """Hash of every setting that affects the weights; limitations and published figures do not.

    Settings with their default value are left out, so that a new key of recipes does not invalidate old results.
    """
    recipe = dataclasses.replace(recipe, limitations=(), published=())
    return hashlib.sha256(f"{n_rows} {_changed_settings(recipe)}".encode()).hexdigest()


def _changed_settings(settings: object) -> object:
    """The settings that differ from their defaults, in plain types."""
    if dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        found = {}
        for field in dataclasses.fields(settings):
            value = getattr(settings, field.name)
            default = field.default_factory() if callable(field.default_factory) else field.default
            if value != default:
                found[field.name] = _changed_settings(value)
        return found
    if isinstance(settings, Mapping):
        return {key: _changed_settings(value) for key, value in sorted(settings.items())}
    return [_changed_settings(value) for value in settings] if isinstance(settings, tuple) else settings


def count_rows(budget: Budget, row: Row, data: Path) -> int:
    """Number of faces available for training.

    Raises:
        DatasetError: the data are incomplete.
    """
    recipe = under_budget(row, budget, budget.images)
    return len(load_source(recipe.data.sources[0], data, recipe))


def train_row(row: Row, budget: Budget, n_rows: int, data: Path, work: Path, machine: ComputeSettings) -> Trained:
    """Train a row, write its bundle below ``work`` and measure it.

    Args:
        row: the network.
        budget: budget of every row.
        n_rows: number of available faces, from `count_rows`.
        data: folder of the open face sets.
        work: folder of all rows; an interrupted training resumes from there.
        machine: settings of one device.

    Raises:
        ConfigError: the network does not take crops of this size, or the device does not exist.
        DatasetError: the data are incomplete.
        ModelError: the runtime cannot run the exported graph.
    """
    recipe = under_budget(row, budget, n_rows)
    epochs, n_shown = budget.epochs(n_rows)
    folder = row_folder(work, recipe)
    fabric = machine.prepare()
    source = recipe.data.sources[0]
    everything = load_source(source, data, recipe)
    cached = everything.cached(machine.cache or default_cache_folder(), cached_side_px(budget.size_px))
    train_set = cached.take(hold_out(cached, n_shown))
    resumed, started = (folder / "checkpoints" / CHECKPOINT).is_file(), time.process_time()
    trainer = Trainer(recipe, train_set, folder / "checkpoints", fabric=fabric)
    network = trainer.run().cpu()
    cpu_seconds = 0.0 if resumed else time.process_time() - started
    logger.info("%s: %d images in %.0f s", row.name, epochs * n_shown, trainer.seconds)
    graph = export_onnx(network, budget.size_px)
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
    spec = evaluate_bundle(folder / "bundle", data, spec, PROTOCOLS)
    return Trained(
        digest=digest(recipe, n_rows),
        images=epochs * n_shown,
        epochs=epochs,
        size_px=budget.size_px,
        seconds=round(trainer.seconds, 1),
        cpu_seconds=round(cpu_seconds, 1),
        device=trainer.fabric.device.type,
        threads=torch.get_num_threads(),
        provenance=provenance,
        parity=gap,
        metrics=tuple(metric for metric in spec.metrics if metric.name in MEASURES),
        recipe=recipe.name,
    )

# SPDX-License-Identifier: Apache-2.0
"""Trains a recipe of pictures and writes its bundle: data, network, calibration, export, parity, metrics."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import logging
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from mien.core import ConfigError, MetricValue, ModelSpec, TrainingSource
from mien.evaluation import evaluate
from mien.inference import create_session
from mien.training.data.batch_loader import clean_inputs
from mien.training.data.sources import TrainingData, load_training_data
from mien.training.data.training_images import cached_side_px, default_cache_folder
from mien.training.data.training_set import TrainingSet
from mien.training.engine.compute import ComputeSettings
from mien.training.engine.targets import card_sentences
from mien.training.engine.trainer import Trainer
from mien.training.export.bundle_files import write_bundle, write_spec
from mien.training.export.detector_calibration import fit_confidence
from mien.training.export.measured_metrics import measured_metrics
from mien.training.export.onnx_export import (
    adjust_logits,
    calibrate,
    check_held_out,
    describe,
    export_onnx,
    parity_gap,
)
from mien.training.export.quantize import halve_weights
from mien.training.recipes.recipe import Recipe

logger = logging.getLogger(__name__)

_N_PARITY = 64
_BATCH = 64


def train_bundle(
    recipe: Recipe, data: Path, out: Path, work: Path, compute: ComputeSettings | None = None
) -> ModelSpec | None:
    """Train a recipe of pictures and write an evaluated bundle.

    Args:
        recipe: Recipe to train.
        data: Folder of the data sets (layouts: docs/how-to/training.md and docs/reference/datasets.md).
        out: Folder of the new bundle.
        work: Folder for checkpoints; an interrupted training resumes from there.
        compute: Devices, threads and the picture cache.

    Returns:
        The bundle's description; None in the further processes of a training on several devices, which write nothing.

    Raises:
        ConfigError: The recipe does not fit the data or the machine.
        DatasetError: The data are incomplete.
        ModelError: The exported graph and the network disagree.
    """
    compute = compute or ComputeSettings()
    if not recipe.model.backbone:
        raise ConfigError(f"{recipe.name} trains on vectors: train it with train_head")
    trainer, training_data = train_network(recipe, data, work, compute)
    if not trainer.fabric.is_global_zero:
        return None
    network = trainer.result.cpu()
    if recipe.calibration.logit_adjustment:
        adjust_logits(network, training_data.train_set.targets["expression"], recipe.calibration.logit_adjustment)
    graph = export_onnx(network, recipe.model.input_px)
    spec = describe(recipe, "1", graph, training_data.train_set.labels)
    checked = training_data.train_set if training_data.calibration is None else training_data.calibration
    gap = parity_gap(network, graph, _inputs(checked, recipe, min(_N_PARITY, len(checked))))
    logger.info("torch and the runtime differ by at most %.1e on the same faces", gap)
    if spec.grid is not None:
        graph = halve_weights(graph)  # the wheel has little room
        grid = fit_confidence(graph, training_data.train_set, recipe, spec.grid)
        spec = dataclasses.replace(spec, sha256=hashlib.sha256(graph).hexdigest(), grid=grid)
    elif training_data.calibration is not None:
        outputs = run_graph(graph, training_data.calibration, recipe, spec)
        targets = training_data.calibration.targets
        spec = calibrate(spec, outputs, targets, recipe.calibration, training_data.card.inferred)
    spec = dataclasses.replace(
        spec,
        blend=recipe.blend,
        weights_notice=training_data.card.notice,
        training_sources=(*training_data.card.training_sources, *_start(recipe)),
        provenance=provenance(recipe, trainer, gap, compute),
        limitations=(
            *training_data.card.limitations,
            *card_sentences(recipe),
            *recipe.limitations,
            *selection_caveats(recipe, trainer),
        ),
    )
    protocols = () if is_refit(recipe) else training_data.card.protocols
    if recipe.data.valid and not protocols:
        metrics = measured_metrics(graph, recipe, data, [task.output for task in spec.tasks])
        spec = dataclasses.replace(spec, metrics=metrics)
    write_bundle(out, graph, spec)
    return evaluate_bundle(out, data, spec, protocols) if protocols else spec


def train_network(recipe: Recipe, data: Path, work: Path, compute: ComputeSettings) -> tuple[Trainer, TrainingData]:
    """Train a recipe without exporting anything. Arguments as for `train_bundle`.

    Returns:
        The trainer, whose ``result`` is the network, and the data.

    Raises:
        ConfigError: The recipe does not fit the data or the machine.
        DatasetError: The data are incomplete.
    """
    fabric = compute.prepare()
    if not fabric.is_global_zero:
        logging.getLogger("mien").setLevel(logging.WARNING)  # one process reports for all
    cache, side_px = compute.cache or default_cache_folder(), cached_side_px(recipe.model.input_px)
    training_data = load_training_data(recipe, data).cached(cache, side_px)
    if training_data.calibration is not None:
        known = training_data.train_set.labels.items()
        labels = {task: names for task, names in known if task in recipe.bundle_tasks}
        check_held_out(recipe.calibration, labels, training_data.calibration.targets)
    trainer = Trainer(recipe, training_data.train_set, work, valid=training_data.valid, fabric=fabric, data=data)
    trainer.run()
    return trainer, training_data


def evaluate_bundle(folder: Path, data: Path, spec: ModelSpec, protocols: Sequence[str]) -> ModelSpec:
    """Evaluate the bundle by its protocols, as users would, and write the metrics into it."""
    metrics: list[MetricValue] = []
    for name in protocols:
        metrics += evaluate(name, folder, data).card_metrics()
    spec = dataclasses.replace(spec, metrics=tuple(metrics))
    write_spec(folder, spec)
    return spec


def _inputs(samples: TrainingSet, recipe: Recipe, n: int) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    return clean_inputs(samples, recipe, np.arange(n))


def run_graph(
    graph: bytes, samples: TrainingSet, recipe: Recipe, spec: ModelSpec
) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """Output name -> (N, L) raw outputs of the runtime for clean inputs, cut as the bundle reads crops."""
    session = create_session(graph)
    parts = []
    for start in range(0, len(samples), _BATCH):
        rows = np.arange(start, min(start + _BATCH, len(samples)))
        parts.append(session.run({spec.input.name: clean_inputs(samples, recipe, rows)}))
    return {task.output: np.concatenate([part[task.output] for part in parts]) for task in spec.tasks}


def is_refit(recipe: Recipe) -> bool:
    """Whether the recipe trains on a split that protocols evaluate on."""
    return any(source.split != "train" for source in recipe.data.sources)


def selection_caveats(recipe: Recipe, trainer: Trainer) -> tuple[str, ...]:
    """Sentence about stages whose weights were selected on validation data; empty without any."""
    kept = [
        f"stage {number + 1} by {recipe.stages[number].best_by} ({value:.4f})"
        for number, value in trainer.selected.items()
    ]
    if not kept:
        return ()
    return (f"Weights were selected on the validation set ({', '.join(kept)}): metrics on it are optimistic.",)


def _start(recipe: Recipe) -> tuple[TrainingSource, ...]:
    """The published weights that the backbone starts from, if any."""
    published = {
        "imagenet": (f"ImageNet {recipe.model.backbone}", "Apache-2.0"),
        "faceres": ("FaceRes (HSE_FaceRec_tf), VGGFace2 identities", "weights Apache-2.0; VGGFace2 is a research set"),
        "sface": ("SFace (OpenCV model zoo), a set of identities that was never named", "weights Apache-2.0"),
    }
    if recipe.model.start not in published:
        return ()
    name, licence = published[recipe.model.start]
    return (TrainingSource(name=name, role="start weights", n=0, licence=licence),)


def provenance(recipe: Recipe, trainer: Trainer, gap: float, compute: ComputeSettings) -> str:
    """One sentence about the date, duration, machine and versions of a training."""
    return f"{training_summary(recipe, trainer, compute)}; parity with torch {gap:.1e}"


def training_summary(recipe: Recipe, trainer: Trainer, compute: ComputeSettings) -> str:
    """Date, epochs, duration, machine and versions of a training."""
    epochs = " + ".join(
        f"{stage.epochs} at {stage.size_px or recipe.model.input_px} px" if recipe.model.backbone else f"{stage.epochs}"
        for stage in recipe.stages
    )
    where = f"{os.cpu_count()} CPU cores ({platform.machine()})"
    if trainer.fabric.device.type == "cuda":
        where = f"{compute.devices} x {torch.cuda.get_device_name()}"
    held_out = f", {recipe.data.calibration_rows} rows held out for calibration" if recipe.data.calibration_rows else ""
    return (
        f"{datetime.datetime.now(datetime.UTC).date().isoformat()}, {epochs} epochs in {trainer.seconds / 60:.0f} min "
        f"on {where}, seed {recipe.seed}, torch {torch.__version__}{held_out}"
    )

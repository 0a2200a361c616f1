# SPDX-License-Identifier: Apache-2.0
"""A whole training: data, network, calibration, export, parity, measurement."""

from __future__ import annotations

import dataclasses
import datetime
import logging
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from mien.affect import Analyzer
from mien.core import ConfigError, MetricValue, ModelSpec, TrainingSource
from mien.evaluation import evaluate
from mien.inference import create_session
from mien.training.data.batch_loader import clean_inputs
from mien.training.data.sources import TrainingData, load_training_data
from mien.training.data.training_images import cached_side_px, default_cache_folder
from mien.training.data.training_set import TrainingSet
from mien.training.engine.compute import create_fabric, keep_freed_memory
from mien.training.engine.trainer import Trainer
from mien.training.export.bundle_files import write_bundle, write_spec
from mien.training.export.onnx_export import calibrate, describe, export_onnx, parity_gap
from mien.training.recipes.recipe import Recipe

if TYPE_CHECKING:
    from lightning.fabric import Fabric

logger = logging.getLogger(__name__)

_N_PARITY = 64
_BATCH = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComputeSettings:
    """Where and how fast a training runs; nothing of it changes what is learnt but rounding.

    Attributes:
        threads: of torch; None leaves its default.
        cache: folder of decoded pictures; None takes `default_cache_folder`.
        devices: how many, one process each.
        accelerator: ``"cpu"``, ``"gpu"``, ``"mps"`` or ``"auto"``.
        precision: ``"fp32"`` or ``"bf16"``.
    """

    threads: int | None = None
    cache: Path | None = None
    devices: int = 1
    accelerator: str = "cpu"
    precision: str = "fp32"

    def prepare(self) -> Fabric:
        """Devices for a trainer, and torch's threads; the process keeps what tensors free, see `keep_freed_memory`.

        Raises:
            ConfigError: the precision is unknown, or the machine has no such devices.
        """
        if self.threads is not None:
            torch.set_num_threads(self.threads)
        keep_freed_memory()
        return create_fabric(devices=self.devices, accelerator=self.accelerator, precision=self.precision)


def train_bundle(
    recipe: Recipe, data: Path, out: Path, work: Path, machine: ComputeSettings | None = None
) -> ModelSpec | None:
    """Train the recipe and write a measured bundle.

    Args:
        recipe: what to do.
        data: folder of the data sets (layouts: docs/training.md and docs/datasets.md).
        out: folder of the new bundle.
        work: folder for checkpoints; an interrupted training goes on from there.
        machine: devices, threads and the picture cache.

    Returns:
        The bundle's description; None in the further processes of a training on several devices, which write nothing.

    Raises:
        ConfigError: the recipe does not fit the data or the machine.
        DatasetError: the data are incomplete.
        ModelError: the exported graph and the network disagree.
    """
    machine = machine or ComputeSettings()
    if not recipe.model.backbone:
        raise ConfigError(f"{recipe.name} learns from vectors: train it with train_head")
    trainer, training_data = train_network(recipe, data, work, machine)
    if not trainer.fabric.is_global_zero:
        return None
    network = trainer.result.cpu()
    graph = export_onnx(network, recipe.model.input_px)
    spec = describe(recipe, "1", graph, training_data.train_set.labels)
    checked = training_data.train_set if training_data.calibration is None else training_data.calibration
    gap = parity_gap(network, graph, _inputs(checked, recipe, min(_N_PARITY, len(checked))))
    logger.info("torch and the runtime differ by at most %.1e on the same faces", gap)
    if training_data.calibration is not None:
        outputs = run_graph(graph, training_data.calibration, recipe, spec)
        targets = training_data.calibration.targets
        spec = calibrate(spec, outputs, targets, recipe.calibration, training_data.card.inferred)
    spec = dataclasses.replace(
        spec,
        weights_notice=training_data.card.notice,
        training_sources=(*training_data.card.training_sources, *_start(recipe)),
        provenance=provenance(recipe, trainer, gap, machine),
        limitations=(*training_data.card.limitations, *recipe.limitations, *selection_caveats(recipe, trainer)),
    )
    write_bundle(out, graph, spec)
    return measure_bundle(out, data, spec, training_data.card.protocols if not is_refit(recipe) else ())


def train_network(recipe: Recipe, data: Path, work: Path, machine: ComputeSettings) -> tuple[Trainer, TrainingData]:
    """Train the recipe without exporting anything.

    Returns:
        The trainer, whose ``result`` is the network, and what it learnt from.

    Raises:
        ConfigError: the recipe does not fit the data or the machine.
        DatasetError: the data are incomplete.
    """
    fabric = machine.prepare()
    if not fabric.is_global_zero:
        logging.getLogger("mien").setLevel(logging.WARNING)  # one process tells what all do
    training_data = load_training_data(recipe, data)
    cache = machine.cache or default_cache_folder()
    side = cached_side_px(recipe.model.input_px)
    training_data = dataclasses.replace(
        training_data,
        train_set=training_data.train_set.cached(cache, side),
        valid=None if training_data.valid is None else training_data.valid.cached(cache, side),
        calibration=None if training_data.calibration is None else training_data.calibration.cached(cache, side),
    )
    trainer = Trainer(recipe, training_data.train_set, work, valid=training_data.valid, fabric=fabric)
    trainer.run()
    return trainer, training_data


def measure_bundle(folder: Path, data: Path, spec: ModelSpec, protocols: Sequence[str]) -> ModelSpec:
    """Measure the bundle as users would and write the figures into it."""
    analyzer = Analyzer(folder)
    metrics: list[MetricValue] = []
    for name in protocols:
        metrics += evaluate(name, analyzer, data).card_metrics()
    spec = dataclasses.replace(spec, metrics=tuple(metrics))
    write_spec(folder, spec)
    return spec


def _inputs(samples: TrainingSet, recipe: Recipe, n: int) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    return clean_inputs(samples, recipe, np.arange(n))


def run_graph(
    graph: bytes, samples: TrainingSet, recipe: Recipe, spec: ModelSpec
) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """The runtime's raw outputs for the samples, as they stand."""
    session = create_session(graph)
    parts = []
    for start in range(0, len(samples), _BATCH):
        rows = np.arange(start, min(start + _BATCH, len(samples)))
        parts.append(session.run({spec.input.name: clean_inputs(samples, recipe, rows)}))
    return {task.output: np.concatenate([part[task.output] for part in parts]) for task in spec.tasks}


def is_refit(recipe: Recipe) -> bool:
    """Whether the recipe learns from a set that protocols measure on."""
    return any(source.split != "train" for source in recipe.data.sources)


def selection_caveats(recipe: Recipe, trainer: Trainer) -> tuple[str, ...]:
    """Which stages were selected on validation data: their figures there are a little kind."""
    kept = [
        f"stage {number + 1} by {recipe.stages[number].best_by} ({value:.4f})"
        for number, value in trainer.selected.items()
    ]
    if not kept:
        return ()
    return (f"Weights were selected on the validation set ({', '.join(kept)}), so figures on it are a little kind.",)


def _start(recipe: Recipe) -> tuple[TrainingSource, ...]:
    """The published weights that the backbone starts from, if it does."""
    if recipe.model.start != "imagenet":
        return ()
    name = f"ImageNet {recipe.model.backbone}"
    return (TrainingSource(name=name, role="start weights", n=0, licence="Apache-2.0"),)


def provenance(recipe: Recipe, trainer: Trainer, gap: float, machine: ComputeSettings) -> str:
    """One sentence: when, how long, where, with what."""
    epochs = " + ".join(
        f"{stage.epochs} at {stage.size_px or recipe.model.input_px} px" if recipe.model.backbone else f"{stage.epochs}"
        for stage in recipe.stages
    )
    where = f"{os.cpu_count()} CPU cores ({platform.machine()})"
    if trainer.fabric.device.type == "cuda":
        where = f"{machine.devices} x {torch.cuda.get_device_name()}"
    aside = f", {recipe.data.calibration_rows} rows set aside for calibration" if recipe.data.calibration_rows else ""
    return (
        f"{datetime.datetime.now(datetime.UTC).date().isoformat()}, {epochs} epochs in {trainer.seconds / 60:.0f} min "
        f"on {where}, seed {recipe.seed}, torch {torch.__version__}{aside}; parity with torch {gap:.1e}"
    )

# SPDX-License-Identifier: Apache-2.0
"""Trains a pretext over identities and writes the backbone alone, as start weights for other recipes."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import torch

from mien.core import ConfigError, MetricValue, TrainingSource
from mien.results import atomic_write, output_errors
from mien.training.engine.compute import ComputeSettings
from mien.training.engine.validation import raw_outputs
from mien.training.export.measured_metrics import bounded_metrics
from mien.training.picture_training import selection_caveats, train_network, training_summary
from mien.training.recipes.recipe import IDENTITY, Recipe

START_FILE = "start.pt"
"""Name of the file of weights in the output folder, a path for ``[model] start``."""

_ADVICE = "check that the folder may be written to, or choose another one"


@dataclass(frozen=True, kw_only=True)
class StartWeights:
    """What ``start.json`` says about start weights from a pretext.

    Attributes:
        name: Name of the recipe.
        backbone: Backbone that the weights fit.
        colour: ``"gray"`` or ``"rgb"``.
        mean: Numbers that the recipe subtracts from pixels.
        std: Numbers that it divides by after that.
        sha256: SHA-256 of the file of weights.
        n_persons: Number of persons that were distinguished.
        training_sources: Sets that were trained on.
        provenance: Date, duration and machine of the training.
        metrics: Metrics on the photos that were held out.
        limitations: What to know before use, in sentences.
    """

    name: str
    backbone: str
    colour: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    sha256: str
    n_persons: int
    training_sources: tuple[TrainingSource, ...]
    provenance: str
    metrics: tuple[MetricValue, ...]
    limitations: tuple[str, ...]


def train_identities(
    recipe: Recipe, data: Path, out: Path, work: Path, compute: ComputeSettings | None = None
) -> StartWeights | None:
    """Train a recipe whose only task is identity, and write ``start.pt`` and ``start.json``.

    The classifier is not kept.

    Args:
        recipe: Recipe to train.
        data: Folder of the data sets.
        out: Folder of the start weights, which is created.
        work: Folder for checkpoints; an interrupted training resumes from there.
        compute: Devices, threads and the picture cache.

    Returns:
        What ``start.json`` says; None in the further processes of a training on several devices.

    Raises:
        ConfigError: The recipe has further tasks or no backbone, or does not fit the data or the machine.
        DatasetError: The data are incomplete.
        OutputError: The files cannot be written.
    """
    if recipe.tasks != (IDENTITY,) or not recipe.model.backbone:
        raise ConfigError(f"{recipe.name}: a pretext over identities has a backbone and the task identity alone")
    compute = compute or ComputeSettings()
    trainer, training_data = train_network(recipe, data, work, compute)
    if not trainer.fabric.is_global_zero:
        return None
    network = trainer.result.cpu()
    buffer = io.BytesIO()
    torch.save(network.backbone.state_dict(), buffer)
    weights = buffer.getvalue()
    metrics: tuple[MetricValue, ...] = ()
    if training_data.valid is not None:
        outputs = raw_outputs(network, training_data.valid, recipe)[IDENTITY]
        records = training_data.valid.records
        title = records[0].title if records else ""
        metrics = tuple(bounded_metrics(IDENTITY, outputs, training_data.valid.targets[IDENTITY], title, recipe.name))
    found = StartWeights(
        name=recipe.name,
        backbone=recipe.model.backbone,
        colour=recipe.model.colour,
        mean=recipe.model.mean,
        std=recipe.model.std,
        sha256=hashlib.sha256(weights).hexdigest(),
        n_persons=len(training_data.train_set.labels[IDENTITY]),
        training_sources=training_data.card.training_sources,
        provenance=training_summary(recipe, trainer, compute),
        metrics=metrics,
        limitations=(*recipe.limitations, *selection_caveats(recipe, trainer)),
    )
    with output_errors(out, _ADVICE):
        out.mkdir(parents=True, exist_ok=True)
        with atomic_write(out / START_FILE) as file:
            file.write(weights)
        text = json.dumps(dataclasses.asdict(found), indent=1, ensure_ascii=False) + "\n"
        with atomic_write(out / "start.json") as file:
            file.write(text.encode())
    return found

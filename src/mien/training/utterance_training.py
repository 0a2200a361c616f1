# SPDX-License-Identifier: Apache-2.0
"""Trains a network over utterances and writes its sequence bundle: data, network, export, parity, metrics."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import cast

import numpy as np

from mien.core import (
    SEQUENCE_VERSION,
    UTTERANCE_TASKS,
    ConfigError,
    SequenceSpec,
    UtteranceOutput,
    UtteranceTask,
)
from mien.training.data.batch_loader import clean_inputs
from mien.training.data.utterance_sources import fit_sequences
from mien.training.engine.compute import ComputeSettings
from mien.training.engine.targets import card_sentences
from mien.training.export.bundle_files import write_sequence
from mien.training.export.measured_metrics import measured_metrics
from mien.training.export.onnx_export import GRAPH_INPUT, export_onnx, output_names, parity_gap
from mien.training.picture_training import provenance, selection_caveats, train_network
from mien.training.recipes.recipe import Recipe

_N_PARITY = 64


def train_utterances(
    recipe: Recipe, data: Path, out: Path, work: Path, compute: ComputeSettings | None = None
) -> SequenceSpec | None:
    """Train a recipe with ``[model.sequences]`` and write an evaluated sequence bundle.

    Args:
        recipe: Recipe to train; the lengths of its feature vectors follow the data.
        data: Folder of the data sets (layout: docs/reference/datasets/utterances.md).
        out: Folder of the new bundle.
        work: Folder for checkpoints; an interrupted training resumes from there.
        compute: Devices and threads.

    Returns:
        The description of the bundle; None in the further processes of a training on several devices.

    Raises:
        ConfigError: The recipe does not fit the data or the machine.
        DatasetError: The data are incomplete.
        ModelError: The exported graph and the network disagree.
    """
    compute = compute or ComputeSettings()
    strange = sorted(set(recipe.tasks) - set(UTTERANCE_TASKS))
    if strange:
        raise ConfigError(f"utterances have the tasks {', '.join(UTTERANCE_TASKS)}, not {', '.join(strange)}")
    recipe = fit_sequences(recipe, data)
    recipe = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, features=False))
    trainer, training_data = train_network(recipe, data, work, compute)
    if not trainer.fabric.is_global_zero:
        return None
    network = trainer.result.cpu()
    graph = export_onnx(network, recipe.model.n_vector)
    train_set = training_data.train_set
    gap = parity_gap(network, graph, clean_inputs(train_set, recipe, np.arange(min(_N_PARITY, len(train_set)))))
    sequences = recipe.model.sequences
    spec = SequenceSpec(
        sequence_version=SEQUENCE_VERSION,
        name=recipe.name,
        version="1",
        sha256=hashlib.sha256(graph).hexdigest(),
        steps=sequences.steps,  # type: ignore[union-attr]  # fit_sequences refuses a recipe without
        modalities=sequences.modalities,  # type: ignore[union-attr]
        tasks=tuple(
            UtteranceOutput(task=cast("UtteranceTask", task), output=output, labels=train_set.labels[task])
            for task, output in zip(recipe.bundle_tasks, output_names(network), strict=True)
        ),
        input=GRAPH_INPUT,
        weights_notice=training_data.card.notice,
        training_sources=training_data.card.training_sources,
        recipe=recipe.name,
        provenance=provenance(recipe, trainer, gap, compute),
        metrics=measured_metrics(graph, recipe, data, output_names(network)),
        limitations=(
            *training_data.card.limitations,
            *card_sentences(recipe),
            *recipe.limitations,
            *selection_caveats(recipe, trainer),
        ),
    )
    write_sequence(out, graph, spec)
    return spec

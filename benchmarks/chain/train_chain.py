# SPDX-License-Identifier: Apache-2.0
"""Training of the rows of the LSD chain, which keeps the logits of every epoch, and the logits before fine-tuning."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.chain.chain_faces import SIX, VALID, prepare_faces
from benchmarks.chain.chain_rows import (
    Budget,
    Row,
    pretrain_recipe,
    pretrained_file,
    recipe_of,
    row_file,
    start_path,
)
from mien.core import columns_by_name
from mien.inference import create_session, find_bundle, load_spec
from mien.results import atomic_write
from mien.training import (
    ComputeSettings,
    Recipe,
    Trainer,
    TrainingSet,
    load_checkpoint,
    load_source,
    raw_outputs,
    start_from_bundle,
    train_network,
)
from mien.training.data.batch_loader import clean_inputs
from mien.training.data.training_images import cached_side_px, default_cache_folder
from mien.training.export.joined_bundles import joined_parts
from mien.training.recipes.settings import SourceSettings

Logits = npt.NDArray[np.float32]

_LAST_STAGE = 1
_BATCH = 64

# Rows that start from "mien-light" mean its network of version 1, the second part of mien-accurate: 8-bit weights, as
# version 2 has, cannot be trained.
_FLOAT_BUNDLE, _SIZE_PX = "mien-accurate", 80


class _RecordingTrainer(Trainer):
    """A trainer that writes the logits of the test faces after every epoch of the last stage."""

    test_faces: TrainingSet

    def end_epoch(self, number: int) -> None:
        """Write the logits, which an interruption of a later epoch leaves."""
        if number == _LAST_STAGE:
            logits = raw_outputs(self.result, self.test_faces, self.recipe)["expression"]
            with atomic_write(self.folder / f"epoch-{self.progress.epoch}.npy") as file:
                np.save(file, logits)


def train_row(row: Row, seed: int, budget: Budget, data: Path, work: Path, compute: ComputeSettings) -> None:
    """Train a row and keep the logits (E, N, 6) of its E epochs for the N test faces, with their names and classes."""
    prepare_faces(row, budget, data, work)
    test_faces = load_test_faces(recipe_of(row, seed, budget, work), work)
    if row.start != "imagenet":
        _prepare_start(row.start, budget, data, work, compute)
        _keep_pretrained(row.start, budget, test_faces, work)
    recipe = recipe_of(row, seed, budget, work)
    train_set = _cached(load_source(recipe.data.sources[0], work, recipe), recipe)
    target = row_file(row.name, seed, work)
    trainer = _RecordingTrainer(recipe, train_set, target.parent, fabric=compute.prepare())
    trainer.test_faces = test_faces
    trainer.run()
    epochs = [np.load(target.parent / f"epoch-{epoch}.npy") for epoch in range(recipe.stages[_LAST_STAGE].epochs)]
    _save(target, np.stack(epochs), test_faces)


def load_test_faces(recipe: Recipe, work: Path) -> TrainingSet:
    """The real faces to test on, unchanged."""
    return _cached(load_source(SourceSettings(name="lsd", split="valid", folder=VALID), work, recipe), recipe)


def _prepare_start(start: str, budget: Budget, data: Path, work: Path, compute: ComputeSettings) -> None:
    """Write the checkpoint that rows of this start begin with, unless it is there."""
    path = start_path(start, work)
    if start == "mt-emotieffnet":
        train_network(pretrain_recipe(budget), data, path.parent, compute)  # resumes, and returns at once when done
        return
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    row = Row(name="start", step="", images="real")
    prepare_faces(row, budget, data, work)
    recipe = recipe_of(row, 1, budget, work)
    start_from_bundle(_FLOAT_BUNDLE, recipe, _cached(load_source(recipe.data.sources[0], work, recipe), recipe), path)


def _keep_pretrained(start: str, budget: Budget, test_faces: TrainingSet, work: Path) -> None:
    """Keep the logits (1, N, 6) before fine-tuning: the columns of the six classes."""
    target = pretrained_file(start, work)
    if target.is_file():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if start == "mt-emotieffnet":
        recipe = pretrain_recipe(budget)
        checkpoint = load_checkpoint(start_path(start, work))
        labels = checkpoint.labels["expression"]
        trainer = Trainer(recipe, _labelled_as(test_faces, checkpoint.labels), work / "starts" / start)
        trainer.network.load_state_dict(checkpoint.network)
        logits = raw_outputs(trainer.result, test_faces, recipe)["expression"]
    else:
        spec = load_spec(_FLOAT_BUNDLE)
        *_, graph = joined_parts((find_bundle(_FLOAT_BUNDLE) / "model.onnx").read_bytes())
        session, task = create_session(graph, threads=1), next(task for task in spec.tasks if task.task == "expression")
        labels, recipe = list(task.labels), recipe_of(Row(name="", step="", images="real"), 1, budget, work)
        rows = np.arange(len(test_faces))
        crops = np.asarray(clean_inputs(test_faces, recipe, rows, size_px=_SIZE_PX), np.uint8)
        parts = [
            session.run({spec.input.name: crops[i : i + _BATCH]})[task.output] for i in range(0, len(crops), _BATCH)
        ]
        logits = np.concatenate(parts)
    _save(target, logits[None][..., columns_by_name(tuple(labels), SIX)], test_faces)


def _labelled_as(samples: TrainingSet, labels: dict[str, list[str]]) -> TrainingSet:
    """The same faces with unknown labels of other tasks, from which a network of these tasks can be built."""
    targets = {task: np.full((len(samples), len(names)), 0.5, np.float32) for task, names in labels.items()}
    return dataclasses.replace(samples, targets=targets, labels={task: tuple(names) for task, names in labels.items()})


def _cached(samples: TrainingSet, recipe: Recipe) -> TrainingSet:
    return samples.cached(default_cache_folder(), cached_side_px(recipe.model.input_px))


def _save(target: Path, logits: Logits, test_faces: TrainingSet) -> None:
    truth = test_faces.targets["expression"].argmax(axis=1)
    with atomic_write(target) as file:
        np.savez(file, logits=logits, truth=truth, names=np.array(test_faces.groups))

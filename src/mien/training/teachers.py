# SPDX-License-Identifier: Apache-2.0
"""Trained networks as teachers: bundles, or checkpoints of other recipes, whose answers become targets."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from mien.affect import activate
from mien.core import ConfigError, TaskSpec, columns_by_name, read_typed
from mien.faces import resize_face, to_colour
from mien.inference import load_bundle
from mien.training.checkpoint import load_checkpoint, load_result
from mien.training.data import TeachingSet
from mien.training.network import AffectNetwork
from mien.training.pictures import Image
from mien.training.recipe import Recipe
from mien.training.settings import TeacherSettings
from mien.training.stored_vectors import is_vectors
from mien.training.validation import raw_outputs

Floats = npt.NDArray[np.float32]
Answers = dict[str, tuple[tuple[str, ...], Floats]]
"""Task -> names of the columns, and (N, L) probabilities or values."""

_BATCH = 64


def add_teacher(
    targets: dict[str, Floats], samples: TeachingSet, teacher: TeacherSettings, recipe: Recipe, folder: Path
) -> dict[str, Floats]:
    """The targets with a teacher's share: where a label is known it is blended in, where none is it becomes the label.

    Args:
        targets: task -> (N, L).
        samples: that the targets belong to.
        teacher: whose answers, and how much they count.
        recipe: of the student.
        folder: where the answers are kept, so that going on asks nobody twice.

    Raises:
        ConfigError: the teacher and the student share no task, or the teacher lacks a class.
        ModelError: the bundle is missing or damaged.
    """
    answers = _kept_answers(samples, teacher, recipe, folder)
    tasks = [task for task in teacher.tasks or answers if task in targets]
    missing = sorted(set(tasks) - set(answers))
    if missing or not tasks:
        raise ConfigError(f"teacher {teacher.path} answers {sorted(answers)}, not {missing or sorted(targets)}")
    taught = dict(targets)
    for task in tasks:
        names, values = answers[task]
        wanted = samples.labels[task]
        if task == "action_units":  # units that the teacher does not know stay as they are
            shared = [name for name in wanted if name in names]
            answer = np.full(targets[task].shape, np.nan, np.float32)
            answer[:, columns_by_name(wanted, shared)] = values[:, columns_by_name(names, shared)]
        else:
            answer = values[:, columns_by_name(names, wanted)]
        taught[task] = blend(targets[task], answer, teacher.weight)
    return taught


def blend(targets: Floats, answer: Floats, weight: float) -> Floats:
    """``(1 - weight) target + weight answer`` where both are known, else whichever is."""
    both = (1 - weight) * targets + weight * answer
    return np.where(np.isnan(targets), answer, np.where(np.isnan(answer), targets, both)).astype(np.float32)


def load_network(path: Path) -> tuple[AffectNetwork, Recipe, dict[str, tuple[str, ...]]]:
    """The network of a checkpoint in evaluation mode, its recipe, and its labels.

    Raises:
        ConfigError: it is no checkpoint of this version.
    """
    checkpoint = load_checkpoint(path)
    recipe = read_typed(Recipe, json.loads(checkpoint.recipe), f"{path}: recipe")
    labels = {task: tuple(names) for task, names in checkpoint.labels.items()}
    bare = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, start="scratch"))
    network = AffectNetwork(bare, labels)
    network.load_state_dict(load_result(path))
    return network.eval(), recipe, labels


def _kept_answers(samples: TeachingSet, teacher: TeacherSettings, recipe: Recipe, folder: Path) -> Answers:
    key = hashlib.sha256(f"{teacher.path} {teacher.temperature}".encode()).hexdigest()[:12]
    path = folder / f"teacher-{key}.npz"
    if not path.is_file():
        is_checkpoint = Path(teacher.path).is_file()
        answers = (_ask_checkpoint if is_checkpoint else _ask_bundle)(samples, teacher, recipe)
        content = {task: values for task, (_, values) in answers.items()}
        names = {f"{task} names": np.array(labels) for task, (labels, _) in answers.items()}
        draft = path.with_suffix(".tmp.npz")
        np.savez(draft, **content, **names)  # type: ignore[arg-type]  # NumPy types its one option first
        draft.replace(path)
    with np.load(path, allow_pickle=False) as kept:
        tasks = [name for name in kept.files if not name.endswith(" names")]
        return {task: (tuple(map(str, kept[f"{task} names"])), kept[task]) for task in tasks}


def _ask_bundle(samples: TeachingSet, teacher: TeacherSettings, recipe: Recipe) -> Answers:
    bundle = load_bundle(teacher.path)
    spec = bundle.spec
    pictures = _pictures(samples, teacher)
    parts: list[dict[str, Floats]] = []
    for start in range(0, len(samples), _BATCH):
        batch = [pictures(row) for row in range(start, min(start + _BATCH, len(samples)))]
        crops = [
            resize_face(_in_colour(picture, recipe.model.colour, spec.input.colour), spec.input.size_px)
            for picture in batch
        ]
        parts.append(bundle.run(np.stack(crops)))
    return {
        task.task: (
            task.labels,
            activate(np.concatenate([part[task.output] for part in parts]), _softened(task, teacher.temperature)),
        )
        for task in spec.tasks
    }


def _ask_checkpoint(samples: TeachingSet, teacher: TeacherSettings, recipe: Recipe) -> Answers:
    network, own, labels = load_network(Path(teacher.path))
    if own.model.colour != recipe.model.colour:
        raise ConfigError(f"{teacher.path} sees {own.model.colour}, this recipe {recipe.model.colour}; use its bundle")
    outputs = raw_outputs(network, samples, own)
    activated: Answers = {}
    for task, values in outputs.items():
        raw = torch.from_numpy(values)
        if task == "expression":
            raw = (raw / teacher.temperature).softmax(dim=1)
        elif task == "action_units":
            raw = raw.sigmoid()
        activated[task] = (labels[task], raw.numpy())
    return activated


def _softened(task: TaskSpec, temperature: float) -> TaskSpec:
    return dataclasses.replace(task, temperature=temperature) if task.task == "expression" else task


def _pictures(samples: TeachingSet, teacher: TeacherSettings) -> Callable[[int], Image]:
    inputs = samples.inputs
    if is_vectors(inputs):
        raise ConfigError(f"teacher {teacher.path} is a bundle, which sees pictures; this recipe learns from vectors")
    return inputs.__getitem__


def _in_colour(picture: Image, own: str, wanted: str) -> Image:
    if own == wanted:
        return picture
    if own == "gray":
        return np.repeat(picture[..., None], 3, axis=2)
    return to_colour(picture, wanted)

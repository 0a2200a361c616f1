# SPDX-License-Identifier: Apache-2.0
"""Targets from trained networks: teachers (bundles or checkpoints) and self-distillation."""

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
from mien.training.data.batch_loader import clean_inputs, ferplus_style_copy
from mien.training.data.feature_vectors import is_vectors
from mien.training.data.training_images import Image
from mien.training.data.training_set import Rows, TrainingSet
from mien.training.engine.checkpoint import load_checkpoint, load_result
from mien.training.engine.validation import raw_outputs
from mien.training.models.network import AffectNetwork
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.settings import StageSettings, TeacherSettings

Floats = npt.NDArray[np.float32]
Predictions = dict[str, tuple[tuple[str, ...], Floats]]
"""Task -> names of the columns, and (N, L) probabilities or values."""

_BATCH = 64


def add_teacher(
    targets: dict[str, Floats], samples: TrainingSet, teacher: TeacherSettings, recipe: Recipe, folder: Path
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


def _kept_answers(samples: TrainingSet, teacher: TeacherSettings, recipe: Recipe, folder: Path) -> Predictions:
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


def _ask_bundle(samples: TrainingSet, teacher: TeacherSettings, recipe: Recipe) -> Predictions:
    bundle = load_bundle(teacher.path, kind="affect")
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


def _ask_checkpoint(samples: TrainingSet, teacher: TeacherSettings, recipe: Recipe) -> Predictions:
    network, own, labels = load_network(Path(teacher.path))
    if own.model.colour != recipe.model.colour:
        raise ConfigError(f"{teacher.path} sees {own.model.colour}, this recipe {recipe.model.colour}; use its bundle")
    outputs = raw_outputs(network, samples, own)
    activated: Predictions = {}
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


def _pictures(samples: TrainingSet, teacher: TeacherSettings) -> Callable[[int], Image]:
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


_SELF_BATCH = 128


def pseudo_label_auxiliary(
    targets: dict[str, Floats],
    network: AffectNetwork,
    samples: TrainingSet,
    recipe: Recipe,
    stage: StageSettings,
    kept: Path,
) -> dict[str, Floats]:
    """Give secondary rows what the network sees in their gray 48-px copies, its home ground.

    A label that such a row already has (LFW's, noisy) keeps its share; valence and arousal are replaced.
    """
    rows = np.flatnonzero(~samples.primary)
    seen = _answers(network, samples, recipe, stage, rows, kept)
    taught = {task: values.copy() for task, values in targets.items()}
    own = samples.targets["expression"][rows]
    taught["expression"][rows] = blend(own, seen["expression"], 1 - stage.label_weight)
    if "valence_arousal" in taught and "valence_arousal" in seen:
        taught["valence_arousal"][rows] = seen["valence_arousal"]
    return taught


def self_distill(
    targets: dict[str, Floats],
    network: AffectNetwork,
    samples: TrainingSet,
    recipe: Recipe,
    stage: StageSettings,
    kept: Path,
) -> dict[str, Floats]:
    """Give the expression targets of primary rows a share of the network's own answer."""
    rows = np.flatnonzero(samples.primary)
    seen = _answers(network, samples, recipe, stage, rows, kept)
    taught = dict(targets)
    taught["expression"] = targets["expression"].copy()
    taught["expression"][rows] = blend(targets["expression"][rows], seen["expression"], stage.self_distillation)
    return taught


def _answers(
    network: AffectNetwork, samples: TrainingSet, recipe: Recipe, stage: StageSettings, rows: Rows, kept: Path
) -> dict[str, Floats]:
    """Expression shares, and values, of gray 48-px copies, or of vectors as they are.

    Kept in a file, so that going on changes nothing.
    """
    if not kept.is_file():
        draft = kept.with_suffix(".tmp.npz")
        np.savez(draft, **_predict_copies(network, samples, recipe, stage, rows))  # type: ignore[arg-type]  # NumPy types its one option first
        draft.replace(kept)
    with np.load(kept) as seen:
        return dict(seen)


def _predict_copies(
    network: AffectNetwork, samples: TrainingSet, recipe: Recipe, stage: StageSettings, rows: Rows
) -> dict[str, Floats]:
    network.eval()
    device = next(network.parameters()).device
    size, channels = stage.teacher_px or recipe.model.input_px, recipe.model.n_channels
    wanted: list[str] = [task for task in ("expression", "valence_arousal") if task in network.tasks]
    seen: dict[str, list[Floats]] = {task: [] for task in wanted}
    pictures = None if is_vectors(samples.inputs) else samples.inputs
    for start in range(0, len(rows), _SELF_BATCH):
        chosen = rows[start : start + _SELF_BATCH]
        inputs = (
            clean_inputs(samples, recipe, chosen)
            if pictures is None
            else np.stack(
                [
                    resize_face(ferplus_style_copy(pictures[int(row)]), size).reshape(size, size, channels)
                    for row in chosen
                ]
            )
        )
        with torch.inference_mode():
            outputs = dict(zip(network.tasks, network(torch.from_numpy(inputs).to(device)), strict=False))
        for task in wanted:
            values = outputs[task].float()
            seen[task].append((values.softmax(dim=1) if task == "expression" else values).cpu().numpy())
    n_labels = {task: len(samples.labels[task]) for task in wanted}
    return {
        task: np.concatenate(parts) if parts else np.empty((0, n_labels[task]), np.float32)
        for task, parts in seen.items()
    }

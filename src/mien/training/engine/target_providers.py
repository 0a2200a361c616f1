# SPDX-License-Identifier: Apache-2.0
"""The target providers of mien: auxiliary rows, pseudo-labels, self-distillation, teachers, co-annotation."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mien.affect import activate
from mien.core import ConfigError, Image, TaskSpec, columns_by_name, load_arrays, read_typed
from mien.faces import align_faces, resize_face, to_colour
from mien.inference import load_bundle
from mien.results import atomic_write
from mien.training.data.augmentation import resized
from mien.training.data.batch_loader import clean_inputs
from mien.training.data.feature_vectors import is_vectors
from mien.training.data.prediction_files import read_predictions
from mien.training.data.training_set import Rows, TrainingSet
from mien.training.engine.checkpoint import load_checkpoint, load_result
from mien.training.engine.targets import Floats, StageContext, StageTargets, TargetProvider, blend
from mien.training.engine.validation import raw_outputs
from mien.training.losses.coupling import co_annotate, relation
from mien.training.models.network import AffectNetwork
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.target_settings import (
    AbsentUnitsSettings,
    AuxiliaryRowsSettings,
    CoAnnotationSettings,
    PseudoLabelSettings,
    SelfDistillationSettings,
    TeacherSettings,
    UnknownLabelsSettings,
)

logger = logging.getLogger(__name__)

Predictions = dict[str, tuple[tuple[str, ...], Floats]]
"""Task -> names of the columns, and (N, L) probabilities or values."""

Inputs = npt.NDArray[np.generic]

# Tasks whose labels are independent probabilities.
_PROBABLE_TASKS = ("action_units", "emotion", "sarcasm")
_TEACHER_TASKS = ("expression", "valence_arousal", "action_units")

_BUNDLE_BATCH = 64
_NETWORK_BATCH = 128


class AuxiliaryRows(TargetProvider):
    """Draws rows of auxiliary sets, without replacement."""

    def __init__(self, settings: AuxiliaryRowsSettings) -> None:
        self._settings = settings

    def rows(self, samples: TrainingSet, rng: np.random.Generator) -> Rows:
        """``n`` auxiliary rows, then ``n_labelled`` of those with a label, or all where there are fewer."""
        settings = self._settings
        auxiliary = np.flatnonzero(~samples.primary)
        if settings.sources:
            auxiliary = auxiliary[_of_sources(samples, settings.sources)[auxiliary]]
        drawn = rng.choice(auxiliary, min(settings.n, len(auxiliary)), replace=False)
        if not settings.n_labelled:
            return drawn
        if settings.task not in samples.targets:
            raise ConfigError(f"auxiliary rows with a label of {settings.task!r}: the data have no such task")
        labelled = auxiliary[samples.known(settings.task)[auxiliary]]
        more = rng.choice(labelled, min(settings.n_labelled, len(labelled)), replace=False)
        return np.concatenate([drawn, more])


class PseudoLabels(TargetProvider):
    """Gives auxiliary rows the network's predictions, beside their own labels where they have some."""

    def __init__(self, settings: PseudoLabelSettings) -> None:
        self._settings = settings

    def targets(self, targets: StageTargets, context: StageContext) -> StageTargets:
        """The targets with those of auxiliary rows replaced or blended."""
        rows = np.flatnonzero(~context.samples.primary)
        return _with_predictions(targets, rows, 1 - self._settings.label_weight, self._settings, context)


class SelfDistillation(TargetProvider):
    """Gives the targets of primary rows a share of the network's predictions."""

    def __init__(self, settings: SelfDistillationSettings) -> None:
        self._settings = settings

    def targets(self, targets: StageTargets, context: StageContext) -> StageTargets:
        """The targets with those of primary rows blended."""
        rows = np.flatnonzero(context.samples.primary)
        return _with_predictions(targets, rows, self._settings.weight, self._settings, context)


class Teacher(TargetProvider):
    """Blends the predictions of a trained network into the targets; an unknown label becomes the prediction."""

    def __init__(self, settings: TeacherSettings) -> None:
        self._settings = settings

    def targets(self, targets: StageTargets, context: StageContext) -> StageTargets:
        """The targets with the teacher's share.

        Raises:
            ConfigError: The teacher and the student share no task, or the teacher lacks a class.
            ModelError: The bundle is missing or damaged.
        """
        teacher, samples = self._settings, context.samples
        predictions = self._predictions(context)
        tasks = [task for task in teacher.tasks or predictions if task in targets]
        missing = sorted(set(tasks) - set(predictions))
        if missing or not tasks:
            raise ConfigError(
                f"teacher {teacher.path} predicts {sorted(predictions)}, not {missing or sorted(targets)}"
            )
        auxiliary = teacher.weight if teacher.auxiliary_weight < 0 else teacher.auxiliary_weight
        weight = np.where(samples.primary, teacher.weight, auxiliary).astype(np.float32)[:, None]
        blended = dict(targets)
        for task in tasks:
            names, values = predictions[task]
            wanted = samples.labels[task]
            if task == "action_units":  # units that the teacher does not know keep their targets
                shared = [name for name in wanted if name in names]
                predicted = np.full(targets[task].shape, np.nan, np.float32)
                predicted[:, columns_by_name(wanted, shared)] = values[:, columns_by_name(names, shared)]
            else:
                predicted = values[:, columns_by_name(names, wanted)]
            predicted = self._chosen(task, predicted, targets[task], samples)
            blended[task] = blend(targets[task], predicted, weight)
        return blended

    def _chosen(self, task: str, predicted: Floats, targets: Floats, samples: TrainingSet) -> Floats:
        """The predictions that are confident, and of rows without a label those of the chosen share."""
        settings = self._settings
        if settings.min_confidence and task in _PROBABLE_TASKS:
            unsure = np.maximum(predicted, 1 - predicted) < settings.min_confidence
            predicted = np.where(unsure, np.float32(np.nan), predicted)
        if settings.share < 1:
            unlabelled = np.isnan(targets).all(axis=1)
            left_out = np.array([_hash_share(f"{task} {group}") >= settings.share for group in samples.groups])
            predicted = np.where((unlabelled & left_out)[:, None], np.float32(np.nan), predicted)
        return predicted

    def _predictions(self, context: StageContext) -> Predictions:
        """The teacher's predictions: read from their file, or computed once per training and kept in one."""
        teacher, samples = self._settings, context.samples
        if teacher.path.endswith(".parquet"):
            return _read_predictions(samples, _in_data(Path(teacher.path), context.data), _named_labels(samples))
        key = hashlib.sha256(f"{teacher.path} {teacher.temperature}".encode()).hexdigest()[:12]
        path = context.folder / f"teacher-{key}.npz"
        if not path.is_file():
            is_checkpoint = Path(teacher.path).is_file()
            found = (_predict_checkpoint if is_checkpoint else predict_bundle)(samples, teacher, context.recipe)
            content = {task: values for task, (_, values) in found.items()}
            names = {f"{task} names": np.array(labels) for task, (labels, _) in found.items()}
            _save(path, {**content, **names})
        kept = _load(path)
        tasks = [name for name in kept if not name.endswith(" names")]
        return {task: (tuple(map(str, kept[f"{task} names"])), kept[task]) for task in tasks}


class CoAnnotation(TargetProvider):
    """Fills unknown expressions and action units from each other."""

    def __init__(self, settings: CoAnnotationSettings) -> None:
        self._settings = settings

    def targets(self, targets: StageTargets, context: StageContext) -> StageTargets:
        """The targets with those that the others imply.

        Raises:
            ConfigError: The recipe lacks one of the two heads.
        """
        if not {"expression", "action_units"} <= set(targets):
            raise ConfigError("co_annotation needs an expression and an action_units head")
        labels = context.samples.labels
        table = relation(labels["expression"], labels["action_units"])
        expression, units = co_annotate(targets["expression"], targets["action_units"], table, soft=self._settings.soft)
        return {**targets, "expression": expression, "action_units": units}


class UnknownLabels(TargetProvider):
    """Makes labels of some sources unknown."""

    def __init__(self, settings: UnknownLabelsSettings) -> None:
        self._settings = settings

    def targets(self, targets: StageTargets, context: StageContext) -> StageTargets:
        """The targets without these labels.

        Raises:
            ConfigError: The task, a label or a source is not in the data.
        """
        settings, samples = self._settings, context.samples
        if settings.task not in targets:
            raise ConfigError(f"unknown_labels: there is no head for {settings.task!r}, only for {sorted(targets)}")
        names = samples.labels[settings.task]
        strange = sorted(set(settings.labels) - set(names))
        if strange:
            raise ConfigError(f"unknown_labels: {settings.task} has no {strange}; it has {list(names)}")
        rows = _of_sources(samples, settings.sources) if settings.sources else samples.domains == 0
        if settings.share < 1:
            rows = rows & (np.array([_hash_share(group) for group in samples.groups]) < settings.share)
        columns = np.array([names.index(name) for name in settings.labels or names])
        left = targets[settings.task].copy()
        left[np.ix_(np.flatnonzero(rows), columns)] = np.nan
        return {**targets, settings.task: left}


class AbsentUnits(TargetProvider):
    """Makes action units absent, with an intensity of 0, on faces with enough votes for neutral."""

    def __init__(self, settings: AbsentUnitsSettings) -> None:
        self._settings = settings

    def targets(self, targets: StageTargets, context: StageContext) -> StageTargets:
        """The targets with zeros on neutral faces; rows with statistics of their own keep theirs.

        Raises:
            ConfigError: The data have no expressions, or a unit has no head.
        """
        settings, samples = self._settings, context.samples
        if "expression" not in samples.targets:
            raise ConfigError("absent_units needs votes for expressions; the data have none")
        share = samples.targets["expression"][:, samples.labels["expression"].index("neutral")]
        rows = np.flatnonzero((np.nan_to_num(share) >= settings.min_share) & (samples.domains == 0))
        changed = dict(targets)
        for task in ("action_units", "action_unit_intensity", "action_unit_sides"):
            if task in targets:
                names = samples.labels[task]
                wanted = settings.labels
                if task == "action_unit_sides":
                    wanted = tuple(name for name in names if name.partition("_")[0] in settings.labels)
                changed[task] = targets[task].copy()
                changed[task][np.ix_(rows, columns_by_name(names, wanted))] = 0.0
        return changed


def _of_sources(samples: TrainingSet, sources: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """(N,) rows of these sources.

    Raises:
        ConfigError: A source is not in the data.
    """
    known = [record.source for record in samples.records]
    missing = sorted(set(sources) - set(known))
    if missing:
        raise ConfigError(f"the recipe reads no sources {missing}; it reads {known}")
    chosen: npt.NDArray[np.bool_] = np.array([name in sources for name in known], dtype=bool)[samples.record]
    return chosen


def _hash_share(text: str) -> float:
    """A number in [0, 1) that is always the same for a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def load_network(path: Path) -> tuple[AffectNetwork, Recipe, dict[str, tuple[str, ...]]]:
    """The network of a checkpoint in evaluation mode, its recipe, and its labels.

    Raises:
        ConfigError: The file is no checkpoint of this version.
    """
    checkpoint = load_checkpoint(path)
    recipe = read_typed(Recipe, json.loads(checkpoint.recipe), f"{path}: recipe")
    labels = {task: tuple(names) for task, names in checkpoint.labels.items()}
    network = AffectNetwork(recipe, labels)
    network.load_state_dict(load_result(path))
    return network.eval(), recipe, labels


def gray_copy(picture: Image, side_px: int) -> Image:
    """A gray copy of a picture with the given longer side; three equal channels where the picture has three.

    Args:
        picture: (H, W) or (H, W, 3) uint8. A smaller picture keeps its size.
        side_px: Longer side of the copy.

    Examples:
        >>> gray_copy(np.zeros((96, 60, 3), np.uint8), 48).shape
        (48, 30, 3)
    """
    scale = side_px / max(picture.shape[:2])
    small = resized(picture, scale) if scale < 1 else picture
    return small if small.ndim == 2 else np.repeat(to_colour(small, "gray")[..., None], 3, axis=2)


def _with_predictions(
    targets: StageTargets,
    rows: Rows,
    weight: float,
    settings: PseudoLabelSettings | SelfDistillationSettings,
    context: StageContext,
) -> StageTargets:
    """The targets of some rows blended with the network's predictions, which are kept in a file.

    Rows with statistics of their own get none: the network is not trained to be used on such pictures.
    """
    rows = rows[context.samples.domains[rows] == 0]
    path = context.folder / f"{settings.name}-{context.stage}.npz"
    if not path.is_file():
        tasks = [task for task in settings.tasks if task in context.network.tasks]
        _save(path, _predict(context, tasks, rows, settings))
    predictions = _load(path)
    blended = {task: values.copy() for task, values in targets.items()}
    for task, predicted in predictions.items():
        blended[task][rows] = blend(targets[task][rows], predicted, weight)
    return blended


def _load(path: Path) -> dict[str, npt.NDArray[Any]]:
    """What a stage kept in a file of the training's folder."""
    try:
        return load_arrays(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); delete it, it is made again") from error


def _predict(
    context: StageContext, tasks: list[str], rows: Rows, settings: PseudoLabelSettings | SelfDistillationSettings
) -> dict[str, Floats]:
    """Task -> (B, L) probabilities or values of some rows."""
    network, labels = context.network.eval(), context.samples.labels
    device = next(network.parameters()).device
    parts: dict[str, list[Floats]] = {task: [np.empty((0, len(labels[task])), np.float32)] for task in tasks}
    for start in range(0, len(rows), _NETWORK_BATCH):
        inputs = _inputs(context, rows[start : start + _NETWORK_BATCH], settings.size_px, settings.copy_px)
        with torch.inference_mode():
            outputs = dict(zip(network.tasks, network(torch.from_numpy(inputs).to(device)), strict=False))
        for task in tasks:
            parts[task].append(_activated(task, outputs[task].float()).cpu().numpy())
    return {task: np.concatenate(values) for task, values in parts.items()}


def _inputs(context: StageContext, rows: Rows, size_px: int, copy_px: int) -> Inputs:
    """Inputs of some rows: vectors unchanged, whole pictures at the size and as the gray copies of the settings."""
    samples, model = context.samples, context.recipe.model
    pictures = samples.inputs
    if is_vectors(pictures) or not copy_px:
        return clean_inputs(samples, context.recipe, rows, size_px=size_px, given="whole")
    size = size_px or model.input_px
    copies = (gray_copy(pictures[int(row)], copy_px) for row in rows)
    return np.stack([resize_face(copy, size).reshape(size, size, model.n_channels) for copy in copies])


def _activated(task: str, values: Tensor, temperature: float = 1.0) -> Tensor:
    """Raw outputs of a task as probabilities; values of other tasks unchanged."""
    if task == "expression":
        return (values if temperature == 1.0 else values / temperature).softmax(dim=1)
    return values.sigmoid() if task in _PROBABLE_TASKS else values


def _in_data(path: Path, data: Path) -> Path:
    """The path itself, or the one below the folder of the data sets where only that exists."""
    return path if path.exists() or not (data / path).exists() else data / path


def _named_labels(samples: TrainingSet) -> dict[str, tuple[str, ...]]:
    return {task: names for task, names in samples.labels.items() if task in _TEACHER_TASKS}


def _read_predictions(samples: TrainingSet, path: Path, labels: Mapping[str, tuple[str, ...]]) -> Predictions:
    """Predictions of a Parquet file, joined by the name of the picture; NaN where it has none."""
    named = read_predictions(path, labels)
    rows = np.array([named.row_of.get(group, -1) for group in samples.groups])
    logger.info("%s has predictions for %d of %d rows", path, int((rows >= 0).sum()), len(rows))
    if (rows < 0).all():
        raise ConfigError(f"{path} names none of the {len(rows)} pictures, such as {samples.groups[0]}")
    found = {}
    for task, (names, values) in named.tasks.items():
        chosen = values[rows]
        chosen[rows < 0] = np.nan
        found[task] = (names, chosen)
    return found


def predict_bundle(samples: TrainingSet, teacher: TeacherSettings, recipe: Recipe) -> Predictions:
    """Predictions of a bundle for the pictures of a training set, cut as it reads given crops.

    Args:
        samples: Training set of N pictures.
        teacher: Settings whose ``path`` is the bundle.
        recipe: Recipe that the set was loaded for.

    Raises:
        ConfigError: The set has vectors.
        ModelError: The bundle is missing or damaged.
    """
    bundle, inputs = load_bundle(teacher.path, kind="affect"), samples.inputs
    if is_vectors(inputs):
        raise ConfigError(f"teacher {teacher.path} is a bundle, which takes pictures; this recipe trains on vectors")
    spec = bundle.spec
    size_px, is_aligned = spec.input.size_px, spec.crop.given == "aligned"

    def crop(row: int) -> Image:
        picture = _in_colour(inputs[row], recipe.model.colour, spec.input.colour)
        keypoints = samples.keypoints[row] * picture.shape[1::-1]
        if is_aligned and np.isfinite(keypoints).all():
            return np.asarray(align_faces(picture, keypoints[None], spec.crop.template, size_px)[0])
        return resize_face(picture, size_px)

    parts: list[dict[str, Floats]] = []
    for start in range(0, len(samples), _BUNDLE_BATCH):
        rows = range(start, min(start + _BUNDLE_BATCH, len(samples)))
        parts.append(bundle.run(np.stack([crop(row) for row in rows])))
    return {
        task.task: (
            task.labels,
            activate(np.concatenate([part[task.output] for part in parts]), _softened(task, teacher.temperature)),
        )
        for task in spec.tasks
    }


def _predict_checkpoint(samples: TrainingSet, teacher: TeacherSettings, recipe: Recipe) -> Predictions:
    network, own, labels = load_network(Path(teacher.path))
    if own.model.colour != recipe.model.colour:
        raise ConfigError(f"{teacher.path} takes {own.model.colour}, this recipe {recipe.model.colour}; use its bundle")
    outputs = raw_outputs(network, samples, own)
    return {
        task: (labels[task], _activated(task, torch.from_numpy(values), teacher.temperature).numpy())
        for task, values in outputs.items()
    }


def _softened(task: TaskSpec, temperature: float) -> TaskSpec:
    return dataclasses.replace(task, temperature=temperature) if task.task == "expression" else task


def _in_colour(picture: Image, own: str, wanted: str) -> Image:
    if own == wanted:
        return picture
    if own == "gray":
        return np.repeat(picture[..., None], 3, axis=2)
    return to_colour(picture, wanted)


def _save(path: Path, content: Mapping[str, npt.NDArray[np.generic]]) -> None:
    """Write arrays to a file that appears only when it is complete."""
    with atomic_write(path) as file:
        np.savez(file, **content)  # type: ignore[arg-type]  # NumPy types its one option first

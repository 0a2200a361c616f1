# SPDX-License-Identifier: Apache-2.0
"""Data sets of `mien.datasets` as training sets: pictures or stored vectors with labels in the recipe's order."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from mien.core import DIMENSIONS, EXPRESSION_ORDERS, INTENSITY_LABELS, DatasetError
from mien.datasets import (
    AnnotationError,
    ClipSamples,
    FrameSamples,
    ImageSamples,
    Samples,
    base_video,
    expression_shares,
    load_dataset,
    load_person_folders,
)
from mien.training.data.feature_sources import stored_inputs
from mien.training.data.training_images import Origin, TrainingImages
from mien.training.data.training_set import Inputs, TrainingSet
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.settings import SourceSettings

logger = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]
# Signs with which a margin moves the sides of a box xyxy.
_OUTWARD = np.array([-1, -1, 1, 1], dtype=np.float32)

SamplesT = TypeVar("SamplesT", ImageSamples, FrameSamples)


def load_named_dataset(source: SourceSettings, folder: Path, recipe: Recipe) -> TrainingSet:
    """A set of `mien.datasets`: images or frames with labels in the recipe's class order.

    Rows without a picture are left out and counted; a class that the recipe does not have is unknown.

    Args:
        source: Name and split of the set.
        folder: Folder of the set.
        recipe: Recipe that is trained.

    Raises:
        DatasetError: The set is missing or malformed, or of another kind than the recipe trains on.
    """
    samples = load_dataset(source.name, folder, source.split, on_problem=_report)
    if source.only_with:
        samples = _selected(samples, source)
    if recipe.model.vectors and isinstance(samples, (ClipSamples, FrameSamples)):
        return of_stored_vectors(samples, folder, recipe)
    if isinstance(samples, FrameSamples):
        return _of_frames(samples, recipe)
    if isinstance(samples, ImageSamples) and not recipe.model.vectors:
        return _of_images(samples, source, recipe)
    kind = "single images" if isinstance(samples, ImageSamples) else "whole videos"
    raise DatasetError(
        f"{source.name} has {kind}; {recipe.name} trains on "
        + ("stored vectors of frames or clips" if recipe.model.vectors else "pictures")
    )


def load_people(source: SourceSettings, folder: Path, recipe: Recipe) -> TrainingSet:
    """Photos in one folder a person, with the task identity: who of all persons it is.

    Args:
        source: Split, least number of photos of a person, and margin about the face boxes.
        folder: Folder as for `mien.datasets.load_person_folders`.
        recipe: Recipe that is trained.

    Raises:
        DatasetError: The folder is missing or malformed.
    """
    samples = load_person_folders(folder, source.split, least_photos=source.least_photos)
    return _of_images(samples, source, recipe)


def _selected(samples: Samples, source: SourceSettings) -> Samples:
    """The rows that have what ``only_with`` asks for."""
    if not isinstance(samples, ImageSamples):
        raise DatasetError(f"{source.name} has no images of its own; only_with selects among single images")
    kept = np.ones(len(samples), dtype=bool)
    if "expression" in source.only_with:
        kept &= samples.valid_expression
    if "face_box" in source.only_with:
        boxed = ~np.isnan(samples.boxes).any(axis=1)
        if not boxed.any():
            raise DatasetError(f"{source.name} {source.split} gives no face boxes; leave face_box out of only_with")
        kept &= boxed
    logger.info("%s %s: %d of %d rows kept", source.name, source.split, int(kept.sum()), len(samples))
    return samples.take(kept)


def _report(problem: AnnotationError) -> None:
    logger.warning("%s; left out", problem)


def _of_images(samples: ImageSamples, source: SourceSettings, recipe: Recipe) -> TrainingSet:
    if samples.pixels is None:
        samples = _with_files(samples, samples.has_image)
    rows = range(len(samples))
    origins: list[Origin] = (
        [str(samples.image_path(row)) for row in rows]
        if samples.pixels is None
        else [samples.gray_image(row) for row in rows]
    )
    boxes = np.asarray(samples.boxes, dtype=np.float32) + source.margin_px * _OUTWARD
    targets: dict[str, Floats] = {}
    if samples.vote_labels:
        shares = expression_shares(samples.votes)
        targets["expression"] = _in_order(shares, EXPRESSION_ORDERS["canonical"], recipe)
    elif samples.expression_labels:
        targets["expression"] = _in_order(_one_hot(samples), samples.expression_labels, recipe)
    if samples.valid_valence_arousal.any():
        targets["valence_arousal"] = np.asarray(samples.valence_arousal, dtype=np.float32)
    pictures = TrainingImages.of(samples.names, origins, recipe.model.colour, boxes)
    if not samples.person_labels:
        return training_set(pictures, targets, (), samples.names, recipe)
    targets["identity"] = samples.person[:, None].astype(np.float32)
    return training_set(pictures, targets, (), samples.names, recipe, persons=samples.person_labels)


def _of_frames(samples: FrameSamples, recipe: Recipe) -> TrainingSet:
    samples.image_files([])  # says what is missing and where it belongs
    samples = _with_files(samples, samples.has_image)
    locations = [samples.image_location(row) for row in range(len(samples))]
    pictures = TrainingImages.of(locations, samples.image_files(range(len(samples))), recipe.model.colour)
    return training_set(pictures, _frame_targets(samples, recipe), samples.action_unit_labels, _videos(samples), recipe)


def of_stored_vectors(samples: FrameSamples | ClipSamples, folder: Path, recipe: Recipe) -> TrainingSet:
    """Labels of frames or clips with the vectors that `mien features` stored for them; rows without any are left out.

    Raises:
        DatasetError: There are no vectors, or they are of something else than the recipe says.
    """
    inputs, found = stored_inputs(samples, folder, recipe)
    n_missing = int((~found).sum())
    if n_missing:
        logger.info("%s %s: %d of %d rows have no vector", samples.dataset, samples.split, n_missing, len(samples))
    rows = np.flatnonzero(found)
    if isinstance(samples, ClipSamples):
        targets = {samples.dataset: samples.intensities[rows]}
        return training_set(inputs, targets, (), tuple(samples.names[row] for row in rows), recipe)
    samples = samples.take(rows)
    return training_set(inputs, _frame_targets(samples, recipe), samples.action_unit_labels, _videos(samples), recipe)


def _videos(samples: FrameSamples) -> tuple[str, ...]:
    return tuple(base_video(samples.tracks[index]) for index in samples.track_index)


def _frame_targets(samples: FrameSamples, recipe: Recipe) -> dict[str, Floats]:
    targets: dict[str, Floats] = {}
    if samples.expression_labels:
        targets["expression"] = _in_order(_one_hot(samples), samples.expression_labels, recipe)
    if samples.valid_valence_arousal.any():
        targets["valence_arousal"] = np.array(samples.valence_arousal, dtype=np.float32)  # torch wants to own it
    if samples.action_unit_labels:
        # One unit that is not annotated takes the row out of the task, as the challenges rule.
        valid = samples.valid_action_units[:, None]
        targets["action_units"] = np.where(valid, samples.action_units, np.nan).astype(np.float32)
    return targets


def training_set(
    inputs: Inputs,
    targets: dict[str, Floats],
    action_unit_labels: tuple[str, ...],
    groups: tuple[str, ...],
    recipe: Recipe,
    *,
    persons: tuple[str, ...] = (),
) -> TrainingSet:
    """A set without known keypoints; rows without any label are left out.

    Args:
        inputs: Images or vectors of N samples.
        targets: Task -> (N, L), NaN where unknown.
        action_unit_labels: Names of the action units.
        groups: N names of what must not be shared between splits.
        recipe: Recipe that is trained.
        persons: Names of the persons, for the task identity.
    """
    labels = {
        **INTENSITY_LABELS,
        "expression": EXPRESSION_ORDERS[recipe.data.expressions],
        "valence_arousal": DIMENSIONS,
        "action_units": action_unit_labels,
        "identity": persons,
    }
    found = TrainingSet(
        groups=groups,
        inputs=inputs,
        targets=targets,
        labels={task: labels[task] for task in targets},
        keypoints=np.full((len(groups), 5, 2), np.nan, dtype=np.float32),
        primary=np.ones(len(groups), dtype=bool),
    )
    usable = np.zeros(len(found), dtype=bool)
    for task in targets:
        usable |= found.known(task)
    return found if usable.all() else found.take(usable)


def _with_files(samples: SamplesT, has_image: npt.NDArray[np.bool_]) -> SamplesT:
    n_missing = int((~has_image).sum())
    if n_missing == len(samples):
        raise DatasetError(f"{samples.dataset} {samples.split}: none of {n_missing} rows has a picture in the folder")
    if n_missing:
        logger.info("%s %s: %d of %d rows have no picture", samples.dataset, samples.split, n_missing, len(samples))
    return samples.take(has_image)


def _one_hot(samples: ImageSamples | FrameSamples) -> Floats:
    """(N, C) in the set's own order, NaN where unknown."""
    one_hot = np.eye(len(samples.expression_labels), dtype=np.float32)[samples.expression]
    one_hot[~samples.valid_expression] = np.nan
    return one_hot


def _in_order(shares: Floats, labels: tuple[str, ...], recipe: Recipe) -> Floats:
    """Shares (N, C) in the recipe's class order; rows of a class that the recipe does not have become unknown."""
    wanted = EXPRESSION_ORDERS[recipe.data.expressions]
    ordered = np.zeros((len(shares), len(wanted)), dtype=np.float32)
    for column, label in enumerate(wanted):
        if label in labels:
            ordered[:, column] = shares[:, labels.index(label)]
    total = ordered.sum(axis=1, keepdims=True)
    # Of shares in which the missing classes had a part, the rest is normalised; a row with half of it gone is unknown.
    ordered[~(total[:, 0] > 0.5)] = np.nan
    normalised: Floats = ordered / total
    return normalised

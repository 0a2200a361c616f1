# SPDX-License-Identifier: Apache-2.0
"""Named sources of a recipe: data sets of `mien.datasets` and others, as training sets."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from mien.core import DIMENSIONS, EXPRESSION_ORDERS, EXPRESSIONS, INTENSITY_LABELS, ConfigError, DatasetError, Registry
from mien.datasets import (
    AnnotationError,
    ClipSamples,
    FaceSamples,
    FrameSamples,
    ImageSamples,
    base_video,
    expression_shares,
    load_dataset,
    load_fairface,
    load_ferplus,
    load_open_faces,
    load_traits,
    picture_file,
)
from mien.training.data.feature_sources import stored_inputs
from mien.training.data.training_images import Origin, Pictures
from mien.training.data.training_set import Inputs, TrainingSet, join_sets
from mien.training.export.card_content import Card, create_card
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.settings import SourceSettings

logger = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]
SamplesT = TypeVar("SamplesT", ImageSamples, FrameSamples)


@dataclass(frozen=True, kw_only=True)
class Source:
    """One line of the table of sources.

    Attributes:
        name: what recipes write.
        target: ``"module:function"`` of (source settings, folder, recipe) that returns a `TrainingSet`.
        summary: one line for the docs.
        has_fixture: whether `mien.datasets.create_example` writes a small tree that it can learn from.
    """

    name: str
    target: str
    summary: str
    has_fixture: bool = True


def _dataset(name: str, summary: str) -> Source:
    return Source(name=name, target="mien.training.data.sources:load_named_dataset", summary=summary)


SOURCES = Registry(
    "source",
    (
        Source(
            name="open-faces",
            target="mien.training.data.sources:load_open_source",
            summary="FER+ votes, FairFace and LFW with mapped valence and arousal and pseudo action units",
            has_fixture=False,
        ),
        Source(
            name="fairface-traits",
            target="mien.training.data.sources:load_fairface_traits",
            summary="age, gender and race of FairFace's faces: a pretext for start weights, of which no bundle comes",
            has_fixture=False,
        ),
        Source(
            name="vectors",
            target="mien.training.data.feature_sources:load_vectors",
            summary="feature vectors and labels as NumPy files, memory-mapped",
            has_fixture=False,
        ),
        _dataset("affectnet", "AffectNet, classic release: expression, valence, arousal; cut by the face boxes"),
        _dataset("affectnet-npy", "AffectNet, later release: expression, valence, arousal"),
        _dataset("affwild2-va", "Aff-Wild2: valence, arousal of every frame with a crop"),
        _dataset("affwild2-expr", "Aff-Wild2: expression of every frame with a crop"),
        _dataset("affwild2-au", "Aff-Wild2: action units of every frame with a crop"),
        _dataset("affwild2-mtl", "s-Aff-Wild2: expression, valence, arousal and action units, any of them unknown"),
        _dataset("emi", "Hume-Vidmimic2: six mimicry intensities of a clip, from stored vectors"),
        _dataset("eri", "Hume-Reaction: seven reaction intensities of a clip, from stored vectors"),
        _dataset("ferplus", "FER+ CSV and images: shares of votes"),
        _dataset("fer2013", "FER2013 CSV: expression"),
        _dataset("lsd", "ABAW 4 synthetic faces: expression of six"),
        _dataset("rafdb", "RAF-DB: expression of seven"),
    ),
)
"""Name -> `Source`."""


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What a recipe learns from, selects on and calibrates on.

    Attributes:
        train_set: rows to learn from.
        valid: rows to select on; None without ``[[data.valid]]``.
        calibration: rows that taught nothing; None where none are set aside and there is no validation set.
        card: what the bundle says of its training.
    """

    train_set: TrainingSet
    valid: TrainingSet | None
    calibration: TrainingSet | None
    card: Card


def load_training_data(recipe: Recipe, data: Path) -> TrainingData:
    """Read the sets of a recipe.

    Args:
        recipe: that names them.
        data: folder of the data sets.

    Raises:
        ConfigError: a source is unknown.
        DatasetError: a set is missing, malformed or empty.
    """
    parts = [load_source(source, data, recipe) for source in recipe.data.sources]
    train_set = join_sets(parts)
    valid = None
    if recipe.data.valid:
        valid = join_sets([load_source(source, data, recipe) for source in recipe.data.valid])
    calibration = valid
    if recipe.data.calibration_rows:
        held_out = hold_out(train_set, recipe.data.calibration_rows)
        train_set, calibration = train_set.take(~held_out), train_set.take(held_out)
        ends = np.cumsum([len(part) for part in parts])[:-1]
        parts = [part.take(~own) for part, own in zip(parts, np.split(held_out, ends), strict=True)]
    if not len(train_set):
        raise DatasetError(f"{data}: nothing is left to learn from after {recipe.data.calibration_rows} rows were kept")
    card = create_card(list(zip(recipe.data.sources, parts, strict=True)))
    return TrainingData(train_set, valid, calibration, card)


def load_source(source: SourceSettings, data: Path, recipe: Recipe) -> TrainingSet:
    """One source of a recipe.

    Raises:
        ConfigError: it is unknown.
        DatasetError: it is missing, malformed or empty.
    """
    read: Callable[[SourceSettings, Path, Recipe], TrainingSet] = SOURCES.load(source.name)
    found = read(source, data / source.folder if source.folder else data, recipe)
    if not len(found):
        raise DatasetError(f"{data}: {source.name} {source.split} has no usable row")
    return found


def hold_out(samples: TrainingSet, n_rows: int) -> npt.NDArray[np.bool_]:
    """(N,) at least ``n_rows`` primary rows, by whole groups in the order of a hash of their names.

    The choice survives reordering and new rows, and no video or person is on both sides.
    """
    order = {group: rank for rank, group in enumerate(sorted(set(samples.groups), key=_hash))}
    ranks = np.array([order[group] for group in samples.groups])
    ranks[~samples.primary] = len(order)
    in_order = np.sort(ranks[samples.primary])
    last = in_order[min(n_rows, len(in_order)) - 1]
    held_out: npt.NDArray[np.bool_] = ranks <= last
    return held_out


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def load_named_dataset(source: SourceSettings, folder: Path, recipe: Recipe) -> TrainingSet:
    """A set of `mien.datasets`: images or frames with labels in the recipe's class order.

    Rows without a picture are left out and counted; a class that the recipe does not have is unknown.
    """
    samples = load_dataset(source.name, folder, source.split, on_problem=_report)
    if recipe.model.vectors and isinstance(samples, (ClipSamples, FrameSamples)):
        return of_stored_vectors(samples, folder, recipe)
    if isinstance(samples, FrameSamples):
        return _of_frames(samples, recipe)
    if isinstance(samples, ImageSamples) and not recipe.model.vectors:
        return _of_images(samples, recipe)
    kind = "single images" if isinstance(samples, ImageSamples) else "whole videos"
    raise DatasetError(
        f"{source.name} has {kind}; {recipe.name} learns from "
        + ("stored vectors of frames or clips" if recipe.model.vectors else "pictures")
    )


def _report(problem: AnnotationError) -> None:
    logger.warning("%s; left out", problem)


def _of_images(samples: ImageSamples, recipe: Recipe) -> TrainingSet:
    if samples.pixels is None:
        samples = _with_files(samples, samples.has_image)
    rows = range(len(samples))
    origins: list[Origin] = (
        [str(samples.image_path(row)) for row in rows]
        if samples.pixels is None
        else [samples.gray_image(row) for row in rows]
    )
    boxes = np.asarray(samples.boxes, dtype=np.float32)
    targets: dict[str, Floats] = {}
    if samples.vote_labels:
        shares = expression_shares(samples.votes)
        targets["expression"] = _in_order(shares, EXPRESSION_ORDERS["canonical"], recipe)
    elif samples.expression_labels:
        targets["expression"] = _in_order(_one_hot(samples), samples.expression_labels, recipe)
    if samples.valid_valence_arousal.any():
        targets["valence_arousal"] = np.asarray(samples.valence_arousal, dtype=np.float32)
    pictures = Pictures.of(samples.names, origins, recipe.model.colour, boxes)
    return training_set(pictures, targets, (), samples.names, recipe)


def _of_frames(samples: FrameSamples, recipe: Recipe) -> TrainingSet:
    if samples.crops is None:
        samples.image_path(0)  # says what is missing and where it belongs
    samples = _with_files(samples, samples.has_image)
    locations = [samples.image_location(row) for row in range(len(samples))]
    pictures = Pictures.of(locations, [f"{samples.crops}/{place}" for place in locations], recipe.model.colour)
    return training_set(pictures, _frame_targets(samples, recipe), samples.action_unit_labels, _videos(samples), recipe)


def of_stored_vectors(samples: FrameSamples | ClipSamples, folder: Path, recipe: Recipe) -> TrainingSet:
    """Labels of frames or clips with the vectors that `mien features` stored for them; rows without any stay out.

    Raises:
        DatasetError: there are none, or they are of something else than the recipe says.
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
) -> TrainingSet:
    """A set without known points, rows without any label left out."""
    labels = {
        **INTENSITY_LABELS,
        "expression": EXPRESSION_ORDERS[recipe.data.expressions],
        "valence_arousal": DIMENSIONS,
        "action_units": action_unit_labels,
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


def load_open_source(source: SourceSettings, folder: Path, recipe: Recipe) -> TrainingSet:
    """FER+ train (primary), FairFace train and LFW's training people; or, by ``split``, one part of FER+ alone.

    The splits are ``"train"`` (all of these), ``"ferplus-train"`` and ``"valid"`` (FER+ valid). Layout of the folder:
    docs/training.md.
    """
    if EXPRESSION_ORDERS[recipe.data.expressions] != EXPRESSIONS:
        raise ConfigError("open-faces has the canonical expressions; set [data] expressions = 'canonical'")
    alone = {"valid": "valid", "ferplus-train": "train"}.get(source.split)
    if alone is not None:
        samples = load_ferplus(folder, alone)
        return of_faces(samples, np.ones(len(samples), dtype=bool), recipe.model.colour)
    if source.split != "train":
        raise ConfigError(f"open-faces has the splits train, ferplus-train and valid, not {source.split!r}")
    faces = load_open_faces(folder, 0)
    return of_faces(faces.train, faces.voted, recipe.model.colour)


_TRAITS = ("age", "gender", "race")


def load_fairface_traits(source: SourceSettings, folder: Path, recipe: Recipe) -> TrainingSet:
    """FairFace with what annotators wrote of each face, a pretext to learn faces from: tasks age, gender and race.

    The splits are ``"train"`` and ``"valid"``. Values are in the order of the alphabet.
    """
    if source.split not in ("train", "valid"):
        raise ConfigError(f"fairface-traits has the splits train and valid, not {source.split!r}")
    faces = load_fairface(folder, source.split)
    found = of_faces(faces, np.ones(len(faces), dtype=bool), recipe.model.colour)
    targets, labels = {}, {}
    for name, values in load_traits(picture_file(folder, "fairface", source.split), _TRAITS).items():
        known, column = np.unique(values, return_inverse=True)
        labels[name] = tuple(known.tolist())
        targets[name] = np.eye(len(known), dtype=np.float32)[column]
    return replace(found, targets=targets, labels=labels)


def of_faces(samples: FaceSamples, primary: np.ndarray[tuple[int], np.dtype[np.bool_]], colour: str) -> TrainingSet:
    """Face samples as a training set."""
    return TrainingSet(
        groups=samples.names,
        inputs=Pictures.of(samples.names, samples.images, colour),
        targets={
            "expression": samples.expression,
            "valence_arousal": samples.valence_arousal,
            "action_units": samples.action_units,
        },
        labels={
            "expression": EXPRESSIONS,
            "valence_arousal": DIMENSIONS,
            "action_units": samples.action_unit_labels,
        },
        keypoints=samples.keypoints,
        primary=primary,
    )

# SPDX-License-Identifier: Apache-2.0
"""Sources of faces as 68 landmarks with valence and arousal: the open sets through the landmark net, and MorphSet."""

from __future__ import annotations

import hashlib
import io
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from mien.core import DIMENSIONS, EXPRESSIONS, DatasetError, Float32, Float64, InputError, load_array
from mien.datasets import FERPLUS_TEMPLATE, FaceSamples, load_ferplus, load_lfw, load_morphset, person
from mien.faces import load_landmark_net, read_given_face
from mien.media import decode_image
from mien.results import atomic_write, cache_folder
from mien.training.data.open_sources import FERPLUS, LFW
from mien.training.data.source_records import LabelOrigin, SourceRecord, WeakLabels
from mien.training.data.training_set import TrainingSet
from mien.training.recipes.geometry_recipe import GeometryRecipe
from mien.training.recipes.settings import SourceSettings

logger = logging.getLogger(__name__)

N_POINT_COLUMNS = 136 + 3
"""Columns of these sources' vectors: x and y of each landmark in pixels, then pitch, yaw and roll (NaN if unknown)."""

INTENSITY = "intensity"
"""Task of the distance of a rating from neutral: the root of the squared sum of valence and arousal."""

_LOGGED = 5000
_AFFECT = "valence_arousal"
_MAPPED = WeakLabels(task=_AFFECT, sentence="Valence and arousal were mapped from expression votes, not rated.")
_OF_LABEL = WeakLabels(
    task=_AFFECT,
    sentence="Valence and arousal of an LFW face are the mean of the FER+ faces with the same expression.",
)


def load_points_ferplus(source: SourceSettings, folder: Path, recipe: GeometryRecipe) -> TrainingSet:
    """FER+ of ``"train"`` or ``"valid"``: landmarks of the landmark net, mapped valence and arousal."""
    del recipe
    _check_split(source, ("train", "valid"))
    samples = load_ferplus(folder, source.split)
    return _point_set(samples, samples.valence_arousal, samples.names, _point_record(FERPLUS, source.split, _MAPPED))


def load_points_lfw(source: SourceSettings, folder: Path, recipe: GeometryRecipe) -> TrainingSet:
    """LFW of ``"train"`` people: landmarks of the landmark net, valence and arousal of the expression's FER+ faces."""
    del recipe
    _check_split(source, ("train",))
    samples = load_lfw(folder, source.split)
    means = label_means(load_ferplus(folder, "train"))
    affect = means[samples.expression.argmax(axis=1)].astype(np.float32)
    people = tuple(person(name) for name in samples.names)
    return _point_set(samples, affect, people, _point_record(LFW, "training people", _OF_LABEL))


def load_points_morphset(source: SourceSettings, folder: Path, recipe: GeometryRecipe) -> TrainingSet:
    """MorphSet of ``"train"``, ``"valid"`` or ``"test"`` people, without head poses."""
    del recipe
    samples = load_morphset(folder, source.split)
    vectors = np.full((len(samples), N_POINT_COLUMNS), np.nan, np.float32)
    vectors[:, :136] = samples.landmarks.reshape(len(samples), -1)
    record = SourceRecord(title=f"MorphSet {source.split}", licence="as granted by its authors")
    own = _training_set(vectors, samples.ratings[:, [1, 0]], samples.subjects, record)
    return replace(own, targets={**own.targets, INTENSITY: samples.ratings[:, 2:]})


def label_means(samples: FaceSamples) -> Float64:
    """(8, 2) mean valence and arousal of the faces whose largest share is each expression; 0 for one without faces."""
    top = samples.expression.argmax(axis=1)
    rows = [samples.valence_arousal[top == number] for number in range(len(EXPRESSIONS))]
    return np.array([of.mean(axis=0) if len(of) else np.zeros(2) for of in rows], np.float64)


def _point_set(samples: FaceSamples, affect: Float32, groups: tuple[str, ...], record: SourceRecord) -> TrainingSet:
    vectors = landmark_vectors(samples.names, samples.images)
    seen = np.isfinite(vectors[:, 0])
    if not seen.any():
        raise DatasetError(f"the landmark net sees a face in none of the {len(samples)} pictures of {record.title}")
    logger.info("%s: landmarks of %d of %d faces", record.title, seen.sum(), len(samples))
    return _training_set(vectors, affect, groups, record).take(seen)


def _training_set(vectors: Float32, affect: Float32, groups: tuple[str, ...], record: SourceRecord) -> TrainingSet:
    n = len(groups)
    return TrainingSet(
        groups=groups,
        inputs=vectors,
        targets={
            _AFFECT: np.asarray(affect, np.float32),
            INTENSITY: np.hypot(affect[:, :1], affect[:, 1:]).astype(np.float32),
        },
        labels={_AFFECT: DIMENSIONS, INTENSITY: (INTENSITY,)},
        keypoints=np.full((n, 5, 2), np.nan, np.float32),
        primary=np.ones(n, dtype=bool),
        records=(record,),
    )


def landmark_vectors(names: tuple[str, ...], images: tuple[bytes, ...]) -> Float32:
    """(N, 139) landmarks in pixels and head pose of pictures of one face each, as the analyzer reads given crops.

    They are computed once and kept in the user's cache folder.

    Args:
        names: Names of the pictures, for messages.
        images: Encoded pictures; a row of one without a face, or that cannot be decoded, is NaN.
    """
    net = load_landmark_net()
    digest = hashlib.sha256(net.bundle.digest.encode())
    for image in images:
        digest.update(hashlib.sha256(image).digest())
    path = cache_folder("points") / f"{digest.hexdigest()[:32]}.npy"
    if path.is_file():
        try:
            return load_array(path).astype(np.float32, copy=False)
        except (OSError, ValueError) as error:
            raise DatasetError(f"{path} cannot be read ({error}); delete it, it is made again") from error
    vectors = np.full((len(images), N_POINT_COLUMNS), np.nan, np.float32)
    for row, (name, image) in enumerate(zip(names, images, strict=True)):
        try:
            found = read_given_face(net, decode_image(image, name=name), FERPLUS_TEMPLATE)
        except InputError as error:
            logger.warning("%s", error)
            continue
        if len(found):
            vectors[row, :136], vectors[row, 136:] = found.landmarks[0].ravel(), found.pose_rad[0]
        if (row + 1) % _LOGGED == 0:
            logger.info("landmarks of %d of %d pictures", row + 1, len(images))
    content = io.BytesIO()
    np.save(content, vectors)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        file.write(content.getvalue())
    return vectors


def _point_record(record: SourceRecord, split: str, weak: WeakLabels) -> SourceRecord:
    points = LabelOrigin(name="mien-points", role="landmark net", licence="Apache-2.0")
    ratings = tuple(origin for origin in FERPLUS.origins if "ratings" in origin.role)
    return replace(
        record,
        title=f"{record.title} {split}",
        role="landmarks, valence and arousal",
        weak=(weak,),
        origins=(*ratings, points),
        protocols=(),
    )


def _check_split(source: SourceSettings, splits: tuple[str, ...]) -> None:
    if source.split not in splits:
        raise DatasetError(f"{source.name} has the splits {' and '.join(splits)}, not {source.split!r}")

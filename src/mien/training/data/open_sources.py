# SPDX-License-Identifier: Apache-2.0
"""The open face sets as training sets, for affect and for landmarks, with the records for their cards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from mien.core import (
    ACTION_UNIT_SIDES,
    DIMENSIONS,
    EXPRESSION_ORDERS,
    EXPRESSIONS,
    LANDMARK_COLUMNS,
    ConfigError,
    point_columns,
    pose_angles,
    rotation_matrices,
)
from mien.datasets import (
    AU_RULES,
    FaceSamples,
    LandmarkFaces,
    load_fairface,
    load_ferplus,
    load_landmark_faces,
    load_lfw,
    load_rendered_faces,
    load_traits,
    person,
    picture_file,
    validation_photos,
)
from mien.faces import keypoints_of
from mien.training.data.loose_crops import WINDOW_PARTS
from mien.training.data.source_records import LabelOrigin, SourceRecord, WeakLabels
from mien.training.data.training_images import TrainingImages
from mien.training.data.training_set import TrainingSet
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.settings import SourceSettings

_WEB = "images collected from the web for research; "
_MEDIAPIPE = LabelOrigin(
    name="MediaPipe Face Landmarker", role="teacher of action units and keypoints", licence="Apache-2.0"
)
_RATINGS = LabelOrigin(
    name="AffectNetC25, random images",
    role="ratings for the map from votes to valence and arousal (no pixels)",
    licence="published by its authors",
    n=800,
)
_PSEUDO_UNITS = WeakLabels(
    task="action_units",
    sentence="Action units are pseudo-labels of a landmark model (MediaPipe Face Landmarker), not of FACS coders: AU06 "
    "is inferred from the smile and the eye squint together; AU09, AU14 and AU23 are not given.",
    inferred=tuple(name for name, rule in AU_RULES.items() if not rule.observed),
)
_MAPPED_AFFECT = WeakLabels(
    task="valence_arousal",
    sentence="Valence and arousal were mapped from expression votes, not rated.",
)
_NOISY_EXPRESSION = WeakLabels(
    task="expression", sentence="Expression labels of LFW come from one annotation each and are noisy."
)
_PSEUDO_LANDMARKS = WeakLabels(
    task="landmarks",
    sentence="Landmarks, pose and eye openness are predictions of a landmark model (MediaPipe Face Landmarker), not "
    "measurements of people; pictures in which it found no face were not used.",
)

FERPLUS = SourceRecord(
    title="FER+ (FER2013)",
    role="expression votes, mapped valence and arousal, action-unit pseudo-labels",
    licence=_WEB + "labels MIT",
    terms="licence",
    weak=(_MAPPED_AFFECT, _PSEUDO_UNITS),
    origins=(_RATINGS, _MEDIAPIPE),
    protocols=("ferplus", "affect-detail", "lfw", "flip-rate"),
)
"""FER+ with what the open sets say about its faces."""

FAIRFACE = SourceRecord(
    title="FairFace",
    role="action-unit pseudo-labels",
    licence="CC BY 4.0",
    terms="licence",
    weak=(_PSEUDO_UNITS,),
    origins=(_MEDIAPIPE,),
)
"""FairFace, whose faces have no expression labels."""

LFW = SourceRecord(
    title="LFW expression",
    role="noisy expression labels, action-unit pseudo-labels",
    licence=_WEB + "collection Apache-2.0",
    terms="licence",
    weak=(_NOISY_EXPRESSION, _PSEUDO_UNITS),
    origins=(_MEDIAPIPE,),
)
"""LFW with a single expression label per picture."""


def load_open_ferplus(source: SourceSettings, folder: Path, recipe: Recipe) -> TrainingSet:
    """FER+ of ``"train"`` or ``"valid"``: shares of votes, mapped valence and arousal, pseudo action units.

    The folder's layout: docs/how-to/training.md.
    """
    _check(source, recipe, ("train", "valid"))
    return _of_faces(load_ferplus(folder, source.split), recipe, _with_split(FERPLUS, source.split))


def load_open_fairface(source: SourceSettings, folder: Path, recipe: Recipe) -> TrainingSet:
    """FairFace of ``"train"`` or ``"valid"``: pseudo action units."""
    _check(source, recipe, ("train", "valid"))
    return _of_faces(load_fairface(folder, source.split), recipe, _with_split(FAIRFACE, source.split))


def load_fairface_more(source: SourceSettings, folder: Path, recipe: Recipe) -> TrainingSet:
    """FairFace's further training faces, gray and small: pseudo action units."""
    _check(source, recipe, ("train",))
    return _of_faces(load_fairface(folder, "more"), recipe, replace(FAIRFACE, title=f"{FAIRFACE.title}, more faces"))


def load_open_lfw(source: SourceSettings, folder: Path, recipe: Recipe) -> TrainingSet:
    """LFW's ``"train"`` people: one noisy expression label per picture, pseudo action units."""
    _check(source, recipe, ("train",))
    return _of_faces(load_lfw(folder, "train"), recipe, replace(LFW, title=f"{LFW.title}, training people"))


def load_fairface_traits(source: SourceSettings, folder: Path, recipe: Recipe) -> TrainingSet:
    """FairFace with the annotators' age, gender and race of each face: a pretext for start weights.

    The splits are ``"train"`` and ``"valid"``. Values are in alphabetical order.
    """
    _check_split(source, ("train", "valid"))
    found = _of_faces(load_fairface(folder, source.split), recipe, _with_split(FAIRFACE, source.split))
    targets, labels = {}, {}
    for name, values in load_traits(picture_file(folder, "fairface", source.split), ("age", "gender", "race")).items():
        known, column = np.unique(values, return_inverse=True)
        labels[name] = tuple(known.tolist())
        targets[name] = np.eye(len(known), dtype=np.float32)[column]
    record = replace(found.records[0], role="age, gender and race", weak=(), origins=())
    return replace(found, targets=targets, labels=labels, records=(record,))


RENDERED = SourceRecord(
    title="Rendered faces (mien synthesize)",
    role="exact action units and intensities",
    licence="CC0 shapes of MakeHuman",
    terms="licence",
    weak=(
        WeakLabels(
            task="action_unit_intensity",
            sentence="Intensities of action units were learned from rendered faces alone; on real faces no FACS coder "
            "has checked them.",
        ),
    ),
)
"""Rendered faces, whose labels are exact and whose pictures are not photos."""


def load_lfw_people(source: SourceSettings, folder: Path, recipe: Recipe) -> TrainingSet:
    """LFW's training people with at least ``least_photos`` photos, and who of them it is: a pretext for start weights.

    The splits are ``"train"`` and ``"valid"``, 90 and 10 % of the photos, as those of folders of persons.
    """
    _check_split(source, ("train", "valid"))
    samples = load_lfw(folder, "train")
    persons = np.array([person(name) for name in samples.names])
    known, number, counts = np.unique(persons, return_inverse=True, return_counts=True)
    usable = np.flatnonzero(counts[number] >= source.least_photos)
    labels = known[counts >= source.least_photos]
    in_valid = validation_photos([samples.names[row] for row in usable], persons[usable])
    rows = usable[in_valid if source.split == "valid" else ~in_valid]
    found = _of_faces(samples.take(rows), recipe, _with_split(LFW, source.split))
    record = replace(found.records[0], role="identities, by the names of the files", weak=(), origins=())
    return replace(
        found,
        targets={"identity": np.searchsorted(labels, persons[rows])[:, None].astype(np.float32)},
        labels={"identity": tuple(labels.tolist())},
        records=(record,),
    )


def load_rendered(source: SourceSettings, folder: Path, recipe: Recipe) -> TrainingSet:
    """Rendered faces of ``"train"``, ``"valid"`` or ``"test"`` persons: action units, intensities, expressions."""
    _check(source, recipe, ("train", "valid", "test"))
    found = load_rendered_faces(folder, source.split)
    return TrainingSet(
        groups=tuple(f"rendered person {number}" for number in found.identity),
        inputs=TrainingImages.of(found.names, found.images, recipe.model.colour),
        targets={
            "expression": found.expression,
            "action_units": found.presence,
            "action_unit_intensity": found.intensity,
            "action_unit_sides": found.sides,
        },
        labels={
            "expression": EXPRESSIONS,
            "action_units": found.action_unit_labels,
            "action_unit_intensity": found.action_unit_labels,
            "action_unit_sides": ACTION_UNIT_SIDES,
        },
        keypoints=keypoints_of(found.landmarks).astype(np.float32),
        primary=np.ones(len(found), dtype=bool),
        records=(_with_split(RENDERED, source.split),),
    )


# The landmark teacher's pitch of a rendered head less that of its mesh: the median over 1,062 faces with less than 15
# degrees of yaw.
_TEACHER_PITCH_RAD = float(np.radians(-4.7))
_N_JAW = 17


def load_rendered_landmarks(source: SourceSettings, folder: Path, recipe: Recipe) -> TrainingSet:
    """Rendered faces with their exact landmarks and head pose, the pose in the teacher's frame of the head.

    The jaw is unknown unless the source has ``contour_jaw``: on rendered faces it follows the visible contour, while
    the teacher's are fixed places of the head, and a network that learns both moves the jaw of turned real heads.
    """
    del recipe
    _check_split(source, ("train", "valid", "test"))
    found = load_rendered_faces(folder, source.split)
    turned = rotation_matrices(found.pose_rad) @ rotation_matrices(np.array([_TEACHER_PITCH_RAD, 0.0, 0.0]))
    n = len(found)
    landmarks = found.landmarks.copy()
    if not source.contour_jaw:
        landmarks[:, :_N_JAW] = np.nan
    record = replace(_with_split(RENDERED, source.split), role="exact landmarks and head pose", weak=())
    return TrainingSet(
        groups=tuple(f"rendered person {number}" for number in found.identity),
        inputs=TrainingImages.of(found.names, found.images, "gray"),
        targets={
            "landmarks": landmarks.reshape(n, -1),
            "pose": pose_angles(turned).astype(np.float32),
            "face": np.ones((n, 1), np.float32),
        },
        labels={task: _LANDMARK_LABELS[task] for task in ("landmarks", "pose", "face")},
        keypoints=keypoints_of(found.landmarks).astype(np.float32),
        primary=np.ones(n, dtype=bool),
        records=(record,),
    )


_LANDMARK_LABELS = {
    "landmarks": LANDMARK_COLUMNS,
    "pose": ("pitch", "yaw", "roll"),
    "eyes": ("image_left", "image_right"),
    "face": ("face",),
}

# Source -> name of its set among the landmark faces, and its record.
_LANDMARK_SETS = {
    "landmarks-ferplus": ("ferplus", FERPLUS),
    "landmarks-fairface": ("fairface", FAIRFACE),
    "landmarks-lfw": ("lfw", LFW),
}


def load_open_landmarks(source: SourceSettings, folder: Path, recipe: Recipe) -> TrainingSet:
    """One open set with a landmark teacher's landmarks, pose and eye openness; ``"train"`` or ``"test"`` people."""
    del recipe
    _check_split(source, ("train", "test"))
    name, record = _LANDMARK_SETS[source.name]
    found = landmark_set(load_landmark_faces(folder, source.split, names=(name,)))
    origin = replace(_MEDIAPIPE, role="teacher of landmarks, pose and eye openness")
    record = replace(
        _with_split(record, source.split),
        role="pictures",
        weak=(_PSEUDO_LANDMARKS,),
        origins=(origin,),
        protocols=("landmarks",),
    )
    return replace(found, records=(record,))


def landmark_set(faces: LandmarkFaces) -> TrainingSet:
    """Faces with landmarks as a training set of the tasks landmarks, pose, eyes, face and face_parts."""
    n = len(faces)
    centres = np.stack([faces.landmarks[:, rows].mean(axis=1) for rows in WINDOW_PARTS.values()], axis=1)
    return TrainingSet(
        groups=faces.names,
        inputs=TrainingImages.of(faces.names, faces.images, "gray"),
        targets={
            "landmarks": np.asarray(faces.landmarks, np.float32).reshape(n, -1),
            "pose": faces.pose_rad,
            "eyes": faces.eyes_open,
            "face": np.ones((n, 1), np.float32),
            "face_parts": np.asarray(centres, np.float32).reshape(n, -1),
        },
        labels={**_LANDMARK_LABELS, "face_parts": point_columns(tuple(WINDOW_PARTS))},
        keypoints=keypoints_of(faces.landmarks).astype(np.float32),
        primary=np.ones(n, dtype=bool),
    )


def _of_faces(samples: FaceSamples, recipe: Recipe, record: SourceRecord) -> TrainingSet:
    found = labelled_faces(samples, TrainingImages.of(samples.names, samples.images, recipe.model.colour))
    return replace(found, records=(record,))


def labelled_faces(samples: FaceSamples, images: TrainingImages) -> TrainingSet:
    """Faces with all their labels as a training set whose rows are all primary.

    Args:
        samples: N faces.
        images: Their N images.
    """
    return TrainingSet(
        groups=samples.names,
        inputs=images,
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
        primary=np.ones(len(samples), dtype=bool),
    )


def _with_split(record: SourceRecord, split: str) -> SourceRecord:
    return replace(record, title=f"{record.title} {split}")


def _check(source: SourceSettings, recipe: Recipe, splits: tuple[str, ...]) -> None:
    _check_split(source, splits)
    if EXPRESSION_ORDERS[recipe.data.expressions] != EXPRESSIONS:
        raise ConfigError(f"{source.name} has the canonical expressions; set [data] expressions = 'canonical'")


def _check_split(source: SourceSettings, splits: tuple[str, ...]) -> None:
    if source.split not in splits:
        raise ConfigError(f"{source.name} has the splits {' and '.join(splits)}, not {source.split!r}")

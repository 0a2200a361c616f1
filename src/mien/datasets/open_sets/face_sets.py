# SPDX-License-Identifier: Apache-2.0
"""The open face sets behind the shipped bundles, as faces with labels from annotators and from a teacher."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mien.core import EXPRESSIONS, Bools, Float32, pose_angles
from mien.datasets.open_sets.face_parquet import (
    load_emotions,
    load_names,
    load_pictures,
    load_poses,
    load_ratings,
    load_teacher,
    load_votes,
    picture_file,
    teacher_file,
)
from mien.datasets.open_sets.weak_labels import AU_RULES, AffectMap, action_unit_probabilities, expression_shares
from mien.datasets.samples import FaceSamples, LandmarkFaces, concatenate, name_share
from mien.datasets.text_files import AnnotationError
from mien.faces import keypoints_of

# Mean position of the five keypoints in FER+ training faces, made symmetric: a crop then looks like a FER+ image.
FERPLUS_TEMPLATE = ((0.320, 0.385), (0.680, 0.385), (0.500, 0.578), (0.352, 0.768), (0.648, 0.768))

_TEST_SHARE_LFW = 0.25
_N_DIGITS_LFW = 4
_RATINGS_SET = 2  # the map is fitted on the random images and reported on the confusing ones


def load_held_out(folder: str | Path, n: int) -> FaceSamples:
    """The first n FER+ training faces in the order in which training holds faces out for calibration.

    The order is that of a hash of the names, so it does not depend on the order or number of rows.

    Args:
        folder: Folder that holds all open sets (layout: docs/how-to/training.md).
        n: Number of faces, at most the ``calibration_rows`` of the recipe for faces that were not trained on.

    Raises:
        AnnotationError: A file is missing or malformed.
    """
    ferplus = load_ferplus(folder, "train")
    return ferplus.take(np.argsort([name_share(name) for name in ferplus.names])[:n])


def affect_map(folder: str | Path) -> AffectMap:
    """Regression from votes to valence and arousal that labels FER+ faces, fitted on AffectNetC25."""
    votes, ratings, image_set = load_ratings(picture_file(folder, "affectnet_c25", "train"))
    rows = image_set == _RATINGS_SET
    return AffectMap.fit(votes[rows] / votes[rows].sum(axis=1, keepdims=True), ratings[rows])


def load_ferplus(folder: str | Path, split: str) -> FaceSamples:
    """FER+ faces with vote shares, mapped valence and arousal, and pseudo-labels of action units.

    Faces that most annotators marked as unknown or as no face are left out.

    Args:
        folder: Folder that holds all open sets (layout: docs/how-to/training.md).
        split: ``"train"`` or ``"valid"``.

    Raises:
        AnnotationError: A file is missing or malformed.
    """
    shares = expression_shares(load_votes(picture_file(folder, "ferplus", split)))
    affect = np.full((len(shares), 2), np.nan, dtype=np.float32)
    usable = ~np.isnan(shares).any(axis=1)
    affect[usable] = affect_map(folder)(shares[usable])
    return _with_teacher(folder, "ferplus", split, shares, affect).take(usable)


def load_fairface(folder: str | Path, split: str) -> FaceSamples:
    """FairFace faces, which have no expression labels, with the teacher's action units.

    Args:
        folder: Folder that holds all open sets (layout: docs/how-to/training.md).
        split: ``"train"``, ``"valid"``, or ``"more"`` for further training faces, which are gray and have 80 px.

    Raises:
        AnnotationError: A file is missing or malformed.
    """
    n = len(load_names(picture_file(folder, "fairface", split)))
    unknown = np.full((n, 8), np.nan, dtype=np.float32)
    return _with_teacher(folder, "fairface", split, unknown, unknown[:, :2])


def load_lfw(folder: str | Path, split: str) -> FaceSamples:
    """LFW faces with their single noisy label, divided by the name of the person.

    Args:
        folder: Folder that holds all open sets (layout: docs/how-to/training.md).
        split: ``"train"``, or ``"test"`` for about a quarter of the persons, who are not in ``"train"``.

    Raises:
        AnnotationError: A file is missing or malformed.
    """
    emotions = load_emotions(picture_file(folder, "lfw", split))
    one_hot = np.eye(len(EXPRESSIONS), dtype=np.float32)[[EXPRESSIONS.index(label) for label in emotions]]
    unknown = np.full((len(emotions), 2), np.nan, dtype=np.float32)
    samples = _with_teacher(folder, "lfw", split, one_hot, unknown)
    return samples.take(_lfw_rows(samples.names, split))


def _lfw_rows(names: tuple[str, ...], split: str) -> Bools:
    in_test = np.array([is_test_person(name) for name in names], dtype=bool)
    return in_test if split == "test" else ~in_test


def is_test_person(name: str) -> bool:
    """Whether the person in an LFW picture is held out for testing.

    Examples:
        >>> is_test_person("Bo_Orr_0001.jpg"), is_test_person("Bo_Orr_0002.jpg"), is_test_person("Ann_Lee_0001.jpg")
        (True, True, False)
    """
    return name_share(person(name)) < _TEST_SHARE_LFW


def person(name: str) -> str:
    """Name of the person in an LFW picture: the stem of the file name without its number.

    Examples:
        >>> person("Ricardo_Lagos_0003.jpg")
        'ricardo_lagos'
    """
    stem = Path(name).stem
    return stem.rstrip("0123456789").rstrip("_- ").lower()


def is_video_still(name: str) -> bool:
    """Whether a picture of the LFW expression set is a video still: photographs of LFW are numbered by four digits.

    Examples:
        >>> is_video_still("Ann_Lee_12.jpg"), is_video_still("Ann_Lee_0012.jpg")
        (True, False)
    """
    number = Path(name).stem.rpartition("_")[2]
    return not (number.isdecimal() and len(number) == _N_DIGITS_LFW)


def _with_teacher(folder: str | Path, name: str, split: str, expression: Float32, affect: Float32) -> FaceSamples:
    pictures = load_pictures(picture_file(folder, name, split))
    outputs = load_teacher(teacher_file(folder, name, split), pictures.names)
    return FaceSamples(
        names=pictures.names,
        images=pictures.images,
        expression=expression,
        valence_arousal=affect,
        action_units=action_unit_probabilities(outputs, expression),
        action_unit_labels=tuple(AU_RULES),
        keypoints=keypoints_of(outputs.landmarks).astype(np.float32),
    )


# Split of the landmark faces -> sets and their splits.
_LANDMARK_SETS = {
    "train": (("ferplus", "train"), ("fairface", "train"), ("lfw", "train")),
    "test": (("fairface", "valid"), ("lfw", "test")),
}


def load_landmark_faces(
    folder: str | Path, split: str, names: Sequence[str] = ("ferplus", "fairface", "lfw")
) -> LandmarkFaces:
    """Faces with the teacher's landmarks, head pose and eye opening.

    Args:
        folder: Folder that holds all open sets (layout: docs/how-to/training.md).
        split: ``"train"`` (FER+ train, FairFace train, the training persons of LFW) or ``"test"`` (FairFace valid,
            the test persons of LFW); no person of LFW is in both.
        names: Names of the sets to read.

    Raises:
        AnnotationError: A file is missing or malformed, the split is unknown, or it has none of the sets.
    """
    if split not in _LANDMARK_SETS:
        raise AnnotationError(Path(folder), f"the landmark faces have the splits train, test, not {split!r}")
    chosen = [(name, part) for name, part in _LANDMARK_SETS[split] if name in names]
    if not chosen:
        raise AnnotationError(Path(folder), f"the split {split} of the landmark faces has no set of {', '.join(names)}")
    return concatenate([_with_landmarks(Path(folder), name, part) for name, part in chosen])


def _with_landmarks(folder: Path, name: str, split: str) -> LandmarkFaces:
    path, file = picture_file(folder, name, split), teacher_file(folder, name, split)
    pictures = load_pictures(path)
    outputs, rotations = load_teacher(file, pictures.names), load_poses(file, pictures.names)
    faces = LandmarkFaces(
        names=pictures.names,
        images=pictures.images,
        source=np.full(len(pictures.names), path.parent.name),
        landmarks=outputs.landmarks,
        pose_rad=pose_angles(rotations).astype(np.float32),
        eyes_open=_eyes_open(outputs.blendshapes, outputs.blendshape_names, file),
    )
    found = outputs.found
    return faces.take(found & _lfw_rows(pictures.names, split) if name == "lfw" else found)


def _eyes_open(blendshapes: Float32, names: tuple[str, ...], path: Path) -> Float32:
    try:
        # The teacher names the subject's sides: the right eye is the one at the image's left.
        return 1 - blendshapes[:, [names.index("eyeBlinkRight"), names.index("eyeBlinkLeft")]]
    except ValueError as error:
        raise AnnotationError(path, f"no eyeBlink among the blendshapes ({error})") from error

# SPDX-License-Identifier: Apache-2.0
"""The open face sets behind the bundles shipped with mien, with the labels that their sources allow."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.core import EXPRESSIONS, DatasetError, pose_angles
from mien.datasets.open_sets.face_parquet import (
    Floats,
    load_emotions,
    load_pictures,
    load_poses,
    load_ratings,
    load_teacher,
    load_votes,
)
from mien.datasets.open_sets.weak_labels import AU_RULES, AffectMap, action_unit_probabilities, expression_shares
from mien.datasets.samples import FaceSamples, concatenate
from mien.faces.alignment import keypoints_of

# The mean place of the five points in FER+ training faces, made symmetric: a crop then looks as FER+ does.
FERPLUS_TEMPLATE = ((0.320, 0.385), (0.680, 0.385), (0.500, 0.578), (0.352, 0.768), (0.648, 0.768))

_TEST_SHARE_LFW = 0.25
_RATINGS_SET = 2  # the map is fitted on the random images and reported on the confusing ones


@dataclass(frozen=True)
class OpenFaces:
    """The parts that the default recipe learns from.

    Attributes:
        train: FER+ train, FairFace train and LFW's training people.
        voted: (N,) True for FER+ rows.
        calibration: FER+ training faces set aside, never learnt from.
    """

    train: FaceSamples
    voted: npt.NDArray[np.bool_]
    calibration: FaceSamples


def load_open_faces(folder: str | Path, calibration_rows: int) -> OpenFaces:
    """Read the sets below ``folder`` (layout: docs/training.md), some FER+ faces set aside for calibration.

    Raises:
        DatasetError: a file is missing or malformed.
    """
    folder = Path(folder)
    ferplus = load_ferplus(folder, "train")
    held_out = _hold_out(ferplus, calibration_rows)
    taught = np.ones(len(ferplus), dtype=bool)
    taught[held_out] = False
    voted = ferplus.take(taught)
    others = [load_fairface(folder, "train"), load_lfw(folder, test=False)]
    train = concatenate([voted, *others])
    return OpenFaces(train, np.arange(len(train)) < len(voted), ferplus.take(held_out))


def load_held_out(folder: str | Path, n: int) -> FaceSamples:
    """The first n FER+ training faces that `load_open_faces` sets aside.

    Raises:
        DatasetError: a file is missing or malformed.
    """
    ferplus = load_ferplus(folder, "train")
    return ferplus.take(_hold_out(ferplus, n))


def _hold_out(ferplus: FaceSamples, n: int) -> npt.NDArray[np.intp]:
    """Rows in an order that no new row changes."""
    return np.argsort([_hash(name) for name in ferplus.names])[:n]


def affect_map(folder: Path) -> AffectMap:
    """The map from votes to valence and arousal that teaches FER+ faces."""
    votes, ratings, image_set = load_ratings(folder / "affectnet_c25/ratings.parquet")
    rows = image_set == _RATINGS_SET
    return AffectMap.fit(votes[rows] / votes[rows].sum(axis=1, keepdims=True), ratings[rows])


def load_ferplus(folder: str | Path, split: str) -> FaceSamples:
    """FER+ faces of ``"train"`` or ``"valid"`` with shares, mapped valence and arousal, and pseudo action units.

    Faces that most people could not name or that are none stay out.
    """
    folder = Path(folder)
    path = folder / f"ferplus/{split}.parquet"
    shares = expression_shares(load_votes(path))
    affect = np.full((len(shares), 2), np.nan, dtype=np.float32)
    usable = ~np.isnan(shares).any(axis=1)
    affect[usable] = affect_map(folder)(shares[usable])
    samples = _with_teacher(folder, path, f"ferplus_{split}", shares, affect)
    return samples.take(usable)


def load_fairface(folder: str | Path, split: str) -> FaceSamples:
    """FairFace of ``"train"`` or ``"val"``: faces without expression labels, with the teacher's action units."""
    folder = Path(folder)
    path = folder / f"fairface/{split}.parquet"
    n = len(load_pictures(path).names)
    unknown = np.full((n, 8), np.nan, dtype=np.float32)
    return _with_teacher(folder, path, f"fairface_{split}", unknown, unknown[:, :2])


def load_lfw(folder: str | Path, *, test: bool) -> FaceSamples:
    """LFW faces with their single noisy label, of the people kept for testing or of all others.

    People are told apart by name stem, so nobody is in both parts.
    """
    folder = Path(folder)
    path = folder / "lfw_expression/photos.parquet"
    emotions = load_emotions(path)
    one_hot = np.eye(len(EXPRESSIONS), dtype=np.float32)[[EXPRESSIONS.index(label) for label in emotions]]
    unknown = np.full((len(emotions), 2), np.nan, dtype=np.float32)
    samples = _with_teacher(folder, path, "lfw_expression", one_hot, unknown)
    in_test = np.array([is_test_person(name) for name in samples.names])
    return samples.take(in_test == test)


def is_test_person(name: str) -> bool:
    """Whether the person on an LFW picture is kept for testing."""
    return _hash(person(name)) < _TEST_SHARE_LFW


def person(name: str) -> str:
    """The stem of an LFW file name that names the person: no number, no suffix."""
    stem = Path(name).stem
    return stem.rstrip("0123456789").rstrip("_- ").lower()


def _with_teacher(
    folder: Path, path: Path, teacher: str, expression: npt.NDArray[np.float32], affect: npt.NDArray[np.float32]
) -> FaceSamples:
    pictures = load_pictures(path)
    answers = load_teacher(folder / f"teacher/{teacher}.parquet", pictures.names)
    return FaceSamples(
        names=pictures.names,
        images=pictures.images,
        expression=expression,
        valence_arousal=affect,
        action_units=action_unit_probabilities(answers, expression),
        action_unit_labels=tuple(AU_RULES),
        keypoints=keypoints_of(answers.landmarks).astype(np.float32),
    )


def _hash(text: str) -> float:
    """A stable number in [0, 1) for a name: splits that survive reordering and new rows."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


# Pictures of the open sets and where the teacher's answers lie, per part.
_SETS = {
    "train": (("ferplus/train", "ferplus_train"), ("fairface/train", "fairface_train")),
    "test": (("fairface/val", "fairface_val"),),
}
_LFW = ("lfw_expression/photos", "lfw_expression")


@dataclass(frozen=True, eq=False)
class LandmarkFaces:
    """N pictures of one face each; the teacher found a face in all of them.

    Attributes:
        names: of the pictures.
        images: encoded pictures.
        source: (N,) name of the set of each.
        landmarks: (N, 68, 2) 300-W order, fractions of the picture's width and height; may leave 0..1.
        pose_rad: (N, 3) pitch, yaw, roll (`mien.core.rotation_matrices` says what they mean).
        eyes_open: (N, 2) in [0, 1], 1 for wide open, of the eye at the image's left and the one at its right.
    """

    names: tuple[str, ...]
    images: tuple[bytes, ...]
    source: npt.NDArray[np.str_]
    landmarks: Floats
    pose_rad: Floats
    eyes_open: Floats

    def __len__(self) -> int:
        return len(self.names)

    def take(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> LandmarkFaces:
        """The chosen faces."""
        rows = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        return LandmarkFaces(
            tuple(self.names[row] for row in rows),
            tuple(self.images[row] for row in rows),
            self.source[rows],
            self.landmarks[rows],
            self.pose_rad[rows],
            self.eyes_open[rows],
        )


def load_landmark_faces(folder: Path, part: str) -> LandmarkFaces:
    """The teacher's answers for faces below ``folder``.

    Args:
        folder: of the open sets (layout: docs/training.md).
        part: ``"train"`` (FER+ train, FairFace train, LFW's training people) or ``"test"`` (FairFace val, LFW's
            test people): no person of LFW is in both.

    Raises:
        DatasetError: a file is missing or malformed.
    """
    loaded = [_load(folder, *entry) for entry in _SETS[part]]
    lfw = _load(folder, *_LFW)
    in_test = np.array([is_test_person(name) for name in lfw.names])
    return _concatenate([*loaded, lfw.take(in_test == (part == "test"))])


def _load(folder: Path, path: str, teacher: str) -> LandmarkFaces:
    pictures = load_pictures(folder / f"{path}.parquet")
    file = folder / f"teacher/{teacher}.parquet"
    answers, matrices = load_teacher(file, pictures.names), load_poses(file, pictures.names)
    names = answers.blendshape_names
    try:
        # The teacher names the subject's sides: the right eye is the one at the image's left.
        blink = answers.blendshapes[:, [names.index("eyeBlinkRight"), names.index("eyeBlinkLeft")]]
    except ValueError as error:
        raise DatasetError(f"{file}: no eyeBlink among the blendshapes ({error})") from error
    faces = LandmarkFaces(
        pictures.names,
        pictures.images,
        np.full(len(pictures.names), path.partition("/")[0]),
        answers.landmarks,
        pose_angles(matrices).astype(np.float32),
        1 - blink,
    )
    return faces.take(answers.found)


def _concatenate(parts: list[LandmarkFaces]) -> LandmarkFaces:
    return LandmarkFaces(
        tuple(name for part in parts for name in part.names),
        tuple(image for part in parts for image in part.images),
        np.concatenate([part.source for part in parts]),
        np.concatenate([part.landmarks for part in parts]),
        np.concatenate([part.pose_rad for part in parts]),
        np.concatenate([part.eyes_open for part in parts]),
    )

# SPDX-License-Identifier: Apache-2.0
"""Faces with 68 points, head pose and eye openness as a landmark teacher sees them, from the open face sets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.core import DatasetError, pose_angles
from mien.datasets.faces_parquet import Floats, load_pictures, load_poses, load_teacher
from mien.datasets.open_faces import is_test_person

# Pictures of the open sets and where the teacher's answers lie, per part.
_SETS = {
    "teaching": (("ferplus/train", "ferplus_train"), ("fairface/train", "fairface_train")),
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
        points: (N, 68, 2) 300-W order, fractions of the picture's width and height; may leave 0..1.
        pose_rad: (N, 3) pitch, yaw, roll (`mien.core.rotation_matrices` says what they mean).
        eyes_open: (N, 2) in [0, 1], 1 for wide open, of the eye at the image's left and the one at its right.
    """

    names: tuple[str, ...]
    images: tuple[bytes, ...]
    source: npt.NDArray[np.str_]
    points: Floats
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
            self.points[rows],
            self.pose_rad[rows],
            self.eyes_open[rows],
        )


def load_landmark_faces(folder: Path, part: str) -> LandmarkFaces:
    """The teacher's answers for faces below ``folder``.

    Args:
        folder: of the open sets (layout: docs/training.md).
        part: ``"teaching"`` (FER+ train, FairFace train, LFW's teaching people) or ``"test"`` (FairFace val, LFW's
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
        answers.points,
        pose_angles(matrices).astype(np.float32),
        1 - blink,
    )
    return faces.take(answers.found)


def _concatenate(parts: list[LandmarkFaces]) -> LandmarkFaces:
    return LandmarkFaces(
        tuple(name for part in parts for name in part.names),
        tuple(image for part in parts for image in part.images),
        np.concatenate([part.source for part in parts]),
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.pose_rad for part in parts]),
        np.concatenate([part.eyes_open for part in parts]),
    )

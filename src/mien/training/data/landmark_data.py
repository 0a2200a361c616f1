# SPDX-License-Identifier: Apache-2.0
"""Loose crops and batches for landmark training, with a landmark teacher's targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mien.core import MIRRORED_LANDMARKS, Image, pose_angles, rotation_matrices
from mien.datasets import FERPLUS_TEMPLATE, LandmarkFaces
from mien.faces import keypoints_of, similarity_transform
from mien.training.data.batch_loader import occlude, relight, resized
from mien.training.data.training_images import PictureReader, Pictures, cache_pictures
from mien.training.losses.landmark_losses import Targets
from mien.training.recipes.landmark_recipe import PointsRecipe
from mien.training.recipes.settings import AugmentationSettings

Doubles = npt.NDArray[np.float64]

# The affect template shrunk about the middle of the face: the crop shows a whole face and room around it.
_FACE_CENTRE, _SHARE = np.array([0.5, 0.62]), 0.75
LOOSE_TEMPLATE: tuple[tuple[float, float], ...] = tuple(
    (round(float(x), 4), round(float(y), 4))
    for x, y in (np.array(FERPLUS_TEMPLATE) - _FACE_CENTRE) * _SHARE + (0.5, 0.5)
)
"""Five points as fractions of the crop's side: what brings a face into the landmark net's view."""

_LIGHT = AugmentationSettings(blur=0.15, gamma=0.5, contrast=0.45, brightness=0.1, noise=0.15)
_BORDERS = (cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT_101, cv2.BORDER_CONSTANT)


@dataclass(frozen=True, eq=False)
class Sample:
    """One crop and what the net should say of it; NaN where it should not be asked.

    Attributes:
        crop: (S, S) gray uint8.
        landmarks: (68, 2) fractions of the side.
        pose_rad: (3,) pitch, yaw, roll as seen in the crop.
        eyes_open: (2,) in [0, 1], image left and image right.
        face: 1 where the crop shows a face about where it should be, else 0.
    """

    crop: Image
    landmarks: Doubles
    pose_rad: Doubles
    eyes_open: Doubles
    face: float


class LooseCrops:
    """Draws loose crops of pictures.

    Args:
        size_px: side of the crops.
        rng: source of all randomness.
        no_face: share of crops that show none, or not enough of one.
    """

    def __init__(self, size_px: int, rng: np.random.Generator, no_face: float = 0.12) -> None:
        self._size, self._rng, self._no_face = size_px, rng, no_face

    def __call__(self, picture: Image, points: Doubles, pose_rad: Doubles, eyes_open: Doubles) -> Sample:
        """A crop of a gray picture whose (68, 2) points are in pixels."""
        rng = self._rng
        if rng.random() < 0.35:
            picture, points = _blurred(picture, points, rng)
        matrix = loose_matrix(points, self._size)
        absent = rng.random() < self._no_face
        moved = _missed(matrix, self._size, rng) if absent else _moved(matrix, self._size, rng)
        squeezed = not absent and rng.random() < 0.2
        if squeezed:  # other faces than those at hand; their pose is no longer known
            moved = _squeezed(moved, self._size, rng)
        crop = _warped(picture, moved, self._size, rng)
        if absent:
            if rng.random() < 0.5:
                crop = _shuffled(crop, rng)
            return Sample(
                relight(crop, _LIGHT, rng), np.full((68, 2), np.nan), np.full(3, np.nan), np.full(2, np.nan), 0.0
            )
        placed = (points @ moved[:, :2].T + moved[:, 2] + 0.5) / self._size
        pose = np.full(3, np.nan) if squeezed else turned(pose_rad, moved)
        if rng.random() < 0.5:
            crop, placed, pose = (
                np.ascontiguousarray(crop[:, ::-1]),
                placed[list(MIRRORED_LANDMARKS)] * (-1, 1) + (1, 0),
                pose * (1, -1, -1),
            )
            eyes_open = eyes_open[::-1]
        if rng.random() < 0.2:
            occlude(crop, rng)
        return Sample(relight(crop, _LIGHT, rng), placed, pose, np.asarray(eyes_open, np.float64), 1.0)


def loose_matrix(points: Doubles, size: int) -> Doubles:
    """The similarity (2, 3) that brings 68 points, in pixels, into a (size, size) loose crop."""
    return similarity_transform(keypoints_of(points), np.array(LOOSE_TEMPLATE) * size - 0.5)


def turned(pose_rad: Doubles, matrix: Doubles) -> Doubles:
    """A head's pose as seen in a crop, the picture having gone through a similarity (2, 3)."""
    clockwise = float(np.arctan2(matrix[1, 0], matrix[0, 0]))  # image rows grow downwards
    return pose_angles(rotation_matrices(np.array([0.0, 0.0, clockwise])) @ rotation_matrices(pose_rad))


def _blurred(picture: Image, points: Doubles, rng: np.random.Generator) -> tuple[Image, Doubles]:
    target = rng.uniform(24, 72) / max(picture.shape[:2])
    if target >= 1:
        return picture, points
    small = resized(picture, target)
    ratio = np.array(small.shape[1::-1]) / np.array(picture.shape[1::-1])
    return small, (points + 0.5) * ratio - 0.5


def _moved(matrix: Doubles, size: int, rng: np.random.Generator) -> Doubles:
    """The crop that the last frame's points, or a detector's, would have chosen."""
    angle = np.deg2rad(np.clip(rng.normal(0, 10), -35, 35))
    return _about_centre(matrix, size, angle, np.exp(rng.uniform(-0.28, 0.28)), rng.uniform(-0.13, 0.13, 2) * size)


def _missed(matrix: Doubles, size: int, rng: np.random.Generator) -> Doubles:
    """A crop that lost the face: far beside it, far too close, or far too wide."""
    kind = rng.integers(3)
    shift = np.zeros(2)
    zoom = np.exp(rng.uniform(-0.3, 0.3))
    if kind == 0:
        heading = rng.uniform(0, 2 * np.pi)
        shift = np.array([np.cos(heading), np.sin(heading)]) * rng.uniform(0.42, 0.9) * size
    elif kind == 1:
        zoom = rng.uniform(2.2, 4.5)
        shift = rng.uniform(-0.6, 0.6, 2) * size
    else:
        zoom = rng.uniform(0.15, 0.35)
    return _about_centre(matrix, size, rng.uniform(-np.pi, np.pi), zoom, shift)


def _about_centre(matrix: Doubles, size: int, angle: float, zoom: float, shift: Doubles) -> Doubles:
    centre = np.array([size / 2, size / 2]) - 0.5
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([turn @ matrix[:, :2], turn @ (matrix[:, 2] - centre) + centre + shift])


def _squeezed(matrix: Doubles, size: int, rng: np.random.Generator) -> Doubles:
    centre = np.array([size / 2, size / 2]) - 0.5
    squeeze = np.array([[np.exp(rng.normal(0, 0.08)), rng.normal(0, 0.06)], [rng.normal(0, 0.06), 1.0]])
    return np.column_stack([squeeze @ matrix[:, :2], squeeze @ (matrix[:, 2] - centre) + centre])


def _warped(picture: Image, matrix: Doubles, size: int, rng: np.random.Generator) -> Image:
    """The crop; what lies outside a tight picture is filled in one of several ways, so that none is a sign."""
    shrink = 1 / max(float(np.hypot(matrix[0, 0], matrix[1, 0])), 1e-6)
    if shrink > 2:
        small = resized(picture, 1 / shrink)
        ratio = np.array(picture.shape[1::-1]) / np.array(small.shape[1::-1])
        matrix = np.column_stack([matrix[:, :2] * ratio, matrix[:, 2] + matrix[:, :2] @ (0.5 * ratio - 0.5)])
        picture = small
    border = _BORDERS[rng.integers(len(_BORDERS))]
    filled = cv2.warpAffine(
        picture, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border, borderValue=float(rng.integers(256))
    )
    return np.asarray(filled, dtype=np.uint8)


def _shuffled(crop: Image, rng: np.random.Generator) -> Image:
    """The crop's own tiles in another order: a face's texture without a face."""
    tiles = int(rng.integers(3, 7))
    side = len(crop) // tiles
    blocks = crop[: side * tiles, : side * tiles].reshape(tiles, side, tiles, side).swapaxes(1, 2)
    mixed = rng.permutation(blocks.reshape(-1, side, side)).reshape(tiles, tiles, side, side)
    out = crop.copy()
    out[: side * tiles, : side * tiles] = mixed.swapaxes(1, 2).reshape(side * tiles, side * tiles)
    return out


# The largest pictures of the open sets; crops are far smaller.
_MAX_SIDE_PX = 224

_SMALL_SOURCE = "ferplus"  # pictures of 48 px
_BATCHES_AHEAD = 8


@dataclass(frozen=True, eq=False, kw_only=True)
class LandmarkTrainingData:
    """N gray pictures of one face each.

    Attributes:
        pictures: (H, W) uint8.
        landmarks: (N, 68, 2) fractions of the pictures' width and height.
        pose_rad: (N, 3).
        eyes_open: (N, 2).
        source: (N,) name of the set of each.
    """

    pictures: PictureReader
    landmarks: npt.NDArray[np.float32]
    pose_rad: npt.NDArray[np.float32]
    eyes_open: npt.NDArray[np.float32]
    source: npt.NDArray[np.str_]

    @classmethod
    def of(cls, faces: LandmarkFaces, cache: Path) -> LandmarkTrainingData:
        """The faces with their pictures decoded in a cache; those that cannot be decoded are left out.

        Raises:
            OutputError: the cache cannot be written.
            DatasetError: no picture at all can be decoded.
        """
        decoded = cache_pictures(Pictures.of(faces.names, faces.images, "gray"), cache, _MAX_SIDE_PX)
        rows = np.flatnonzero(decoded.readable)
        names = tuple(decoded.names[row] for row in rows)
        pictures = type(decoded)(names, decoded.pixels, decoded.index[rows])
        kept = faces.take(rows)
        return cls(
            pictures=pictures,
            landmarks=kept.landmarks,
            pose_rad=kept.pose_rad,
            eyes_open=kept.eyes_open,
            source=kept.source,
        )

    def __len__(self) -> int:
        return len(self.landmarks)

    def points_px(self, row: int) -> Doubles:
        """(68, 2) pixels in the picture, the first pixel's centre at 0."""
        return np.asarray(self.landmarks[row] * np.array(self.pictures[row].shape[1::-1], np.float64) - 0.5)

    def batch(self, recipe: PointsRecipe, epoch: int, step: int) -> tuple[Tensor, Targets]:
        """Crops (B, S, S, 1) uint8 and their targets; the same step is the same batch, whatever came before."""
        rng = np.random.default_rng([recipe.seed, epoch, step])
        draw = LooseCrops(recipe.input_px, rng, recipe.no_face)
        rows = self._order(recipe, epoch)[step * recipe.batch : (step + 1) * recipe.batch]
        samples = [
            draw(
                np.asarray(self.pictures[row]),
                self.points_px(row),
                self.pose_rad[row].astype(np.float64),
                self.eyes_open[row].astype(np.float64),
            )
            for row in rows.tolist()
        ]
        crops = torch.from_numpy(np.stack([sample.crop for sample in samples])[..., None])
        columns = (
            [sample.landmarks.ravel() for sample in samples],
            [sample.pose_rad for sample in samples],
            [sample.eyes_open for sample in samples],
            [np.asarray(sample.face) for sample in samples],
        )
        return crops, Targets(*(torch.from_numpy(np.stack(column).astype(np.float32)) for column in columns))

    def batches(self, recipe: PointsRecipe, epoch: int, workers: int = 0) -> Iterator[tuple[Tensor, Targets]]:
        """The batches of an epoch and of all that follow, drawn by processes of their own where there are workers."""
        n_steps = self.n_steps(recipe)
        steps = [(number, step) for number in range(epoch, recipe.epochs) for step in range(n_steps)]
        loader = DataLoader(
            _Batches(self, recipe, steps),
            batch_size=None,
            num_workers=workers,
            multiprocessing_context="spawn" if workers else None,  # OpenCV's threads do not survive a fork
            prefetch_factor=_BATCHES_AHEAD if workers else None,
            worker_init_fn=_one_thread,
        )
        return iter(loader)

    def n_steps(self, recipe: PointsRecipe) -> int:
        """Full batches of an epoch."""
        return len(self._order(recipe, 0)) // recipe.batch

    def _order(self, recipe: PointsRecipe, epoch: int) -> npt.NDArray[np.intp]:
        """The rows that an epoch shows, in its order."""
        rng = np.random.default_rng([recipe.seed, epoch])
        small = np.flatnonzero(self.source == _SMALL_SOURCE)
        left_out = rng.permutation(small)[round(len(small) * recipe.small_share) :]
        return rng.permutation(np.delete(np.arange(len(self)), left_out))


class _Batches(Dataset[tuple[Tensor, Targets]]):
    """The batches of (epoch, step) pairs."""

    def __init__(
        self, training_data: LandmarkTrainingData, recipe: PointsRecipe, steps: Sequence[tuple[int, int]]
    ) -> None:
        self._lessons, self._recipe, self._steps = training_data, recipe, steps

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, number: int) -> tuple[Tensor, Targets]:
        return self._lessons.batch(self._recipe, *self._steps[number])


def _one_thread(_: int) -> None:
    cv2.setNumThreads(1)  # the cores belong to the training

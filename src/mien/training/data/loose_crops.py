# SPDX-License-Identifier: Apache-2.0
"""Loose crops around keypoints, with room about the face, and targets that move with the crop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import (
    BODY_JOINTS,
    BODY_LIMBS,
    MIRRORED_LANDMARKS,
    mirrored_names,
    pose_angles,
    rotation_matrices,
)
from mien.faces import FACE_PARTS, similarity_transform, warp_face
from mien.training.data.augmentation import Image, Matrix, occlude, relight, resized, whole_picture_matrix
from mien.training.recipes.settings import AugmentationSettings

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating]

WINDOW_PARTS = {name: tuple(rows) for name, rows in FACE_PARTS.items() if name != "jaw"}
"""Part of the face -> its landmarks, whose mean is the part's centre; the jaw is about all of them."""

# Tasks of points -> order of the points of a mirrored crop.
_MIRRORED_POINTS = {
    "landmarks": MIRRORED_LANDMARKS,
    "face_parts": mirrored_names(tuple(WINDOW_PARTS)),
    "joints": mirrored_names(BODY_JOINTS),
    "body_parts": mirrored_names(tuple(BODY_LIMBS)),
}

_BORDERS = (cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT_101, cv2.BORDER_CONSTANT)


@dataclass(frozen=True, eq=False, kw_only=True)
class CropGeometry:
    """Where a crop was cut.

    Attributes:
        matrix: (2, 3) pixels of the picture to pixels of the crop, before the crop is mirrored.
        picture_px: Width and height of the picture.
        size_px: Side of the crop.
        shows_face: Whether the face is about where it should be.
        rigid: Whether the matrix is a similarity; a squeezed face has no known pose.
        mirrored: Whether the crop was mirrored afterwards.
    """

    matrix: Doubles
    picture_px: tuple[int, int]
    size_px: int
    shows_face: bool = True
    rigid: bool = True
    mirrored: bool = False


def placed_target(task: str, target: Floats, geometry: CropGeometry) -> Floats:
    """A target of the whole picture as a target of the crop.

    Args:
        task: ``"landmarks"``, ``"face_parts"``, ``"joints"`` or ``"body_parts"`` (x and y in turn, fractions of the
            picture's width and height), ``"pose"`` (pitch, yaw, roll in radians), ``"eyes"`` (openness at the image's
            left and right), ``"face"``, or any other task, whose target does not depend on the crop.
        target: (L,) values.
        geometry: Where the crop was cut.

    Returns:
        (L,) values; points are fractions of the crop's side. Without a face ``"face"`` is 0 and every other NaN.

    Examples:
        >>> mirrored = CropGeometry(matrix=np.eye(2, 3), picture_px=(8, 8), size_px=8, mirrored=True)
        >>> placed_target("eyes", np.array([1.0, 0.0]), mirrored).tolist()
        [0.0, 1.0]
        >>> placed_target("pose", np.array([0.5, 0.25, 0.0]), mirrored).round(3).tolist()
        [0.5, -0.25, 0.0]
        >>> placed_target("face", np.array([1.0]), replace(mirrored, shows_face=False)).tolist()
        [0.0]
    """
    if not geometry.shows_face:
        return np.zeros(len(target)) if task == "face" else np.full(len(target), np.nan)
    if task in _MIRRORED_POINTS:
        return _placed_points(target, geometry, _MIRRORED_POINTS[task])
    if task == "pose":
        if not geometry.rigid:
            return np.full(len(target), np.nan)
        pose = turned(np.asarray(target, np.float64), geometry.matrix)
        return pose * (1, -1, -1) if geometry.mirrored else pose
    return target[::-1] if task == "eyes" and geometry.mirrored else target


def _placed_points(target: Floats, geometry: CropGeometry, mirrored: tuple[int, ...]) -> Doubles:
    matrix = geometry.matrix
    points = target.reshape(-1, 2) * np.array(geometry.picture_px, np.float64) - 0.5
    placed = (points @ matrix[:, :2].T + matrix[:, 2] + 0.5) / geometry.size_px
    if geometry.mirrored:
        placed = placed[list(mirrored)] * (-1, 1) + (1, 0)
    return np.asarray(placed.ravel())


def turned(pose_rad: Doubles, matrix: Doubles) -> Doubles:
    """A head's pose as seen in a crop, the picture having gone through a similarity (2, 3).

    Examples:
        >>> quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]])  # turns the picture clockwise
        >>> turned(np.zeros(3), quarter).round(4).tolist()
        [0.0, 0.0, 1.5708]
    """
    clockwise = float(np.arctan2(matrix[1, 0], matrix[0, 0]))  # image rows grow downwards
    return pose_angles(rotation_matrices(np.array([0.0, 0.0, clockwise])) @ rotation_matrices(pose_rad))


def loose_matrix(picture: Image, keypoints: Floats, template: Sequence[Sequence[float]], size_px: int) -> Matrix:
    """The similarity (2, 3) that maps keypoints to a template; the whole picture where the keypoints are unknown.

    Args:
        picture: (H, W) uint8.
        keypoints: (5, 2) pixels, the first pixel's centre at 0; NaN where unknown.
        template: Five keypoints (x, y) as fractions of the crop's side.
        size_px: Side of the crop.
    """
    if np.isnan(keypoints).any():
        return whole_picture_matrix(picture, size_px)
    return similarity_transform(keypoints, np.asarray(template, dtype=np.float64) * size_px - 0.5)


def clean_loose_crop(picture: Image, keypoints: Floats, template: Sequence[Sequence[float]], size_px: int) -> Image:
    """The (size, size) crop that the runtime would cut, without any random change. Arguments as for `loose_matrix`."""
    return warp_face(picture, loose_matrix(picture, keypoints, template, size_px), size_px)


class LooseCropSampler:
    """Draws one loose crop of a gray picture at a time, with the random changes of a recipe.

    Args:
        settings: Random changes and how often they happen.
        template: Five keypoints (x, y) as fractions of the crop's side.
        size_px: Side of the crops.
        rng: Source of all randomness.
    """

    def __init__(
        self,
        settings: AugmentationSettings,
        template: Sequence[Sequence[float]],
        size_px: int,
        rng: np.random.Generator,
    ) -> None:
        self._settings, self._template = settings, template
        self._size, self._rng = size_px, rng

    def __call__(self, picture: Image, keypoints: Floats) -> tuple[Image, CropGeometry]:
        """A (size, size) uint8 crop and where it was cut.

        Args:
            picture: (H, W) uint8.
            keypoints: (5, 2) pixels, the first pixel's centre at 0; NaN where unknown.
        """
        rng, settings, size = self._rng, self._settings, self._size
        if rng.random() < settings.low_resolution:
            picture, keypoints = _lose_resolution(picture, keypoints, rng)
        matrix = loose_matrix(picture, keypoints, self._template, size)
        absent = rng.random() < settings.no_face
        moved = _missed(matrix, size, rng) if absent else _moved(matrix, size, settings, rng)
        squeezed = not absent and rng.random() < settings.squeeze
        if squeezed:
            moved = _squeezed(moved, size, rng)
        crop = _warped(picture, moved, size, rng)
        geometry = CropGeometry(
            matrix=moved,
            picture_px=(picture.shape[1], picture.shape[0]),
            size_px=size,
            shows_face=not absent,
            rigid=not squeezed,
        )
        if absent:
            if rng.random() < 0.5:
                crop = _shuffled(crop, rng)
            return relight(crop, settings, rng), geometry
        if rng.random() < settings.flip:
            crop, geometry = np.ascontiguousarray(crop[:, ::-1]), replace(geometry, mirrored=True)
        if rng.random() < settings.occlusion:
            occlude(crop, rng)
        return relight(crop, settings, rng), geometry


def _lose_resolution(picture: Image, keypoints: Floats, rng: np.random.Generator) -> tuple[Image, Floats]:
    scale = rng.uniform(24, 72) / max(picture.shape[:2])
    if scale >= 1:
        return picture, keypoints
    small = resized(picture, scale)
    ratio = np.array(small.shape[1::-1]) / np.array(picture.shape[1::-1])
    return small, (keypoints + 0.5) * ratio - 0.5


def _moved(matrix: Matrix, size: int, settings: AugmentationSettings, rng: np.random.Generator) -> Matrix:
    """The crop that the landmarks of the last frame, or a detector's keypoints, would give."""
    angle = np.deg2rad(settings.rotation_deg * np.clip(rng.normal(), -3.5, 3.5))
    zoom = np.exp(rng.uniform(-settings.zoom, settings.zoom))
    return _about_centre(matrix, size, angle, zoom, rng.uniform(-settings.shift, settings.shift, 2) * size)


def _missed(matrix: Matrix, size: int, rng: np.random.Generator) -> Matrix:
    """A crop that misses the face: far beside it, far too close, or far too wide."""
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


def _about_centre(matrix: Matrix, size: int, angle: float, zoom: float, shift: Doubles) -> Matrix:
    centre = np.array([size / 2, size / 2]) - 0.5
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([turn @ matrix[:, :2], turn @ (matrix[:, 2] - centre) + centre + shift])


def _squeezed(matrix: Matrix, size: int, rng: np.random.Generator) -> Matrix:
    centre = np.array([size / 2, size / 2]) - 0.5
    squeeze = np.array([[np.exp(rng.normal(0, 0.08)), rng.normal(0, 0.06)], [rng.normal(0, 0.06), 1.0]])
    return np.column_stack([squeeze @ matrix[:, :2], squeeze @ (matrix[:, 2] - centre) + centre])


def _warped(picture: Image, matrix: Matrix, size: int, rng: np.random.Generator) -> Image:
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

# SPDX-License-Identifier: Apache-2.0
"""Crops for training: the runtime's own alignment, then what cameras, detectors and hands do to faces."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from mien.faces.alignment import similarity_transform, warp_face

Image = npt.NDArray[np.uint8]


class CropSampler:
    """Draws one jittered gray crop of a picture at a time.

    Half of the crops are aligned by the picture's points, as the runtime does with a found face; the others show the
    picture as it stands, as `Analyzer.crops` does with faces that users bring.

    Args:
        template: 5 points as fractions of the crop's side.
        size_px: side of the crops.
        rng: source of all randomness.
    """

    def __init__(self, template: Sequence[Sequence[float]], size_px: int, rng: np.random.Generator) -> None:
        self._template = np.asarray(template, dtype=np.float64) * size_px - 0.5
        self._size = size_px
        self._rng = rng

    def __call__(self, picture: Image, points: npt.NDArray[np.floating]) -> Image:
        """A (size, size) uint8 crop of a gray picture whose (5, 2) points are in pixels, or NaN where unknown."""
        rng = self._rng
        if rng.random() < 0.35:
            picture, points = _lose_resolution(picture, points, rng)
        known = not np.isnan(points).any()
        if known and rng.random() < 0.5:
            eye_distance = float(np.linalg.norm(points[1] - points[0]))
            points = points + rng.normal(0.0, 0.025 * eye_distance, points.shape)  # a detector's points are noisy
            matrix = similarity_transform(points, self._template)
        else:
            matrix = whole_picture_matrix(picture, self._size)
        crop = warp_face(picture, _jitter(matrix, self._size, rng), self._size)
        if rng.random() < 0.5:
            crop = np.ascontiguousarray(crop[:, ::-1])
        if rng.random() < 0.15:
            _occlude(crop, rng)
        return _relight(crop, rng)


def whole_picture_matrix(picture: Image, size: int) -> npt.NDArray[np.float64]:
    """The similarity that brings a picture's full extent to a (size, size) crop, centred."""
    height, width = picture.shape[:2]
    scale = size / max(height, width)
    shift_x, shift_y = (size - scale * width) / 2, (size - scale * height) / 2
    half = 0.5 * scale - 0.5  # pixel centres
    return np.array([[scale, 0.0, shift_x + half], [0.0, scale, shift_y + half]])


def gray_48_copy(picture: Image) -> Image:
    """The picture as FER+ would show it: 48 px on the longer side, gray."""
    scale = 48 / max(picture.shape[:2])
    return _resized(picture, scale) if scale < 1 else picture


def _resized(picture: Image, scale: float) -> Image:
    height, width = picture.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _lose_resolution(
    picture: Image, points: npt.NDArray[np.floating], rng: np.random.Generator
) -> tuple[Image, npt.NDArray[np.floating]]:
    longer = max(picture.shape[:2])
    target = rng.uniform(28, 72)
    if target >= longer:
        return picture, points
    small = _resized(picture, target / longer)
    return small, points * (np.array(small.shape[1::-1]) / np.array(picture.shape[1::-1]))


def _jitter(matrix: npt.NDArray[np.float64], size: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """The matrix followed by a small rotation, zoom and shift about the crop's centre."""
    angle = np.deg2rad(np.clip(rng.normal(0, 6), -18, 18))
    zoom = np.exp(rng.uniform(-0.15, 0.15))
    centre = np.array([size / 2, size / 2])
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = np.empty((2, 3))
    moved[:, :2] = turn @ matrix[:, :2]
    moved[:, 2] = turn @ (matrix[:, 2] - centre) + centre + rng.uniform(-0.06, 0.06, 2) * size
    return moved


def _occlude(crop: Image, rng: np.random.Generator) -> None:
    """Cover a part in place: a hand or a cup anywhere, a mask below, sunglasses above."""
    size = len(crop)
    kind = rng.random()
    if kind < 0.7:
        height, width = (rng.uniform(0.15, 0.4, 2) * size).astype(int)
        top, left = rng.integers(0, size - height), rng.integers(0, size - width)
    elif kind < 0.85:
        top, left, height, width = int(0.58 * size), int(0.1 * size), int(0.42 * size), int(0.8 * size)
    else:
        top, left, height, width = int(0.28 * size), int(0.1 * size), int(0.2 * size), int(0.8 * size)
    tone = rng.integers(10, 245) + rng.normal(0, rng.uniform(0, 12), (height, width))
    crop[top : top + height, left : left + width] = np.clip(tone, 0, 255)


def _relight(crop: Image, rng: np.random.Generator) -> Image:
    """Gain, offset, gamma, blur and sensor noise."""
    if rng.random() < 0.2:
        crop = np.asarray(cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.4, 1.6)), dtype=np.uint8)
    ramp = np.linspace(0, 1, 256) ** np.exp(rng.uniform(-0.25, 0.25))
    ramp = (ramp - 0.5) * np.exp(rng.uniform(-0.3, 0.2)) + 0.5 + rng.uniform(-0.08, 0.08)
    crop = np.clip(ramp * 255, 0, 255).astype(np.uint8)[crop]
    if rng.random() < 0.15:
        noise = rng.normal(0, rng.uniform(2, 8), crop.shape)
        crop = np.clip(crop + noise, 0, 255).astype(np.uint8)
    return crop

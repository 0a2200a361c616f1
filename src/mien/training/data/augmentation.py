# SPDX-License-Identifier: Apache-2.0
"""Random changes of training pictures: crops with jitter, occlusion, light and colour, as a recipe says."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from mien.faces import resize_face, similarity_transform, to_colour, warp_face
from mien.training.recipes.settings import AugmentationSettings

Image = npt.NDArray[np.uint8]
Points = npt.NDArray[np.floating]
Matrix = npt.NDArray[np.float64]


class CropSampler:
    """Draws one crop of a picture at a time, with the random changes of a recipe.

    Args:
        settings: Random changes and how often they happen.
        template: Five keypoints (x, y) as fractions of the crop's side.
        size_px: Side of the crops.
        rng: Source of all randomness.

    Attributes:
        mirrored: Whether the last crop is a mirror image of its picture.
    """

    def __init__(
        self,
        settings: AugmentationSettings,
        template: Sequence[Sequence[float]],
        size_px: int,
        rng: np.random.Generator,
    ) -> None:
        self._settings = settings
        self._template = np.asarray(template, dtype=np.float64) * size_px - 0.5
        self._size = size_px
        self._rng = rng
        # Without any of these a picture is stretched to the square, exactly as the runtime does with given crops.
        self._moves = any((settings.aligned, settings.rotation_deg, settings.zoom, settings.shift))
        self.mirrored = False

    def __call__(self, picture: Image, keypoints: Points) -> Image:
        """A (size, size) or (size, size, 3) uint8 crop.

        Args:
            picture: (H, W) or (H, W, 3) uint8.
            keypoints: (5, 2) pixels, NaN where unknown.
        """
        rng, settings = self._rng, self._settings
        if rng.random() < settings.low_resolution:
            picture, keypoints = _lose_resolution(picture, keypoints, rng)
        if settings.crop_area:
            picture = picture[random_part(picture.shape[:2], settings.crop_area, rng)]
        crop = self._moved(picture, keypoints) if self._moves else resize_face(picture, self._size)
        self.mirrored = rng.random() < settings.flip
        if self.mirrored:
            crop = np.ascontiguousarray(crop[:, ::-1])
        if rng.random() < settings.occlusion:
            occlude(crop, rng)
        if crop.ndim == 3:
            crop = _recolour(crop, settings, rng)
            crop = jitter_colours(crop, settings.colour_jitter, rng) if settings.colour_jitter else crop
        return relight(crop, settings, rng)

    def _moved(self, picture: Image, keypoints: Points) -> Image:
        rng, settings = self._rng, self._settings
        if rng.random() < settings.aligned and not np.isnan(keypoints).any():
            eye_distance = float(np.linalg.norm(keypoints[1] - keypoints[0]))
            noisy = keypoints + rng.normal(0.0, settings.point_noise * eye_distance, keypoints.shape)
            matrix = similarity_transform(noisy, self._template)
        else:
            matrix = whole_picture_matrix(picture, self._size)
        return warp_face(picture, _jitter(matrix, self._size, settings, rng), self._size)


_TRIES = 10
_ASPECTS = (3 / 4, 4 / 3)


def random_part(shape: tuple[int, ...], area: Sequence[float], rng: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of a random part of a picture (torchvision's RandomResizedCrop); the middle where none fits.

    Args:
        shape: Height and width of the picture.
        area: Smallest and largest share of the area.
        rng: Source of all randomness.

    Examples:
        >>> rows, columns = random_part((100, 100), (0.25, 0.25), np.random.default_rng(0))
        >>> 43 <= rows.stop - rows.start <= 58
        True
    """
    height, width = shape[:2]
    for _ in range(_TRIES):
        share = rng.uniform(area[0], area[1]) * height * width
        aspect = np.exp(rng.uniform(np.log(_ASPECTS[0]), np.log(_ASPECTS[1])))
        w, h = round(float(np.sqrt(share * aspect))), round(float(np.sqrt(share / aspect)))
        if 0 < w <= width and 0 < h <= height:
            top, left = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
            return slice(top, top + h), slice(left, left + w)
    w = min(width, round(height * _ASPECTS[1]))
    h = min(height, round(width / _ASPECTS[0]))
    top, left = (height - h) // 2, (width - w) // 2
    return slice(top, top + h), slice(left, left + w)


def whole_picture_matrix(picture: Image, size: int) -> Matrix:
    """The similarity (2, 3) that maps a whole picture to a (size, size) crop, centred.

    Examples:
        >>> whole_picture_matrix(np.zeros((100, 50), np.uint8), 50).tolist()
        [[0.5, 0.0, 12.25], [0.0, 0.5, -0.25]]
    """
    height, width = picture.shape[:2]
    scale = size / max(height, width)
    shift_x, shift_y = (size - scale * width) / 2, (size - scale * height) / 2
    half = 0.5 * scale - 0.5  # pixel centres
    return np.array([[scale, 0.0, shift_x + half], [0.0, scale, shift_y + half]])


def mix_rectangle(size: int, share: float, rng: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of a random square that covers ``share`` of a square crop (Yun et al., ICCV 2019).

    Examples:
        >>> rows, columns = mix_rectangle(100, 0.25, np.random.default_rng(0))
        >>> int(rows.stop - rows.start), int(columns.stop - columns.start)
        (50, 50)
    """
    side = round(size * float(np.sqrt(share)))
    top, left = rng.integers(0, size - side + 1, 2)
    return slice(top, top + side), slice(left, left + side)


def resized(picture: Image, scale: float) -> Image:
    """The picture at another scale, each new pixel the mean of the pixels that it covers.

    Examples:
        >>> resized(np.zeros((96, 60, 3), np.uint8), 0.5).shape
        (48, 30, 3)
    """
    height, width = picture.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _lose_resolution(picture: Image, keypoints: Points, rng: np.random.Generator) -> tuple[Image, Points]:
    longer = max(picture.shape[:2])
    target = rng.uniform(28, 72)
    if target >= longer:
        return picture, keypoints
    small = resized(picture, target / longer)
    return small, keypoints * (np.array(small.shape[1::-1]) / np.array(picture.shape[1::-1]))


def _jitter(matrix: Matrix, size: int, settings: AugmentationSettings, rng: np.random.Generator) -> Matrix:
    """The matrix, followed by a small rotation, zoom and shift about the crop's centre."""
    angle = np.deg2rad(settings.rotation_deg * np.clip(rng.normal(), -3, 3))
    zoom = np.exp(rng.uniform(-settings.zoom, settings.zoom))
    centre = np.array([size / 2, size / 2])
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = np.empty((2, 3))
    moved[:, :2] = turn @ matrix[:, :2]
    moved[:, 2] = turn @ (matrix[:, 2] - centre) + centre + rng.uniform(-settings.shift, settings.shift, 2) * size
    return moved


def occlude(crop: Image, rng: np.random.Generator) -> None:
    """Cover a part of the crop in place: a hand or a cup anywhere, a mask below, sunglasses above."""
    size = len(crop)
    kind = rng.random()
    if kind < 0.7:
        height, width = (rng.uniform(0.15, 0.4, 2) * size).astype(int)
        top, left = rng.integers(0, size - height), rng.integers(0, size - width)
    elif kind < 0.85:
        top, left, height, width = int(0.58 * size), int(0.1 * size), int(0.42 * size), int(0.8 * size)
    else:
        top, left, height, width = int(0.28 * size), int(0.1 * size), int(0.2 * size), int(0.8 * size)
    covered = crop[top : top + height, left : left + width]
    tone = rng.integers(10, 245, covered.shape[2:]) + rng.normal(0, rng.uniform(0, 12), covered.shape)
    covered[...] = np.clip(tone, 0, 255)


def _recolour(crop: Image, settings: AugmentationSettings, rng: np.random.Generator) -> Image:
    """The crop with another saturation and hue, or without colour."""
    if rng.random() < settings.grayscale:
        return np.repeat(to_colour(crop, "gray")[..., None], 3, axis=2)
    if not settings.saturation and not settings.hue:
        return crop
    gain = rng.uniform(1 - settings.saturation, 1 + settings.saturation)
    turn = rng.uniform(-settings.hue, settings.hue)
    hsv = cv2.cvtColor(crop, cv2.COLOR_RGB2HSV_FULL)
    hsv[..., 0] += np.uint8(round(turn * 256) % 256)  # the full circle is 256 steps, so that overflow is right
    hsv[..., 1] = cv2.convertScaleAbs(hsv[..., 1], alpha=gain)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL), dtype=np.uint8)


_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def jitter_colours(crop: Image, amounts: Sequence[float], rng: np.random.Generator) -> Image:
    """The crop with another brightness, contrast, saturation and hue, in a random order (torchvision's ColorJitter).

    Args:
        crop: (S, S, 3) uint8 RGB.
        amounts: Largest relative change of brightness, contrast and saturation, and largest shift of hue, 1 being the
            full circle.
        rng: Source of all randomness.

    Examples:
        >>> gray = np.full((2, 2, 3), 100, np.uint8)
        >>> jitter_colours(gray, (0, 0.3, 0.3, 0.1), np.random.default_rng(0)).max().item()  # nothing to change
        100
    """
    for kind in rng.permutation(4):
        amount = float(amounts[kind])
        if not amount:
            continue
        if kind == 3:
            hsv = cv2.cvtColor(crop, cv2.COLOR_RGB2HSV_FULL)
            hsv[..., 0] += np.uint8(round(rng.uniform(-amount, amount) * 256) % 256)  # overflow is the full circle
            crop = np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL), dtype=np.uint8)
            continue
        factor = np.float32(rng.uniform(1 - amount, 1 + amount))
        pixels = crop.astype(np.float32)
        luma = pixels @ _LUMA
        # Mixed with black, with the mean grey, or with the grey of each pixel.
        base = (np.float32(0), np.float32(luma.mean().round()), luma[..., None])[kind]
        crop = np.clip(factor * pixels + (1 - factor) * base, 0, 255).astype(np.uint8)
    return crop


def relight(crop: Image, settings: AugmentationSettings, rng: np.random.Generator) -> Image:
    """The crop with random blur, gamma, contrast, brightness and sensor noise."""
    if rng.random() < settings.blur:
        crop = np.asarray(cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.4, 1.6)), dtype=np.uint8)
    if settings.gamma or settings.contrast or settings.brightness:
        ramp = np.linspace(0, 1, 256) ** np.exp(rng.uniform(-settings.gamma, settings.gamma))
        ramp = (ramp - 0.5) * np.exp(rng.uniform(-settings.contrast, 2 / 3 * settings.contrast)) + 0.5
        ramp += rng.uniform(-settings.brightness, settings.brightness)
        crop = np.asarray(cv2.LUT(crop, np.clip(ramp * 255, 0, 255).astype(np.uint8)), dtype=np.uint8)
    if rng.random() < settings.noise:
        grain = rng.standard_normal(crop.shape, dtype=np.float32) * np.float32(rng.uniform(2, 8))
        crop = np.clip(crop + grain, 0, 255).astype(np.uint8)
    return crop

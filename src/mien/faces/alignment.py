# SPDX-License-Identifier: Apache-2.0
"""Alignment: from an image and five keypoints to the crop that a network takes, in training and at run time."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import ConfigError, Float64, Floats, Image

# 300-W indices whose means are the five keypoints: eye at the image's left, eye at its right, nose tip, mouth corners.
_FIVE_OF_68 = (slice(36, 42), slice(42, 48), slice(30, 31), slice(48, 49), slice(54, 55))
_MEANS = np.zeros((5, 68))
for _row, _part in zip(_MEANS, _FIVE_OF_68, strict=True):
    _row[_part] = 1 / (_part.stop - _part.start)

# Bilinear sampling skips source pixels when it shrinks by more than this; the source is then shrunk by area first.
_MAX_SHRINK = 2.0


def keypoints_of(landmarks: Floats) -> Floats:
    """The five alignment keypoints (..., 5, 2) of 68 landmarks in 300-W order (..., 68, 2).

    Examples:
        >>> landmarks = np.zeros((68, 2))
        >>> landmarks[36:42] = 30, 40  # the eye at the image's left
        >>> landmarks[30] = 50, 60  # the tip of the nose
        >>> keypoints_of(landmarks).round(6).tolist()
        [[30.0, 40.0], [0.0, 0.0], [50.0, 60.0], [0.0, 0.0], [0.0, 0.0]]
    """
    return np.asarray(_MEANS @ landmarks)


def points_in_pixels(fractions: npt.ArrayLike, picture: Image) -> Float64:
    """Positions (..., 2) in pixels, whose centres are whole numbers, of points in fractions of a picture's sides.

    Args:
        fractions: (..., 2) x / width and y / height.
        picture: (H, W) or (H, W, C).

    Examples:
        >>> points_in_pixels([0.5, 0.25], np.zeros((40, 20), np.uint8)).tolist()
        [9.5, 9.5]
    """
    return np.asarray(np.asarray(fractions, np.float64) * picture.shape[1::-1] - 0.5)


def similarity_transform(source: Floats, target: Floats) -> Float64:
    """The rotation, uniform scale and shift that bring ``source`` closest to ``target`` (least squares).

    Args:
        source: (..., K, 2) points, K >= 2.
        target: (K, 2) or (..., K, 2) points.

    Returns:
        (..., 2, 3) matrices M with ``target ~ M[:, :2] @ source + M[:, 2]``. Never a reflection; the scale
        is zero where all source points coincide.

    Source: Umeyama, IEEE TPAMI 13(4), 1991, in its closed form for two dimensions.

    Examples:
        >>> square = np.array([[0, 0], [2, 0], [2, 2], [0, 2]])
        >>> similarity_transform(square, 3 * square[:, ::-1] * (-1, 1) + (10, 20)).tolist()
        [[0.0, -3.0, 10.0], [3.0, 0.0, 20.0]]
    """
    source, target = np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)
    n_points = source.shape[-2]
    source_mean, target_mean = source.sum(axis=-2) / n_points, target.sum(axis=-2) / n_points
    from_mean, to_mean = source - source_mean[..., None, :], target - target_mean[..., None, :]
    x, y, u, v = from_mean[..., 0], from_mean[..., 1], to_mean[..., 0], to_mean[..., 1]
    spread = np.maximum((x * x + y * y).sum(axis=-1), np.finfo(np.float64).tiny)
    a = (x * u + y * v).sum(axis=-1) / spread
    b = (x * v - y * u).sum(axis=-1) / spread
    mean_x, mean_y = source_mean[..., 0], source_mean[..., 1]
    matrix = np.empty((*source.shape[:-2], 2, 3))
    matrix[..., 0, 0] = matrix[..., 1, 1] = a
    matrix[..., 0, 1] = -b
    matrix[..., 1, 0] = b
    matrix[..., 0, 2] = target_mean[..., 0] - (a * mean_x - b * mean_y)
    matrix[..., 1, 2] = target_mean[..., 1] - (b * mean_x + a * mean_y)
    return matrix


def align_faces(image: Image, keypoints: Floats, template: Sequence[Sequence[float]], size: int) -> Image:
    """Cut every face out of an image so that its five keypoints come as close as possible to the template.

    Args:
        image: (H, W) or (H, W, C) uint8.
        keypoints: (N, 5, 2) pixels in the image.
        template: Five keypoints as fractions of the crop's side.
        size: Side of the crop in pixels.

    Returns:
        (N, size, size) or (N, size, size, C) uint8. Pixels outside the image repeat its border.

    Examples:
        >>> image = np.arange(100 * 100, dtype=np.uint8).reshape(100, 100)
        >>> template = ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8))
        >>> keypoints = np.array(template) * 40 - 0.5 + (20, 30)  # a face of 40 px at (20, 30)
        >>> crop = align_faces(image, keypoints[None], template, 40)[0]
        >>> np.array_equal(crop, image[30:70, 20:60])
        True
    """
    template_px = np.asarray(template, dtype=np.float64) * size - 0.5
    crops = np.empty((len(keypoints), size, size, *image.shape[2:]), dtype=np.uint8)
    for crop, matrix in zip(crops, similarity_transform(keypoints, template_px), strict=True):
        warp_face(image, matrix, size, out=crop)
    return crops


def warp_face(image: Image, matrix: Float64, size: int, out: Image | None = None) -> Image:
    """Sample a (size, size) crop through a similarity matrix (image to crop), without aliasing when it shrinks.

    Args:
        image: (H, W) or (H, W, C) uint8.
        matrix: (2, 3) similarity from pixels of the image to pixels of the crop.
        size: Side of the crop in pixels.
        out: Array that receives the crop; None for a new one.
    """
    shrink = 1.0 / max(float(np.hypot(matrix[0, 0], matrix[1, 0])), 1e-6)
    if shrink > _MAX_SHRINK:
        image, matrix = _shrink_region(image, matrix, size, shrink)
    return np.asarray(
        cv2.warpAffine(image, matrix, (size, size), dst=out, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        dtype=np.uint8,
    )


def _shrink_region(image: Image, matrix: Float64, size: int, shrink: float) -> tuple[Image, Float64]:
    """The region of the image under a crop, averaged down to at most 1.5 of the crop's resolution, and its matrix."""
    height, width = image.shape[:2]
    step = int(shrink)  # whole blocks of pixels are averaged twenty times as fast as fractions of them
    inverse = cv2.invertAffineTransform(matrix).tolist()
    x0, new_width = _blocks(inverse[0], size, shrink, width, step)
    y0, new_height = _blocks(inverse[1], size, shrink, height, step)
    region = image[y0 : y0 + step * new_height, x0 : x0 + step * new_width]
    small = cv2.resize(region, (new_width, new_height), interpolation=cv2.INTER_AREA)
    scale = np.array([region.shape[1] / new_width, region.shape[0] / new_height])
    # A pixel centre p of the small image lies at (p + 0.5) * scale - 0.5 + origin in the full one.
    moved = matrix.copy()
    moved[:, :2] = matrix[:, :2] * scale
    moved[:, 2] = matrix[:, :2] @ (0.5 * scale - 0.5 + (x0, y0)) + matrix[:, 2]
    return small.astype(np.uint8, copy=False), moved


def _blocks(row: Sequence[float], size: int, margin: float, length: int, step: int) -> tuple[int, int]:
    """First pixel of ``length`` under a crop along one axis of the image, and number of blocks of ``step``.

    At least one block, which is smaller where the image is.
    """
    along, across, offset = row
    low = min(along, 0.0) * size + min(across, 0.0) * size + offset - margin
    high = max(along, 0.0) * size + max(across, 0.0) * size + offset + margin
    first = min(max(math.floor(low), 0), max(length - step, 0))
    stop = min(math.ceil(high), length)
    return first, max(min(-(-(stop - first) // step), (length - first) // step), 1)


def resize_face(image: Image, size: int, shrink: str = "area") -> Image:
    """A face that is already cropped, resized to (size, size) without alignment; the aspect ratio is not kept.

    Args:
        image: (H, W) or (H, W, C) uint8.
        size: Side of the result in pixels.
        shrink: Filter for larger images, see `mien.core.CropSpec`.

    Raises:
        ConfigError: The image is neither (H, W) nor (H, W, C).

    Examples:
        >>> checkers = np.tile(np.array([[0, 200], [200, 0]], np.uint8), (4, 4))
        >>> np.unique(resize_face(checkers, 4)).tolist()
        [100]
    """
    if image.ndim not in (2, 3):
        raise ConfigError(f"a crop must have 2 or 3 dimensions, got shape {image.shape}")
    averaged = shrink == "area" and min(image.shape[:2]) > size
    resized = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if averaged else cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.uint8)


def to_colour(crops: Image, colour: str) -> Image:
    """RGB crops (..., S, S, 3) in the channel order of a network.

    Args:
        crops: (..., S, S, 3) uint8 RGB.
        colour: ``"rgb"``, ``"bgr"``, or ``"gray"``, which gives (..., S, S) by BT.601 luma.

    Raises:
        ConfigError: The colour is none of these.

    Examples:
        >>> red = np.zeros((1, 2, 2, 3), np.uint8)
        >>> red[..., 0] = 255
        >>> to_colour(red, "bgr")[0, 0, 0].tolist(), to_colour(red, "gray")[0].tolist()
        ([0, 0, 255], [[76, 76], [76, 76]])
    """
    if colour == "rgb":
        return crops
    if colour == "bgr":
        return np.ascontiguousarray(crops[..., ::-1])
    if colour != "gray":
        raise ConfigError(f"colour must be 'rgb', 'bgr' or 'gray', got {colour!r}")
    if not crops.size:
        return np.empty(crops.shape[:-1], dtype=np.uint8)
    # One tall image: OpenCV converts it in one call.
    tall = cv2.cvtColor(crops.reshape(-1, *crops.shape[-2:]), cv2.COLOR_RGB2GRAY)
    return np.asarray(tall, dtype=np.uint8).reshape(crops.shape[:-1])

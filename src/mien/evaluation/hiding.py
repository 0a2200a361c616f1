# SPDX-License-Identifier: Apache-2.0
"""Faces that are hidden by degrees, by a mosaic, a blur or a cover, and images that are bad but hide no face."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import cv2
import numpy as np

from mien.core import Float32, Float64, Floats, Image
from mien.evaluation.corruptions import cover_face, face_axes, face_width

# Blocks across the face of a mosaic or of an image that is enlarged again, and deviation of a blur in widths of the
# face: from a face without any expression left to one that loses nothing.
_BLOCKS = (3.5, 24.0)
_BLUR = (0.01, 0.15)
_SMALL_PX = (14.0, 48.0)
# Grid on brows, eyes, nose and mouth, in eye distances across and eye-to-mouth distances down.
_ACROSS, _DOWN = (axis.ravel() for axis in np.meshgrid(np.linspace(-0.8, 0.8, 12), np.linspace(-0.3, 1.2, 12)))
_CHANGED = 2


class Hidden(NamedTuple):
    """A hidden face.

    Attributes:
        image: (H, W, 3) RGB of the same size.
        seen: How much is left to see, within one kind: logarithm of the blocks across the face, minus the logarithm
            of the blur's deviation in widths of the face, or the share of brows, eyes, nose and mouth that is not
            covered.
    """

    image: Image
    seen: float


Hiding = Callable[[Image, Floats, np.random.Generator], Hidden]
"""Hides the face at five keypoints (5, 2) of an image (H, W, 3)."""


def _between(rng: np.random.Generator, ends: tuple[float, float]) -> float:
    """A number between two ends, even on a scale of logarithms."""
    return float(np.exp(rng.uniform(*np.log(ends))))


def _place(image: Image, keypoints: Floats, rng: np.random.Generator) -> Float32:
    """Share (H, W) of each pixel that is hidden: all of the image, or a rectangle or an ellipse about the face."""
    kind, width = rng.choice(["all", "rectangle", "ellipse"]), face_width(keypoints)
    if kind == "all":
        return np.ones(image.shape[:2], np.float32)
    middle = keypoints.mean(axis=0) + rng.normal(0, 0.05, 2) * width
    x, y = middle.tolist()
    half_x, half_y = width * rng.uniform(0.5, 0.75), width * rng.uniform(0.6, 0.9)
    hidden = np.zeros(image.shape[:2], np.uint8)
    if kind == "rectangle":
        start, end = ((round(x + sign * half_x), round(y + sign * half_y)) for sign in (-1, 1))
        cv2.rectangle(hidden, start, end, 255, -1)
    else:
        axes = (round(half_x * 16), round(half_y * 16))
        cv2.ellipse(hidden, (round(x * 16), round(y * 16)), axes, 0, 0, 360, 255, -1, cv2.LINE_AA, 4)
    share = hidden.astype(np.float32) / 255
    return np.asarray(cv2.GaussianBlur(share, (0, 0), 0.05 * width) if rng.random() < 0.5 else share, np.float32)


def _mixed(image: Image, other: Floats | Image, share: Floats) -> Image:
    mixed = image * (1 - share[..., None]) + other * share[..., None]
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def mosaic(image: Image, keypoints: Floats, rng: np.random.Generator, *, blocks: float | None = None) -> Hidden:
    """A mosaic over the face or the image, 3.5 to 24 blocks across the face, of means or of single pixels.

    Args:
        image: (H, W, 3) RGB.
        keypoints: (5, 2) pixels.
        rng: Random generator that chooses place, phase and size.
        blocks: Blocks across the face; None to choose them.

    Examples:
        >>> ramp = np.repeat(np.tile(np.arange(96, dtype=np.uint8), (96, 1))[..., None], 3, axis=2)
        >>> keypoints = np.array([[30, 40], [66, 40], [48, 58], [34, 77], [62, 77]])
        >>> hidden = mosaic(ramp, keypoints, np.random.default_rng(5), blocks=8)
        >>> len(np.unique(hidden.image[48])) < 40, round(hidden.seen, 2)
        (True, 2.08)
    """
    blocks = blocks or _between(rng, _BLOCKS)
    side, (height, width) = face_width(keypoints) / blocks, image.shape[:2]
    x, y = (np.floor((np.arange(n) + rng.uniform(0, side)) / side).astype(int) for n in (width, height))
    if rng.random() < 0.8:
        number = y[:, None] * (x[-1] + 1) + x
        count = np.maximum(np.bincount(number.ravel()), 1)
        planes = [np.bincount(number.ravel(), plane.ravel()) / count for plane in np.moveaxis(image, 2, 0)]
        coarse = np.stack([plane[number] for plane in planes], axis=2)
    else:
        first_x, first_y = (np.searchsorted(axis, axis) for axis in (x, y))
        coarse = image[first_y][:, first_x].astype(np.float64)
    share = (_place(image, keypoints, rng) > 0.5).astype(np.float32)
    return Hidden(_mixed(image, coarse, share), float(np.log(blocks)))


def enlarge(image: Image, keypoints: Floats, rng: np.random.Generator) -> Hidden:
    """An image that is enlarged again from 3.5 to 24 pixels across the face."""
    blocks = _between(rng, _BLOCKS)
    side = max(1.0, face_width(keypoints) / blocks)
    size = (max(1, round(image.shape[1] / side)), max(1, round(image.shape[0] / side)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    way = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR
    return Hidden(np.asarray(cv2.resize(small, image.shape[1::-1], interpolation=way), np.uint8), float(np.log(blocks)))


def blur(image: Image, keypoints: Floats, rng: np.random.Generator, *, deviation: float | None = None) -> Hidden:
    """A blur of the face or the image: Gaussian, or the mean of a square, once or twice.

    Args:
        image: (H, W, 3) RGB.
        keypoints: (5, 2) pixels.
        rng: Random generator that chooses the kind and the place.
        deviation: Standard deviation in widths of the face; None to choose one from 0.01 to 0.15.
    """
    deviation = deviation or _between(rng, _BLUR)
    sigma, times = deviation * face_width(keypoints), int(rng.choice([0, 1, 2], p=[0.6, 0.2, 0.2]))
    blurred = image
    for _ in range(times):
        # The deviation of the mean of n values in a row is sqrt((n ^ 2 - 1) / 12).
        side = max(1, round(np.sqrt(12 * sigma**2 / times + 1)))
        blurred = np.asarray(cv2.blur(blurred, (side, side)), np.uint8)
    if not times:
        blurred = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
    return Hidden(_mixed(image, blurred, _place(image, keypoints, rng)), -float(np.log(deviation)))


def _cover(image: Image, keypoints: Floats, rng: np.random.Generator, *, kind: str) -> Hidden:
    covered = cover_face(image, keypoints, rng, kind=kind)
    return Hidden(covered, _share_seen(image, covered, keypoints))


def _bar(image: Image, keypoints: Floats, rng: np.random.Generator) -> Hidden:
    """A bar of one tone over the eyes, the mouth or another height of the face."""
    eyes, across, down = face_axes(keypoints)
    height, half = rng.choice([0.0, 1.0, rng.uniform(-0.2, 1.2)]) + rng.normal(0, 0.05), rng.uniform(0.14, 0.4)
    width, angle = rng.uniform(0.8, 1.4), rng.normal(0, 0.1)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = np.array([[-width, -half], [width, -half], [width, half], [-width, half]]) @ turn + (0, height)
    outline = eyes + corners[:, :1] * across + corners[:, 1:] * down
    share = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(share, [np.rint(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    covered = _mixed(image, np.full(image.shape, rng.choice([0, 255, rng.uniform(0, 255)])), share / 255)
    return Hidden(covered, _share_seen(image, covered, keypoints))


def _share_seen(image: Image, covered: Image, keypoints: Floats) -> float:
    """Share of brows, eyes, nose and mouth that is the same in both images."""
    eyes, across, down = face_axes(keypoints)
    places = np.rint(eyes + _ACROSS[:, None] * across + _DOWN[:, None] * down).astype(int)
    x, y = np.clip(places, 0, np.array(image.shape[1::-1]) - 1).T
    changed = np.abs(image[y, x].astype(int) - covered[y, x]).max(axis=1) > _CHANGED
    return float(1 - changed.mean())


HIDING: Mapping[str, Hiding] = MappingProxyType(
    {
        "mosaic": mosaic,
        "enlarged": enlarge,
        "blur": blur,
        "mask": partial(_cover, kind="mask"),
        "hand": partial(_cover, kind="hand"),
        "sunglasses": partial(_cover, kind="sunglasses"),
        "bar": _bar,
    }
)
"""Name of a way to hide a face -> its function."""


def _small(image: Image, keypoints: Floats, rng: np.random.Generator) -> tuple[Image, Float64]:
    """An image in which the face is truly small: 14 to 48 pixels wide."""
    scale = min(1.0, _between(rng, _SMALL_PX) / face_width(keypoints))
    small = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    return small, np.array([[scale, 0, scale / 2 - 0.5], [0, scale, scale / 2 - 0.5]])


def _dim(image: Image, keypoints: Floats, rng: np.random.Generator) -> tuple[Image, Float64]:  # noqa: ARG001 - all
    return np.asarray(np.rint(image * _between(rng, (0.06, 0.6))), np.uint8), np.eye(2, 3)


def _grainy(image: Image, keypoints: Floats, rng: np.random.Generator) -> tuple[Image, Float64]:  # noqa: ARG001 - all
    """Noise in colour or in gray, of single pixels or coarser."""
    planes = image.shape[2] if rng.random() < 0.5 else 1
    grain = rng.normal(0, rng.uniform(4, 30), (*image.shape[:2], planes))
    if rng.random() < 0.5:
        smooth = np.asarray(cv2.GaussianBlur(grain, (0, 0), rng.uniform(0.5, 1.2)), np.float64)
        grain = 2 * smooth.reshape(grain.shape)
    return np.clip(np.rint(image + grain), 0, 255).astype(np.uint8), np.eye(2, 3)


def _compressed(image: Image, keypoints: Floats, rng: np.random.Generator) -> tuple[Image, Float64]:  # noqa: ARG001 - all
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(12, 70))]
    content = cv2.imencode(".jpg", image, quality)[1]
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8), np.eye(2, 3)


def _plain(image: Image, keypoints: Floats, rng: np.random.Generator) -> tuple[Image, Float64]:  # noqa: ARG001 - none
    return image, np.eye(2, 3)


UNHIDDEN: Mapping[str, Callable[[Image, Floats, np.random.Generator], tuple[Image, Float64]]] = MappingProxyType(
    {"plain": _plain, "small": _small, "dim": _dim, "grainy": _grainy, "compressed": _compressed}
)
"""Name of a way to leave a face as it is, or to make its image worse without hiding it -> its function, which gives
the image and the (2, 3) matrix of its points as in `mien.evaluation.corruptions`."""


def hidden_copy(image: Image, keypoints: Floats, way: str, rng: np.random.Generator) -> tuple[Image, Float64, float]:
    """An image whose face is hidden, or not, in one way.

    Args:
        image: (H, W, 3) RGB.
        keypoints: (5, 2) pixels.
        way: A name in `HIDING` or `UNHIDDEN`.
        rng: Random generator that chooses the degree.

    Returns:
        The image, the (2, 3) matrix of its points, and how much is left to see (`Hidden`; NaN for all).
    """
    if way in HIDING:
        hidden = HIDING[way](image, keypoints, rng)
        return hidden.image, np.eye(2, 3), hidden.seen
    changed, matrix = UNHIDDEN[way](image, keypoints, rng)
    return changed, matrix, float("nan")

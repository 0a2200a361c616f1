# SPDX-License-Identifier: Apache-2.0
"""Degraded face images: occlusion, rotation, blur, low resolution, darkness, noise and cropping."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import cv2
import numpy as np

from mien.core import Float64, Image

Degradation = Callable[[Image, np.random.Generator], tuple[Image, Float64]]

# Border around tight images as a fraction of their side, so that a detector finds a face in them.
_MARGIN = 0.5
_SMALLEST_PX = 12

_UNMOVED = np.eye(2, 3)


def degrade(image: Image, rng: np.random.Generator) -> tuple[Image, Float64, str]:
    """An image of a face with a border around it, in four of five cases degraded by one or two corruptions.

    Args:
        image: (H, W, 3) RGB image that one face fills.
        rng: Random generator that chooses the corruptions and their strength.

    Returns:
        (H', W', 3) RGB; the (2, 3) matrix M that maps a point p of the given image to ``M[:, :2] @ p + M[:, 2]``; and
        the names of the corruptions in `DEGRADATIONS`, joined by "+", or "none".

    Examples:
        >>> image, matrix, names = degrade(np.full((40, 40, 3), 128, np.uint8), np.random.default_rng(1))
        >>> image.shape, names
        ((75, 75, 3), 'small')
    """
    margin_y, margin_x = (round(_MARGIN * side) for side in image.shape[:2])
    degraded = np.asarray(
        cv2.copyMakeBorder(image, margin_y, margin_y, margin_x, margin_x, cv2.BORDER_REPLICATE), np.uint8
    )
    matrix = np.array([[1.0, 0, margin_x], [0, 1.0, margin_y]])
    n_ways = int(rng.choice([0, 1, 1, 2, 2]))
    names = sorted(rng.choice(list(DEGRADATIONS), n_ways, replace=False), key=list(DEGRADATIONS).index)
    for name in names:
        degraded, moved = DEGRADATIONS[name](degraded, rng)
        matrix = moved[:, :2] @ matrix + np.pad(moved[:, 2:], ((0, 0), (2, 0)))
    return degraded, matrix, "+".join(names) or "none"


def _face_px(image: Image) -> float:
    return float(max(image.shape[:2])) / (1 + 2 * _MARGIN)


def _hidden(image: Image, rng: np.random.Generator) -> tuple[Image, Float64]:
    """A flat patch over a part of the face."""
    height, width = (round(rng.uniform(0.2, 0.8) * _face_px(image)) for _ in range(2))
    y, x = (round(rng.uniform(0.6, 1.3) * _face_px(image)) for _ in range(2))
    patched = image.copy()
    patched[max(y - height // 2, 0) : y + height // 2, max(x - width // 2, 0) : x + width // 2] = rng.integers(
        0, 256, 3
    )
    return patched, _UNMOVED


def _tilted(image: Image, rng: np.random.Generator) -> tuple[Image, Float64]:
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(-70, 70)), 1.0)
    turned = cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.uint8), np.asarray(turn, np.float64)


def _blurred(image: Image, rng: np.random.Generator) -> tuple[Image, Float64]:
    sigma = float(_face_px(image) * np.exp(rng.uniform(np.log(0.01), np.log(0.12))))
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8), _UNMOVED


def _shrunk(image: Image, rng: np.random.Generator) -> tuple[Image, Float64]:
    scale = float(np.exp(rng.uniform(np.log(_SMALLEST_PX / _face_px(image)), 0)))
    small = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    # The centre of a pixel is half a pixel from its corner in both images.
    return small, np.array([[scale, 0, scale / 2 - 0.5], [0, scale, scale / 2 - 0.5]])


def _dark(image: Image, rng: np.random.Generator) -> tuple[Image, Float64]:
    return np.asarray(np.rint(image * np.exp(rng.uniform(np.log(0.02), np.log(0.6)))), np.uint8), _UNMOVED


def _noisy(image: Image, rng: np.random.Generator) -> tuple[Image, Float64]:
    noise = rng.normal(0, rng.uniform(5, 90), image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8), _UNMOVED


def _cut_off(image: Image, rng: np.random.Generator) -> tuple[Image, Float64]:
    """An image whose left or right, upper or lower edge runs through the face."""
    height, width = image.shape[:2]
    fraction = (_MARGIN + rng.uniform(0.05, 0.6)) / (1 + 2 * _MARGIN)
    side = int(rng.integers(0, 4))
    x0, y0 = round(fraction * width) * (side == 0), round(fraction * height) * (side == 1)
    x1, y1 = width - round(fraction * width) * (side == 2), height - round(fraction * height) * (side == 3)
    return np.ascontiguousarray(image[y0:y1, x0:x1]), np.array([[1.0, 0, -x0], [0, 1.0, -y0]])


DEGRADATIONS: Mapping[str, Degradation] = MappingProxyType(
    {
        "hidden": _hidden,
        "tilted": _tilted,
        "blurred": _blurred,
        "small": _shrunk,
        "dark": _dark,
        "noisy": _noisy,
        "cut off": _cut_off,
    }
)
"""Name of a corruption -> its function, in the order in which they are applied: the scene first, then the camera."""

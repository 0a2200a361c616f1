# SPDX-License-Identifier: Apache-2.0
"""Degraded face images: covered parts, rotation, blur, low resolution, mosaics, darkness, noise and cropping."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import cv2
import numpy as np

from mien.core import Float64, Floats, Image

Degradation = Callable[[Image, np.random.Generator], tuple[Image, Float64]]

# Border around tight images as a fraction of their side, so that a detector finds a face in them.
_MARGIN = 0.5
_SMALLEST_PX = 12

# Least width of what covers a face, in eye-to-mouth distances for each eye distance of its outline.
_LEAST_WIDTH = 0.7
# Side of a face, in extents of its five keypoints.
_FACE_EXTENT = 2.0
_MOSAIC_SHARE = 0.5
_ANGLES = np.linspace(0, 2 * np.pi, 24, endpoint=False)
_RING = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)

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
    degraded, matrix = with_border(image)
    n_ways = int(rng.choice([0, 1, 1, 2, 2]))
    names = sorted(rng.choice(list(DEGRADATIONS), n_ways, replace=False), key=list(DEGRADATIONS).index)
    for name in names:
        degraded, moved = DEGRADATIONS[name](degraded, rng)
        matrix = moved[:, :2] @ matrix + np.pad(moved[:, 2:], ((0, 0), (2, 0)))
    return degraded, matrix, "+".join(names) or "none"


def with_border(image: Image) -> tuple[Image, Float64]:
    """An image with a border of half its side that repeats its edge, and the (2, 3) matrix of its points.

    Examples:
        >>> image, matrix = with_border(np.zeros((40, 20, 3), np.uint8))
        >>> image.shape, matrix.tolist()
        ((80, 40, 3), [[1.0, 0.0, 10.0], [0.0, 1.0, 20.0]])
    """
    y, x = (round(_MARGIN * side) for side in image.shape[:2])
    bordered = np.asarray(cv2.copyMakeBorder(image, y, y, x, x, cv2.BORDER_REPLICATE), np.uint8)
    return bordered, np.array([[1.0, 0, x], [0, 1.0, y]])


def cover_face(image: Image, keypoints: Floats, rng: np.random.Generator, *, kind: str | None = None) -> Image:
    """An image whose face has a mask over mouth and nose, a hand over some part, or sunglasses.

    Args:
        image: (H, W, 3) RGB.
        keypoints: (5, 2) pixels.
        rng: Random generator that chooses the kind, the place and the tone.
        kind: ``"mask"``, ``"hand"`` or ``"sunglasses"``; None to choose one.

    Examples:
        >>> keypoints = np.array([[30, 40], [66, 40], [48, 58], [34, 77], [62, 77]])
        >>> plain = np.full((100, 100, 3), 128, np.uint8)
        >>> changed = (cover_face(plain, keypoints, np.random.default_rng(1)) != plain).any(axis=2)
        >>> bool(0.05 < changed.mean() < 0.6), bool(changed[0].any())
        (True, False)
    """
    eyes, across, down = face_axes(keypoints)
    nose = float((keypoints[2] - eyes) @ across) / max(float(across @ across), 1.0)
    kind = kind or str(rng.choice(list(_COVERS), p=_COVER_SHARES))
    covered = np.zeros(image.shape[:2], np.uint8)
    for shape in _COVERS[kind](nose, rng):
        outline = eyes + shape[:, :1] * across + shape[:, 1:] * down
        cv2.fillPoly(covered, [np.rint(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    tone = rng.integers(20, 250, 3) if kind == "mask" else rng.integers(5, 60, 3)
    if kind == "hand":
        x, y = np.clip(np.rint(eyes + 0.55 * down), 0, np.array(image.shape[1::-1]) - 1).astype(int)
        tone = image[y, x] * rng.uniform(0.75, 1.15)
    top, bottom = rng.uniform(0.7, 1.1, 2).tolist()
    light = np.linspace(top, bottom, image.shape[0])[:, None, None]
    grain = cv2.GaussianBlur(rng.normal(0, rng.uniform(0, 25), image.shape), (0, 0), 1.0)
    share = covered[..., None] / 255.0
    mixed: Float64 = image * (1 - share) + (tone * light + grain) * share
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def face_axes(keypoints: Floats) -> tuple[Float64, Float64, Float64]:
    """Middle of the eyes, way of one eye distance across, and way from there down to the mouth, each (2,) in pixels.

    Examples:
        >>> keypoints = np.array([[30, 40], [66, 40], [48, 58], [34, 77], [62, 77]])
        >>> [(axis + 0).round(1).tolist() for axis in face_axes(keypoints)]
        [[48.0, 40.0], [36.0, 0.0], [0.0, 37.0]]
    """
    eyes = keypoints[:2].mean(axis=0)
    down = keypoints[3:].mean(axis=0) - eyes
    # A turned head shortens the line of the eyes, but not the width of what covers the face.
    height = max(float(np.linalg.norm(down)), 1.0)
    width = max(_LEAST_WIDTH, float(np.linalg.norm(keypoints[1] - keypoints[0])) / height)
    return eyes, np.array([down[1], -down[0]]) * width, down


def face_width(keypoints: Floats) -> float:
    """Side of the face at five keypoints (5, 2), in pixels: twice their extent."""
    return _FACE_EXTENT * float(np.ptp(keypoints, axis=0).max())


def pixelate(image: Image, keypoints: Floats, rng: np.random.Generator) -> Image:
    """An image as a mosaic with 5 to 16 blocks across the face, or enlarged again from as many pixels.

    Args:
        image: (H, W, 3) RGB.
        keypoints: (5, 2) pixels.
        rng: Random generator that chooses the kind and the size.

    Examples:
        >>> ramp = np.repeat(np.tile(np.arange(96, dtype=np.uint8), (96, 1))[..., None], 3, axis=2)
        >>> keypoints = np.array([[30, 40], [66, 40], [48, 58], [34, 77], [62, 77]])
        >>> len(np.unique(pixelate(ramp, keypoints, np.random.default_rng(2)))) < 40
        True
    """
    block = max(1.0, face_width(keypoints) / float(np.exp(rng.uniform(np.log(5), np.log(16)))))
    size = (max(1, round(image.shape[1] / block)), max(1, round(image.shape[0] / block)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    enlarge = cv2.INTER_NEAREST if rng.random() < _MOSAIC_SHARE else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(small, image.shape[1::-1], interpolation=enlarge), np.uint8)


def _mask(nose: float, rng: np.random.Generator) -> list[Float64]:
    """Outline of a mask, in eye distances across and eye-to-mouth distances down from the middle of the eyes."""
    top, chin = rng.uniform(0.25, 0.55), rng.uniform(1.5, 1.9)
    width, jaw = rng.uniform(0.8, 1.05), rng.uniform(0.6, 0.85)
    half = np.array([[width * 0.5, top + 0.08], [width, top + 0.25], [jaw, 1.25], [0.3, chin]])
    return [np.concatenate([[[nose, top]], half, half[::-1] * (-1, 1)])]


def _hand(nose: float, rng: np.random.Generator) -> list[Float64]:
    """Outlines of a palm and four fingers anywhere between the eyes and the mouth."""
    angle = rng.uniform(0, 2 * np.pi)
    place = np.array([nose + rng.uniform(-0.6, 0.6), rng.uniform(0.0, 1.2)])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) * rng.uniform(0.8, 1.2)
    fingers = [_RING * (0.5, 0.11) + (0.75, offset) for offset in (-0.34, -0.11, 0.12, 0.35)]
    return [part @ turn + place for part in (_RING * (0.5, 0.45), *fingers)]


def _sunglasses(nose: float, rng: np.random.Generator) -> list[Float64]:  # noqa: ARG001 - they follow the eyes
    """Outlines of two glasses and the bridge between them."""
    glass = _RING * (rng.uniform(0.38, 0.48), rng.uniform(0.25, 0.4))
    bridge = np.array([[-0.5, -0.06], [0.5, -0.06], [0.5, 0.04], [-0.5, 0.04]])
    return [glass - (0.5, 0), np.add(glass, (0.5, 0)), bridge]


_COVERS: Mapping[str, Callable[[float, np.random.Generator], list[Float64]]] = MappingProxyType(
    {"mask": _mask, "hand": _hand, "sunglasses": _sunglasses}
)
_COVER_SHARES = (0.5, 0.3, 0.2)


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

# SPDX-License-Identifier: Apache-2.0
"""Pictures of one face made worse as cameras, distance and things in the way make them worse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]
Degradation = Callable[[Image, np.random.Generator], tuple[Image, Matrix]]

# Tight pictures get this share of their side around them, so that a detector sees a face and not a patch of skin.
_MARGIN = 0.5
_SMALLEST_PX = 12

_UNMOVED = np.eye(2, 3)


def degrade(picture: Image, rng: np.random.Generator) -> tuple[Image, Matrix, str]:
    """A tight picture of a face with room around it, in four of five cases made worse in one or two ways.

    Args:
        picture: (H, W, 3) RGB, filled by one face.
        rng: Random generator that chooses the corruptions and their strength.

    Returns:
        (H', W', 3) RGB; the (2, 3) matrix M that takes a place p of the picture to ``M[:, :2] @ p + M[:, 2]``; and
        what was done: names of `DEGRADATIONS` joined by "+", or "none".
    """
    margin_y, margin_x = (round(_MARGIN * side) for side in picture.shape[:2])
    worse = np.asarray(
        cv2.copyMakeBorder(picture, margin_y, margin_y, margin_x, margin_x, cv2.BORDER_REPLICATE), np.uint8
    )
    matrix = np.array([[1.0, 0, margin_x], [0, 1.0, margin_y]])
    n_ways = int(rng.choice([0, 1, 1, 2, 2]))
    names = sorted(rng.choice(list(DEGRADATIONS), n_ways, replace=False), key=list(DEGRADATIONS).index)
    for name in names:
        worse, moved = DEGRADATIONS[name](worse, rng)
        matrix = moved[:, :2] @ matrix + np.pad(moved[:, 2:], ((0, 0), (2, 0)))
    return worse, matrix, "+".join(names) or "none"


def _face_px(roomy: Image) -> float:
    return float(max(roomy.shape[:2])) / (1 + 2 * _MARGIN)


def _hidden(roomy: Image, rng: np.random.Generator) -> tuple[Image, Matrix]:
    """A flat patch over a part of the face."""
    height, width = (round(rng.uniform(0.2, 0.8) * _face_px(roomy)) for _ in range(2))
    y, x = (round(rng.uniform(0.6, 1.3) * _face_px(roomy)) for _ in range(2))
    patched = roomy.copy()
    patched[max(y - height // 2, 0) : y + height // 2, max(x - width // 2, 0) : x + width // 2] = rng.integers(
        0, 256, 3
    )
    return patched, _UNMOVED


def _tilted(roomy: Image, rng: np.random.Generator) -> tuple[Image, Matrix]:
    height, width = roomy.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(-70, 70)), 1.0)
    turned = cv2.warpAffine(roomy, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.uint8), np.asarray(turn, np.float64)


def _blurred(roomy: Image, rng: np.random.Generator) -> tuple[Image, Matrix]:
    sigma = float(_face_px(roomy) * np.exp(rng.uniform(np.log(0.01), np.log(0.12))))
    return np.asarray(cv2.GaussianBlur(roomy, (0, 0), sigma), np.uint8), _UNMOVED


def _shrunk(roomy: Image, rng: np.random.Generator) -> tuple[Image, Matrix]:
    scale = float(np.exp(rng.uniform(np.log(_SMALLEST_PX / _face_px(roomy)), 0)))
    small = np.asarray(cv2.resize(roomy, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    # A pixel's middle is half a pixel from its corner in both pictures.
    return small, np.array([[scale, 0, scale / 2 - 0.5], [0, scale, scale / 2 - 0.5]])


def _dark(roomy: Image, rng: np.random.Generator) -> tuple[Image, Matrix]:
    return np.asarray(np.rint(roomy * np.exp(rng.uniform(np.log(0.02), np.log(0.6)))), np.uint8), _UNMOVED


def _noisy(roomy: Image, rng: np.random.Generator) -> tuple[Image, Matrix]:
    noise = rng.normal(0, rng.uniform(5, 90), roomy.shape)
    return np.clip(np.rint(roomy + noise), 0, 255).astype(np.uint8), _UNMOVED


def _cut_off(roomy: Image, rng: np.random.Generator) -> tuple[Image, Matrix]:
    """A picture whose left or right, upper or lower edge runs through the face."""
    height, width = roomy.shape[:2]
    share = (_MARGIN + rng.uniform(0.05, 0.6)) / (1 + 2 * _MARGIN)
    side = int(rng.integers(0, 4))
    x0, y0 = round(share * width) * (side == 0), round(share * height) * (side == 1)
    x1, y1 = width - round(share * width) * (side == 2), height - round(share * height) * (side == 3)
    return np.ascontiguousarray(roomy[y0:y1, x0:x1]), np.array([[1.0, 0, -x0], [0, 1.0, -y0]])


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
"""Name -> what is done to a picture with room around its face, in this order: the scene first, then the camera."""

# SPDX-License-Identifier: Apache-2.0
"""Further views of a face (mirrored, shifted, scaled), and how much the predictions change between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mien.core import MAX_VIEWS, ConfigError, Float32, Image


@dataclass(frozen=True, kw_only=True)
class CropView:
    """A small change of what an image shows: mirrored first, then turned and scaled about its middle, then shifted.

    Attributes:
        mirrored: Whether left and right are exchanged.
        right: Shift to the right as a fraction of the width.
        down: Shift downwards as a fraction of the height.
        scale: Factor of the size of the content.
        turn_rad: Turn that moves the top to the right.

    Examples:
        >>> image = np.array([[1, 2, 3, 4]] * 4, np.uint8)
        >>> CropView(mirrored=True).of(image)[0].tolist(), CropView(right=0.25).of(image)[0].tolist()
        ([4, 3, 2, 1], [1, 1, 2, 3])
    """

    mirrored: bool = False
    right: float = 0.0
    down: float = 0.0
    scale: float = 1.0
    turn_rad: float = 0.0

    def of(self, image: Image) -> Image:
        """The view (H, W) or (H, W, 3) of an image of that shape, uint8; what comes in at an edge repeats it."""
        source = np.ascontiguousarray(image[:, ::-1] if self.mirrored else image)
        if (self.right, self.down, self.scale, self.turn_rad) == (0.0, 0.0, 1.0, 0.0):
            return source
        height, width = image.shape[:2]
        middle = np.array([width - 1, height - 1]) / 2
        cos, sin = np.cos(self.turn_rad), np.sin(self.turn_rad)
        turned = self.scale * np.array([[cos, -sin], [sin, cos]])
        shift = middle - turned @ middle + np.array([self.right * width, self.down * height])
        matrix = np.concatenate([turned, shift[:, None]], axis=1)
        moved = cv2.warpAffine(source, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(moved, np.uint8)


_VIEWS = (
    CropView(mirrored=True),
    CropView(right=0.05),
    CropView(right=-0.05),
    CropView(down=0.05),
    CropView(down=-0.05),
    CropView(scale=1.08),
    CropView(scale=0.93),
    CropView(mirrored=True, right=0.03, down=0.03, scale=1.04),
)
assert len(_VIEWS) == MAX_VIEWS


def further_views(crops: Image, n: int) -> Iterator[Image]:
    """The first n of eight views of crops: the mirror image, four shifts by 5 %, two scales, and all at once.

    Args:
        crops: (N, S, S) gray or (N, S, S, 3) uint8.
        n: Number of views, 0 to 8.

    Yields:
        Arrays like ``crops``; what comes in at an edge repeats it.

    Raises:
        ConfigError: There are no such n views.

    Examples:
        >>> (mirrored,) = further_views(np.array([[[1, 2], [3, 4]]], np.uint8), 1)
        >>> mirrored.tolist()
        [[[2, 1], [4, 3]]]
    """
    if not 0 <= n <= MAX_VIEWS:
        raise ConfigError(f"there are 0 to {MAX_VIEWS} views, not {n}")
    for view in _VIEWS[:n]:
        yield np.stack([view.of(crop) for crop in crops])


def view_spread(probabilities: Float32, others: Sequence[Float32]) -> Float32:
    """Mean total variation distance (N,) of other predictions from the given ones, in [0, 1].

    Args:
        probabilities: (N, E) probabilities.
        others: At least one array like it.

    Examples:
        >>> view_spread(np.array([[0.75, 0.25]]), [np.array([[0.25, 0.75]]), np.array([[0.75, 0.25]])]).tolist()
        [0.25]
    """
    distances = [np.abs(other - probabilities).sum(axis=1) / 2 for other in others]
    return np.asarray(np.mean(distances, axis=0), np.float32)

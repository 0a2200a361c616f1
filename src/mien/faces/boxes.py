# SPDX-License-Identifier: Apache-2.0
"""Geometry of boxes. All are (N, 4) xyxy in pixels, with x1 - x0 as the width."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Boxes = npt.NDArray[np.float32]


def centres(boxes: Boxes) -> npt.NDArray[np.float32]:
    """The middle of each box, (N, 2)."""
    return (boxes[:, :2] + boxes[:, 2:]) * np.float32(0.5)


def sides(boxes: Boxes) -> npt.NDArray[np.float32]:
    """The longer side of each box, (N,)."""
    return np.asarray(np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]))


def squares(boxes: Boxes, scale: float = 1.0) -> Boxes:
    """Squares about the same centres, with ``scale`` times the longer side."""
    half = sides(boxes)[:, None] * np.float32(scale / 2)
    middle = centres(boxes)
    return np.concatenate([middle - half, middle + half], axis=1)


def shifted(boxes: Boxes, fractions: npt.NDArray[np.float32]) -> Boxes:
    """Boxes with each edge moved by a fraction (N, 4) of the box's width (x) or height (y)."""
    size = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(boxes + fractions * np.concatenate([size, size], axis=1))


def intersections(first: Boxes, second: Boxes) -> npt.NDArray[np.float32]:
    """Shared area of every pair, (N, M)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    size = np.maximum(high - low, 0)
    return np.asarray(size[..., 0] * size[..., 1])


def areas(boxes: Boxes) -> npt.NDArray[np.float32]:
    """Area of each box, (N,); zero where an edge is inverted."""
    size = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.asarray(size[:, 0] * size[:, 1])


def iou(first: Boxes, second: Boxes) -> npt.NDArray[np.float32]:
    """Intersection over union of every pair, (N, M) in [0, 1]; 0 for boxes without area."""
    shared = intersections(first, second)
    union = areas(first)[:, None] + areas(second)[None, :] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def overlap_of_smaller(first: Boxes, second: Boxes) -> npt.NDArray[np.float32]:
    """Shared area over the area of the smaller box of every pair, (N, M): 1 where one lies inside the other."""
    shared = intersections(first, second)
    smaller = np.minimum(areas(first)[:, None], areas(second)[None, :])
    return np.asarray(np.divide(shared, smaller, out=np.zeros_like(shared), where=smaller > 0))

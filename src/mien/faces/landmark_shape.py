# SPDX-License-Identifier: Apache-2.0
"""Shapes of 68 landmarks without place, size and roll, and the distances between all of their points."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError, Float32, Floats, Indices, PointChoice

Shapes = npt.NDArray[np.complex64]
"""Points as complex numbers x + iy, which turn by a multiplication."""

FACE_PARTS = {
    "jaw": range(17),
    "brow at the image's left": range(17, 22),
    "brow at the image's right": range(22, 27),
    "nose": range(27, 36),
    "eye at the image's left": range(36, 42),
    "eye at the image's right": range(42, 48),
    "mouth": range(48, 68),
}
"""Part of the face -> its landmarks in 300-W order."""

# Weights of the landmarks in the mean of all, and in the line from one eye centre to the other: products with them cost
# a fraction of the means of slices, which counts for a single face.
_MEAN = np.full(68, 1 / 68, np.complex64)
_BETWEEN_EYES = np.zeros(68, np.complex64)
_BETWEEN_EYES[42:48], _BETWEEN_EYES[36:42] = 1 / 6, -1 / 6

# Sizes below this share of the distance from the first pixel are rounding.
_ROUNDING = 1e-5

_POINTS = {"inner": range(17, 68), "all": range(68), "published": range(51)}


def normalized_shapes(landmarks: Floats) -> Shapes:
    """Landmarks without place, size and roll.

    The mean of all points is moved to 0, the root of the mean squared distance from it becomes 1, and the line from
    the centre of the eye at the image's left to that of the other eye becomes horizontal; heads upside down are turned,
    too. Source: system 8 of the literature (MorphSet), with atan2 in place of its quotient.

    Args:
        landmarks: (N, 68, 2) in 300-W order, in pixels. Rows with NaN, or with all points in one place, become NaN.

    Returns:
        (N, 68) complex.

    Raises:
        ConfigError: The array has another shape.

    Examples:
        >>> face = np.random.default_rng(0).normal(size=(1, 68, 2)) * 40 + 100
        >>> turned = face[..., ::-1] * (-1, 1) * 3  # a quarter of a turn, and three times the size
        >>> bool(np.allclose(normalized_shapes(face), normalized_shapes(turned), atol=1e-5))
        True
    """
    points = np.ascontiguousarray(landmarks, dtype=np.float32)
    if points.ndim != 3 or points.shape[1:] != (68, 2):
        raise ConfigError(f"landmarks must be (N, 68, 2), got {points.shape}")
    shapes = points.view(np.complex64)[..., 0]
    across = shapes @ _BETWEEN_EYES
    centre = shapes @ _MEAN
    shapes = shapes - centre[:, None]
    between, scale = np.abs(across), _scale(shapes)
    has_size = np.minimum(between, scale) > _ROUNDING * np.abs(centre)
    turn = across.conj() * np.reciprocal(np.where(has_size, between * scale, np.nan))
    return np.asarray(shapes * turn[:, None], dtype=np.complex64)


def frontal_shapes(shapes: Shapes, weights: Float32) -> Shapes:
    """Shapes as a linear map turns them to the front.

    Args:
        shapes: (N, 68) as `normalized_shapes` gives them.
        weights: (137, 136) from 68 x, 68 y and a constant 1 to 68 x and 68 y.

    Returns:
        (N, 68) complex.
    """
    moved = shapes.real @ weights[:68] + shapes.imag @ weights[68:136] + weights[136]
    return np.asarray(moved[:, :68] + 1j * moved[:, 68:], dtype=np.complex64)


def shape_distances(shapes: Shapes, points: PointChoice = "inner") -> Float32:
    """Distances between all pairs of points, in units of the scale of these points.

    Args:
        shapes: (N, 68) complex.
        points: Points to use, see `mien.core.PointChoice`.

    Returns:
        (N, P), P = 1275 for 51 points and 2278 for 68, in the order of `distance_pairs`.

    Examples:
        >>> square = np.array([[0, 1, 1 + 1j, 1j] * 17], np.complex64)
        >>> shape_distances(square, "all").shape, shape_distances(square).shape
        ((1, 2278), (1, 1275))
    """
    used = _POINTS[points]
    first, second = _pairs(points)
    chosen = shapes[:, used.start : used.stop]
    chosen = chosen - chosen.mean(axis=1, keepdims=True)
    scale = _scale(chosen)
    apart = np.abs(chosen.take(first, axis=1) - chosen.take(second, axis=1))
    return np.asarray(apart / np.where(scale > 0, scale, np.nan)[:, None], dtype=np.float32)


def distance_pairs(points: PointChoice = "inner") -> Indices:
    """(P, 2) numbers of the two landmarks of each distance, from 0.

    Examples:
        >>> distance_pairs()[0].tolist(), distance_pairs()[-1].tolist()
        ([17, 18], [66, 67])
        >>> distance_pairs("published")[-1].tolist()
        [49, 50]
    """
    pairs: Indices = np.stack(_pairs(points), axis=1) + _POINTS[points].start
    return pairs


@cache
def _pairs(points: PointChoice) -> tuple[Indices, Indices]:
    first, second = np.triu_indices(len(_POINTS[points]), k=1)
    return first, second


def _scale(shapes: Shapes) -> Float32:
    """(N,) root of the mean squared distance from 0."""
    numbers = np.ascontiguousarray(shapes).view(np.float32)
    return np.asarray(np.sqrt(np.einsum("nk,nk->n", numbers, numbers) / shapes.shape[1]), np.float32)

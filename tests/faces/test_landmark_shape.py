# SPDX-License-Identifier: Apache-2.0
"""Shapes without place, size and roll, and their distances, against plain loops."""

import math

import numpy as np
import pytest

from mien.core import ConfigError
from mien.faces import FACE_PARTS, distance_pairs, frontal_shapes, normalized_shapes, shape_distances
from tests.helpers.synthetic_data import face_landmarks


def faces(n: int) -> np.ndarray:
    rng = np.random.default_rng(n)
    return face_landmarks() * 200 + rng.normal(size=(n, 68, 2)) * 4


def reference_shape(points: np.ndarray) -> np.ndarray:
    """The published steps, with atan2."""
    centred = points - points.mean(axis=0)
    centred = centred / math.sqrt((centred**2).sum(axis=1).mean())
    dx, dy = centred[42:48].mean(axis=0) - centred[36:42].mean(axis=0)
    angle = -math.atan2(dy, dx)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return centred @ turn.T


def reference_distances(points: np.ndarray) -> list[float]:
    centred = points - points.mean(axis=0)
    scale = math.sqrt((centred**2).sum(axis=1).mean())
    n = len(points)
    return [math.dist(points[i], points[j]) / scale for i in range(n) for j in range(i + 1, n)]


@pytest.mark.parametrize("turn", [0.0, math.pi / 2, math.pi, 2.5])
def test_shapes_equal_the_published_steps_whatever_the_roll(turn: float) -> None:
    turned = faces(3) @ np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]]) + 500
    found = normalized_shapes(turned)
    for row, points in zip(found, turned, strict=True):
        expected = reference_shape(points)
        np.testing.assert_allclose(row.real, expected[:, 0], atol=2e-5)
        np.testing.assert_allclose(row.imag, expected[:, 1], atol=2e-5)
    np.testing.assert_allclose(found, normalized_shapes(faces(3)), atol=3e-5)


@pytest.mark.parametrize(
    ("points", "used", "n"), [("inner", slice(17, 68), 1275), ("all", slice(68), 2278), ("published", slice(51), 1275)]
)
def test_distances_equal_plain_loops(points: str, used: slice, n: int) -> None:
    shapes = normalized_shapes(faces(2))
    found, pairs = shape_distances(shapes, points), distance_pairs(points)  # type: ignore[arg-type]
    assert found.shape == (2, n)
    plane = np.stack([shapes.real, shapes.imag], axis=2).astype(np.float64)
    np.testing.assert_allclose(found[1], reference_distances(plane[1, used]), atol=1e-5)
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert set(pairs.ravel().tolist()) == set(range(68)[used])


def test_the_published_points_keep_the_jaw_and_leave_the_mouth_out() -> None:
    assert set(FACE_PARTS["jaw"]) <= set(distance_pairs("published").ravel().tolist())
    assert not set(FACE_PARTS["jaw"]) & set(distance_pairs("inner").ravel().tolist())
    assert set(FACE_PARTS["mouth"]) <= set(distance_pairs("inner").ravel().tolist())
    assert sorted(number for numbers in FACE_PARTS.values() for number in numbers) == list(range(68))


def test_the_map_takes_x_then_y_then_a_constant() -> None:
    shapes = normalized_shapes(faces(2))
    weights = np.zeros((137, 136), np.float32)
    weights[:136] = np.eye(136)
    weights[136, 0] = 0.5  # x of the first landmark
    moved = frontal_shapes(shapes, weights)
    np.testing.assert_allclose(moved[:, 1:], shapes[:, 1:], atol=1e-6)
    np.testing.assert_allclose(moved[:, 0], shapes[:, 0] + 0.5, atol=1e-6)


def test_faces_without_size_or_landmarks_are_nan_and_warn_of_nothing() -> None:
    points = faces(4)
    points[1], points[2] = np.nan, 700.1
    points[3, 36:48] = 5.0  # both eyes in one place
    found = normalized_shapes(points)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1:]).all()
    assert np.isnan(shape_distances(found)[1:]).all()


@pytest.mark.parametrize("shape", [(68, 2), (1, 51, 2), (1, 68, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=r"landmarks must be \(N, 68, 2\), got"):
        normalized_shapes(np.zeros(shape))

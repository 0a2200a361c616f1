# SPDX-License-Identifier: Apache-2.0
"""The map to the front, on heads whose depth is known."""

import numpy as np
import pytest

from mien.core import DatasetError
from mien.faces import frontal_shapes, normalized_shapes
from mien.training.geometry.frontalization import (
    fit_frontalization,
    identity_frontalization,
    is_frontal,
    landmark_depth,
    turned,
)
from tests.helpers.synthetic_data import face_landmarks


def heads(n: int, yaw_deg: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shapes of turned heads (N, 68), their poses (N, 3), and the depth (68,) of all of them."""
    rng = np.random.default_rng(seed)
    front = normalized_shapes(face_landmarks() + rng.normal(size=(n, 68, 2)) * 0.01)
    depth = 0.6 - np.abs(front[0].real) ** 2  # nearer in the middle
    pitch, yaw = rng.uniform(-0.2, 0.2, n), np.deg2rad(rng.uniform(-yaw_deg, yaw_deg, n))
    shapes = normalized_shapes(turned(front, depth, pitch, yaw))
    return shapes, np.stack([pitch, yaw, np.zeros(n)], axis=1).astype(np.float32), depth


def test_depth_follows_from_turning_heads() -> None:
    shapes, pose, depth = heads(2000, 45)
    found = landmark_depth(shapes, pose)
    assert found.mean() == pytest.approx(0, abs=1e-9)
    assert np.corrcoef(found, depth)[0, 1] > 0.95


def test_turned_heads_come_back_to_the_front() -> None:
    shapes, pose, _ = heads(3000, 40)
    weights = fit_frontalization(shapes, pose, turns=3, seed=1)
    assert weights.shape == (137, 136)
    aside, _, _ = heads(200, 40, seed=5)
    mean_front = normalized_shapes(face_landmarks()[None])
    before = np.abs(aside - mean_front).mean()
    after = np.abs(frontal_shapes(aside, weights) - mean_front).mean()
    assert after < 0.7 * before
    front = heads(200, 0.1, seed=6)[0]
    assert np.abs(frontal_shapes(front, weights) - front).mean() < 0.05


def test_a_turn_to_the_right_moves_the_nose_to_the_right_and_a_lift_moves_it_up() -> None:
    front, depth = normalized_shapes(face_landmarks()[None]), np.zeros(68)
    depth[30] = 1.0
    zero, some = np.zeros(1), np.full(1, 0.3)
    assert turned(front, depth, zero, some)[0, 30, 0] > front[0, 30].real + 0.2
    assert turned(front, depth, some, zero)[0, 30, 1] < front[0, 30].imag - 0.2


def test_too_few_frontal_faces_are_refused() -> None:
    shapes, pose, _ = heads(50, 5)
    with pytest.raises(DatasetError, match="faces look to the front"):
        fit_frontalization(shapes, pose, turns=1, seed=1)
    assert is_frontal(np.deg2rad([[0, 9, 50], [0, 11, 0], [11, 0, 0]])).tolist() == [True, False, False]


def test_the_identity_changes_nothing() -> None:
    shapes = heads(3, 30)[0]
    np.testing.assert_allclose(frontal_shapes(shapes, identity_frontalization()), shapes, atol=1e-6)

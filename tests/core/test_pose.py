# SPDX-License-Identifier: Apache-2.0
"""The signs of head pose, by where the nose and the crown go, and against SciPy's rotations."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mien.core import ConfigError, pose_angles, rotation_matrices

NOSE, CROWN = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])


def test_positive_pitch_lifts_the_nose() -> None:
    assert (rotation_matrices(np.array([0.3, 0.0, 0.0])) @ NOSE)[1] == pytest.approx(np.sin(0.3))


def test_positive_yaw_turns_the_nose_to_the_images_right() -> None:
    assert (rotation_matrices(np.array([0.0, 0.3, 0.0])) @ NOSE)[0] == pytest.approx(np.sin(0.3))


def test_positive_roll_tilts_the_crown_to_the_images_right() -> None:
    assert (rotation_matrices(np.array([0.0, 0.0, 0.3])) @ CROWN)[0] == pytest.approx(np.sin(0.3))


def test_the_order_is_yaw_after_pitch_after_roll() -> None:
    scipy = pytest.importorskip("scipy.spatial.transform")
    pose = np.array([[0.2, -0.5, 0.3], [-0.4, 1.1, -0.2]])
    expected = scipy.Rotation.from_euler("YXZ", pose[:, [1, 0, 2]] * (1, -1, -1)).as_matrix()
    np.testing.assert_allclose(rotation_matrices(pose), expected, atol=1e-12)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
@given(arrays(np.float64, (5, 3), elements=st.floats(-1.5, 1.5)))
def test_angles_and_matrices_undo_each_other(pose: np.ndarray) -> None:
    matrices = rotation_matrices(pose)
    np.testing.assert_allclose(matrices @ matrices.swapaxes(-1, -2), np.broadcast_to(np.eye(3), (5, 3, 3)), atol=1e-12)
    np.testing.assert_allclose(pose_angles(matrices), pose, atol=1e-9)


def test_shapes_are_checked() -> None:
    with pytest.raises(ConfigError, match="pitch, yaw, roll"):
        rotation_matrices(np.zeros(2))
    with pytest.raises(ConfigError, match="3, 3"):
        pose_angles(np.zeros((2, 3)))


def test_a_teachers_matrices_agree_with_where_its_points_lie(shared_data) -> None:
    """Right-handed, y up, z to the viewer: the landmark teacher's axes are ours, on thousands of photos."""
    import pyarrow.parquet as pq

    table = pq.read_table(shared_data / "teacher/lfw_expression.parquet", columns=["points", "matrix"])
    present = [row for row in table.to_pylist() if row["matrix"] is not None]
    points = np.array([row["points"] for row in present], dtype=np.float64).reshape(-1, 68, 2)
    pitch, yaw, roll = pose_angles(np.array([row["matrix"] for row in present]).reshape(-1, 4, 4)[:, :3, :3]).T
    left, right = points[:, 36:42].mean(axis=1), points[:, 42:48].mean(axis=1)
    nose = (points[:, 30] - (left + right) / 2) / np.linalg.norm(right - left, axis=1)[:, None]
    assert np.corrcoef(nose[:, 0], yaw)[0, 1] > 0.8  # to the image's right
    assert np.corrcoef(nose[:, 1], pitch)[0, 1] < -0.7  # image rows grow downwards
    tilt = np.arctan2(right[:, 1] - left[:, 1], right[:, 0] - left[:, 0])  # clockwise on the screen
    assert np.corrcoef(tilt, roll)[0, 1] > 0.9

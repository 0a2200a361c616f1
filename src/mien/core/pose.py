# SPDX-License-Identifier: Apache-2.0
"""Head pose: the definition of pitch, yaw and roll, and their rotation matrices.

Seen by the viewer of the image: +pitch lifts the nose, +yaw turns the nose to the image's right, +roll tilts the crown
to the image's right. All are 0 for a head that looks straight into the camera.

Axes of a rotation matrix: x to the image's right, y up, z towards the viewer (right-handed). A matrix takes directions
of the frontal head to directions of the turned head: ``R @ (0, 0, 1)`` is the direction of the nose. R = Ry Rx Rz.
"""

from __future__ import annotations

import numpy as np

from mien.core.arrays import Float64, Floats
from mien.core.errors import ConfigError

_SIGNS = np.array([-1.0, 1.0, -1.0])


def rotation_matrices(pose_rad: Floats) -> Float64:
    """Rotation matrices (..., 3, 3) of pitch, yaw and roll (..., 3) in radians.

    Raises:
        ConfigError: The last axis does not hold three angles.

    Examples:
        A head with 30 degrees of yaw turns its nose to the image's right:

        >>> nose = rotation_matrices(np.radians([0, 30, 0])) @ (0, 0, 1)
        >>> nose.round(2).tolist()
        [0.5, 0.0, 0.87]
    """
    pose = np.asarray(pose_rad, dtype=np.float64)
    if pose.shape[-1:] != (3,):
        raise ConfigError(f"a pose is (pitch, yaw, roll) in the last axis, got shape {pose.shape}")
    # About x a positive right-handed angle lowers the nose, about z it tilts the crown to the left: both signs turn.
    about = pose * _SIGNS
    cosines, sines = np.cos(about), np.sin(about)
    cx, cy, cz = (cosines[..., axis] for axis in range(3))
    sx, sy, sz = (sines[..., axis] for axis in range(3))
    # Ry Rx Rz written out: products of many small matrices would take most of the time of tracking a face.
    matrices = np.empty((*pose.shape, 3))
    matrices[..., 0, 0] = cy * cz + sy * sx * sz
    matrices[..., 0, 1] = sy * sx * cz - cy * sz
    matrices[..., 0, 2] = sy * cx
    matrices[..., 1, 0] = cx * sz
    matrices[..., 1, 1] = cx * cz
    matrices[..., 1, 2] = -sx
    matrices[..., 2, 0] = cy * sx * sz - sy * cz
    matrices[..., 2, 1] = sy * sz + cy * sx * cz
    matrices[..., 2, 2] = cy * cx
    return matrices


def pose_angles(rotations: Floats) -> Float64:
    """Pitch, yaw and roll (..., 3) in radians of rotation matrices (..., 3, 3); the inverse of `rotation_matrices`.

    Pitch lies in [-pi/2, pi/2], yaw and roll in (-pi, pi]. Where the nose points straight up or down, yaw and roll turn
    about the same axis and only their sum is defined.

    Raises:
        ConfigError: The last two axes are not 3 by 3.

    Examples:
        >>> pose_rad = np.array([0.1, -0.2, 0.3])
        >>> pose_angles(rotation_matrices(pose_rad)).round(6).tolist()
        [0.1, -0.2, 0.3]
    """
    matrices = np.asarray(rotations, dtype=np.float64)
    if matrices.shape[-2:] != (3, 3):
        raise ConfigError(f"expected rotation matrices (..., 3, 3), got shape {matrices.shape}")
    nose = matrices[..., :, 2]
    pitch = np.arcsin(np.clip(nose[..., 1], -1.0, 1.0))
    yaw = np.arctan2(nose[..., 0], nose[..., 2])
    roll = -np.arctan2(matrices[..., 1, 0], matrices[..., 1, 1])
    return np.stack([pitch, yaw, roll], axis=-1)

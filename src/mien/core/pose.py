# SPDX-License-Identifier: Apache-2.0
"""Head pose: the one place that says what pitch, yaw and roll mean.

Seen by the viewer of the image: +pitch lifts the nose, +yaw turns the nose to the image's right, +roll tilts the crown
to the image's right. All are 0 for a head that looks straight into the camera.

Axes of a rotation matrix: x to the image's right, y up, z towards the viewer (right-handed). A matrix takes directions
of the head at rest to directions of the head as it is: ``R @ (0, 0, 1)`` is where the nose points. R = Ry Rx Rz.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mien.core.errors import ConfigError

_SIGNS = np.array([-1.0, 1.0, -1.0])


def rotation_matrices(pose_rad: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Rotation matrices (..., 3, 3) of pitch, yaw and roll (..., 3) in radians.

    Raises:
        ConfigError: the last axis does not hold three angles.
    """
    pose = np.asarray(pose_rad, dtype=np.float64)
    if pose.shape[-1:] != (3,):
        raise ConfigError(f"a pose is (pitch, yaw, roll) in the last axis, got shape {pose.shape}")
    # About x a positive right-handed angle lowers the nose, about z it tilts the crown to the left: both signs turn.
    about = pose * _SIGNS
    cosines, sines = np.cos(about), np.sin(about)
    cx, cy, cz = (cosines[..., axis] for axis in range(3))
    sx, sy, sz = (sines[..., axis] for axis in range(3))
    # Ry Rx Rz written out: products of many small matrices would take most of the time of following a face.
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


def pose_angles(rotations: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Pitch, yaw and roll (..., 3) in radians of rotation matrices (..., 3, 3); `rotation_matrices` undone.

    Pitch lies in [-pi/2, pi/2], yaw and roll in (-pi, pi]. Where the nose points straight up or down, yaw and roll turn
    about the same axis and only their sum means something.

    Raises:
        ConfigError: the last two axes are not 3 by 3.
    """
    matrices = np.asarray(rotations, dtype=np.float64)
    if matrices.shape[-2:] != (3, 3):
        raise ConfigError(f"expected rotation matrices (..., 3, 3), got shape {matrices.shape}")
    nose = matrices[..., :, 2]
    pitch = np.arcsin(np.clip(nose[..., 1], -1.0, 1.0))
    yaw = np.arctan2(nose[..., 0], nose[..., 2])
    roll = -np.arctan2(matrices[..., 1, 0], matrices[..., 1, 1])
    return np.stack([pitch, yaw, roll], axis=-1)

# SPDX-License-Identifier: Apache-2.0
"""OpenFace 2.2's CSV columns, and its values converted to mien's and back.

The format is described at https://github.com/TadasBaltrusaitis/OpenFace/wiki/Output-Format.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

from mien.core import MAX_INTENSITY, ConfigError, Float64, pose_angles, rotation_matrices

Layout = Literal["sequence", "image"]

N_LANDMARKS = 68
ABOUT_SUFFIX = ".about.json"
"""Ending, after the CSV's own, of the file that describes the columns of a CSV that mien wrote."""

_ONSET = 1.0  # FACS intensity A, a trace

_HEADS: MappingProxyType[Layout, tuple[str, ...]] = MappingProxyType(
    {"sequence": ("frame", "face_id", "timestamp", "confidence", "success"), "image": ("face", "confidence")}
)
_INTENSITIES = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
_PRESENCES = (*_INTENSITIES[:-1], 28, 45)
# OpenFace's camera looks along z with y down, mien's viewer along -z with y up.
_FLIP = np.diag([1.0, -1.0, -1.0])


def _points(names: str, axes: str, n: int) -> Iterator[str]:
    return (f"{names}{axis}_{k}" for axis in axes for k in range(n))


GROUPS: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    {
        "gaze": (
            *(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"),
            *("gaze_angle_x", "gaze_angle_y"),
            *_points("eye_lmk_", "xyXYZ", 56),
        ),
        "pose": (*(f"pose_T{axis}" for axis in "xyz"), *(f"pose_R{axis}" for axis in "xyz")),
        "2Dfp": tuple(_points("", "xy", N_LANDMARKS)),
        "3Dfp": tuple(_points("", "XYZ", N_LANDMARKS)),
        "pdmparams": ("p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty", *(f"p_{k}" for k in range(34))),
        "aus": (*(f"AU{k:02d}_r" for k in _INTENSITIES), *(f"AU{k:02d}_c" for k in _PRESENCES)),
    }
)
"""Groups of columns under the names of OpenFace's own flags, in the order of its header."""


def openface_header(layout: Layout, groups: Collection[str] = ()) -> tuple[str, ...]:
    """The columns of a file, in OpenFace's order.

    Args:
        layout: Kind of file, ``"sequence"`` (FeatureExtraction) or ``"image"`` (FaceLandmarkImg).
        groups: Names from `GROUPS`; none means all, as with OpenFace's flags.

    Raises:
        ConfigError: A group is unknown.
    """
    unknown = sorted(set(groups) - set(GROUPS))
    if unknown:
        raise ConfigError(f"OpenFace has no columns {', '.join(unknown)}; choose from {', '.join(GROUPS)}")
    chosen = (columns for name, columns in GROUPS.items() if not groups or name in groups)
    return (*_HEADS[layout], *(column for columns in chosen for column in columns))


def to_intensity(probability: npt.ArrayLike, threshold: float) -> Float64:
    """A probability stretched to OpenFace's scale of intensities: 0 to 0, the threshold to 1, certainty to 5.

    It grows with the probability and is at least 1 where the action unit counts as present. It does not measure
    intensity: a faint but clear action and a strong one may both be certain.

    Args:
        probability: (...) in [0, 1]; NaN stays NaN.
        threshold: Probability from which the action unit counts as present, between 0 and 1.

    Raises:
        ConfigError: The threshold is not between 0 and 1.
    """
    return np.interp(np.asarray(probability, np.float64), _knots(threshold), (0.0, _ONSET, MAX_INTENSITY))


def from_intensity(intensity: npt.ArrayLike, threshold: float) -> Float64:
    """The inverse of `to_intensity`; intensities outside 0 to 5 are clipped.

    Args:
        intensity: (...) in [0, 5]; NaN stays NaN.
        threshold: Probability from which the action unit counts as present, between 0 and 1.

    Raises:
        ConfigError: The threshold is not between 0 and 1.
    """
    return np.interp(np.asarray(intensity, np.float64), (0.0, _ONSET, MAX_INTENSITY), _knots(threshold))


def _knots(threshold: float) -> tuple[float, float, float]:
    if not 0 < threshold < 1:
        raise ConfigError(f"the threshold of an action unit must lie between 0 and 1, got {threshold}")
    return 0.0, threshold, 1.0


def to_openface_pose(pose_rad: npt.ArrayLike) -> Float64:
    """OpenFace's Rx, Ry, Rz (N, 3) in radians of mien's pitch, yaw, roll (N, 3).

    OpenFace composes R = Rx Ry Rz on axes to the image's right, down, and away from the camera: +Rx lowers the nose,
    +Ry turns it to the image's left, +Rz tilts the crown to the image's right. NaN stays NaN.
    """
    rotation = _FLIP @ rotation_matrices(np.asarray(pose_rad, np.float64)) @ _FLIP
    around_x = np.arctan2(-rotation[..., 1, 2], rotation[..., 2, 2])
    around_y = np.arcsin(np.clip(rotation[..., 0, 2], -1.0, 1.0))
    around_z = np.arctan2(-rotation[..., 0, 1], rotation[..., 0, 0])
    return np.stack([around_x, around_y, around_z], axis=-1)


def from_openface_pose(angles_rad: npt.ArrayLike) -> Float64:
    """Mien's pitch, yaw, roll (N, 3) in radians of OpenFace's Rx, Ry, Rz (N, 3); the inverse of `to_openface_pose`.

    Examples:
        >>> from_openface_pose([[-0.2, 0.0, 0.1]]).round(6).tolist()  # +pitch lifts the nose
        [[0.2, 0.0, 0.1]]
    """
    around_x, around_y, around_z = np.moveaxis(np.asarray(angles_rad, np.float64), -1, 0)
    (cx, sx), (cy, sy), (cz, sz) = ((np.cos(a), np.sin(a)) for a in (around_x, around_y, around_z))
    rows = (
        (cy * cz, -cy * sz, sy),
        (cx * sz + cz * sx * sy, cx * cz - sx * sy * sz, -cy * sx),
        (sx * sz - cx * cz * sy, cz * sx + cx * sy * sz, cx * cy),
    )
    rotation = np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
    return pose_angles(_FLIP @ rotation @ _FLIP)

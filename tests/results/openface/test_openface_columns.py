# SPDX-License-Identifier: Apache-2.0
"""OpenFace's columns against its literal header, and its numbers against mien's."""

import math
from pathlib import Path

import numpy as np
import pytest

from mien.core import ConfigError
from mien.results import from_intensity, from_openface_pose, openface_header, to_intensity, to_openface_pose


@pytest.mark.parametrize("layout", ["sequence", "image"])
def test_the_header_is_openfaces_own(layout: str, shared_data: Path) -> None:
    literal = (shared_data.parent / "spec" / f"openface22_columns_{layout}.txt").read_text().strip()
    assert ",".join(openface_header(layout)) == literal


def test_groups_keep_openfaces_order() -> None:
    assert openface_header("sequence", ["aus", "pose"])[:11] == (
        *("frame", "face_id", "timestamp", "confidence", "success"),
        *("pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz"),
    )
    assert len(openface_header("sequence", ["aus"])) == 5 + 17 + 18
    with pytest.raises(ConfigError, match=r"no columns 2dfp; choose from gaze, pose, 2Dfp"):
        openface_header("sequence", ["2dfp"])


def test_intensities() -> None:
    assert to_intensity([0, 0.15, 0.3, 0.65, 1, math.nan], 0.3) == pytest.approx(
        [0, 0.5, 1, 3, 5, math.nan], nan_ok=True
    )
    probability = np.linspace(0, 1, 101)
    assert from_intensity(to_intensity(probability, 0.3), 0.3) == pytest.approx(probability)
    assert from_intensity([-1, 7], 0.3).tolist() == [0, 1]
    with pytest.raises(ConfigError, match="between 0 and 1, got 1"):
        to_intensity([0.5], 1.0)


@pytest.mark.parametrize(
    ("mien_pose", "openface_pose"),
    [((0.3, 0, 0), (-0.3, 0, 0)), ((0, 0.3, 0), (0, -0.3, 0)), ((0, 0, 0.3), (0, 0, 0.3))],
    ids=["lifted nose: -Rx", "nose to the right: -Ry", "crown to the right: +Rz"],
)
def test_signs_of_pose(mien_pose: tuple[float, ...], openface_pose: tuple[float, ...]) -> None:
    assert to_openface_pose([mien_pose])[0] == pytest.approx(openface_pose)
    assert from_openface_pose([openface_pose])[0] == pytest.approx(mien_pose)


def test_pose_against_matrices_written_out() -> None:
    """R = Rx Ry Rz with SciPy as reference; the nose of a head at rest points to -z, the crown to -y."""
    from scipy.spatial.transform import Rotation

    angles = np.random.default_rng(1).uniform(-1.2, 1.2, (50, 3))
    rotation = Rotation.from_euler("XYZ", angles).as_matrix()
    nose = rotation @ np.array([0, 0, -1])
    pose = from_openface_pose(angles)
    assert np.sin(pose[:, 0]) == pytest.approx(-nose[:, 1])  # + lifts the nose, y is down
    assert np.tan(pose[:, 1]) == pytest.approx(-nose[:, 0] / nose[:, 2])  # + turns it to the image's right
    assert to_openface_pose(pose) == pytest.approx(angles)
    assert np.isnan(to_openface_pose([[math.nan] * 3])).all()

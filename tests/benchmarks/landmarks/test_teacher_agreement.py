# SPDX-License-Identifier: Apache-2.0
"""The agreement of a landmark teacher with itself, for made-up points and images."""

from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks.landmarks.teacher_agreement import disagreements, write_mirrored
from mien.core import MIRRORED_LANDMARKS
from mien.datasets import LandmarkFaces
from mien.media import decode_image


def test_a_teacher_that_sees_the_mirrored_face_agrees() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 1, (3, 68, 2))
    sizes = np.array([[100.0, 50.0], [80.0, 80.0], [40.0, 90.0]])
    mirrored = (points * (-1, 1) + (1, 0))[:, list(MIRRORED_LANDMARKS)]
    np.testing.assert_allclose(disagreements(points, mirrored, sizes), 0, atol=1e-9)
    eyes = np.linalg.norm((points[0, 36:42].mean(0) - points[0, 42:48].mean(0)) * sizes[0])
    moved = mirrored + np.array([0.01, 0.0])
    assert disagreements(points, moved, sizes)[0] == pytest.approx(1.0 / eyes)
    moved[1] = np.nan
    assert np.isnan(disagreements(points, moved, sizes)).tolist() == [False, True, False]


def test_pictures_are_mirrored_without_loss(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    encoded = cv2.imencode(".png", picture)[1].tobytes()
    faces = LandmarkFaces(
        ("a",), (encoded,), np.array(["made-up"]), np.zeros((1, 68, 2)), np.zeros((1, 3)), np.zeros((1, 2))
    )
    write_mirrored(faces, tmp_path / "pictures.parquet")
    (row,) = pq.read_table(tmp_path / "pictures.parquet").to_pylist()
    assert row["name"] == "a"
    np.testing.assert_array_equal(decode_image(row["image"], name="a"), picture[:, ::-1, ::-1])

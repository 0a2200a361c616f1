# SPDX-License-Identifier: Apache-2.0
"""Landmarks on rendered faces, by a net that knows them and is off by a known amount."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mien.datasets import load_rendered_faces
from mien.evaluation.protocols.landmarks.rendered_landmarks import evaluate_landmarks_rendered
from mien.faces import Detections, keypoints_of
from tests.helpers.open_face_sets import metrics_by_name
from tests.helpers.rendered_sets import write_rendered

YAWS_DEG = (5.0, -30.0, 50.0, -80.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """288 test faces of 96 persons, a quarter at each yaw."""
    path = write_rendered(tmp_path, 288 * 6) / "faces-00000.parquet"
    table = pq.read_table(path)
    yaw = np.radians(np.resize(YAWS_DEG, len(table))).astype(np.float32)
    place = table.schema.get_field_index("yaw_rad")
    pq.write_table(table.set_column(place, "yaw_rad", pa.array(yaw)), path)
    return tmp_path


class _Offset:
    """Knows the faces in their order, three readings each; moves landmarks of turned faces, and turns them more."""

    def __init__(self, folder: Path) -> None:
        self._faces = load_rendered_faces(folder, "test")
        self._n_readings = 0
        self.bundle = SimpleNamespace(spec=SimpleNamespace(name="offset"), digest="0" * 64)

    def read(self, image: np.ndarray, keypoints: np.ndarray) -> Detections:  # noqa: ARG002 - the port names it
        row, reading = divmod(self._n_readings, 3)
        self._n_readings += 1
        points = self._faces.landmarks[row].astype(float) * image.shape[1::-1] - 0.5
        side = np.sqrt(np.ptp(points, axis=0).prod())
        is_turned = abs(self._faces.pose_rad[row, 1]) > np.radians(40)
        points[:17, 0] += 0.5 * side * is_turned  # the jaw
        points[17:, 1] += 0.1 * side * is_turned
        return Detections(
            boxes=np.array([[0, 0, 9, 9]]),
            confidence=np.array([0.2 if is_turned and reading == 0 else 0.9]),
            keypoints=keypoints_of(points)[None],
            landmarks=points[None],
            pose_rad=self._faces.pose_rad[[row]] + np.array([0, np.radians(7.0), 0]),
            eyes_open=np.ones((1, 2)),
        )


def test_errors_of_turned_faces_are_in_box_sides(folder: Path) -> None:
    report = evaluate_landmarks_rendered(_Offset(folder), folder)  # type: ignore[arg-type]  # all that it asks of a net
    metrics = metrics_by_name(report)
    assert report.n_rows == 288
    assert metrics["landmark error, followed: yaw of 0 to 20 degrees"].value == pytest.approx(0, abs=1e-5)
    for band in ("40 to 60", "60 to 90", "40 to 90"):
        title = f"yaw of {band} degrees"
        assert metrics[f"landmark error without the jaw, followed: {title}"].value == pytest.approx(0.1, abs=1e-5)
        assert metrics[f"landmark error, followed: {title}"].value == pytest.approx(
            (17 * 0.5 + 51 * 0.1) / 68, abs=1e-5
        )
        assert metrics[f"yaw error in degrees, followed: {title}"].value == pytest.approx(7, abs=1e-4)
        assert metrics[f"faces accepted, first pass: {title}"].value == 0
    assert metrics["landmark error, followed: yaw of 40 to 90 degrees"].n == 144


def test_bands_with_few_faces_are_left_out(folder: Path) -> None:
    path = folder / "faces-00000.parquet"
    table = pq.read_table(path)
    place = table.schema.get_field_index("yaw_rad")
    pq.write_table(table.set_column(place, "yaw_rad", pa.array(np.zeros(len(table), np.float32))), path)
    report = evaluate_landmarks_rendered(_Offset(folder), folder)  # type: ignore[arg-type]  # all that it asks of a net
    assert report.dropped == {
        f"yaw of {band} degrees: too few faces": 0 for band in ("20 to 40", "40 to 60", "60 to 90", "40 to 90")
    }
    assert all("0 to 20" in metric.name for metric in report.metrics)

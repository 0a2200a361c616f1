# SPDX-License-Identifier: Apache-2.0
"""The protocol of landmark nets, with a net that says the truth and one that is off by a known amount."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mien.datasets import LandmarkFaces, load_landmark_faces
from mien.evaluation import Report
from mien.evaluation.protocols.landmarks import landmark_error as landmarks
from mien.faces import Detections, keypoints_of

N_FACES = 12


class Oracle:
    """Knows the faces in their order, three readings each, and is off by so many eye distances and degrees.

    The third reading is of no face: that gets 1 less the ``score`` of a face, or the same if it is ``blind``.
    """

    def __init__(
        self,
        faces: LandmarkFaces,
        *,
        off_eyes: float = 0.0,
        off_deg: float = 0.0,
        score: float = 1.0,
        blind: bool = False,
    ) -> None:
        self._faces, self._off_eyes, self._off_rad = faces, off_eyes, np.deg2rad(off_deg)
        self._score, self._score_of_nothing = score, score if blind else 1 - score
        self._n_readings = 0
        self.bundle = SimpleNamespace(spec=SimpleNamespace(name="oracle"), digest="0" * 64)

    def read(self, image: np.ndarray, keypoints: np.ndarray) -> Detections:  # noqa: ARG002 - the port names it
        row, reading = divmod(self._n_readings, 3)
        self._n_readings += 1
        points = self._faces.landmarks[row] * np.array(image.shape[1::-1]) - 0.5
        eyes = np.linalg.norm(points[36:42].mean(axis=0) - points[42:48].mean(axis=0))
        points = (points + np.array([self._off_eyes * eyes, 0]))[None]
        return Detections(
            boxes=np.array([[0, 0, 9, 9]]),
            confidence=np.array([self._score_of_nothing if reading == 2 else self._score]),
            keypoints=keypoints_of(points),
            landmarks=points,
            pose_rad=self._faces.pose_rad[[row]] + np.array([0, self._off_rad, 0]),
            eyes_open=self._faces.eyes_open[[row]],
        )


@pytest.fixture(scope="module")
def faces(shared_data: Path) -> LandmarkFaces:
    everyone = load_landmark_faces(shared_data, "test")
    halves = [np.flatnonzero(everyone.source == source)[: N_FACES // 2] for source in ("fairface", "lfw_expression")]
    return everyone.take(np.concatenate(halves))


def values(report: Report) -> dict[str, float]:
    return {metric.name: metric.value for metric in report.metrics}


def evaluate(net: Oracle, faces: LandmarkFaces, data: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    monkeypatch.setattr(landmarks, "load_landmark_faces", lambda *_: faces)
    return landmarks.evaluate_landmarks(net, data)  # type: ignore[arg-type]  # all that it asks of a net


def test_the_truth_has_no_error(faces: LandmarkFaces, shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = evaluate(Oracle(faces), faces, shared_data, monkeypatch)
    assert report.n_rows == N_FACES
    for name, value in values(report).items():
        perfect = 1 if "accepted" in name or "rejected" in name or "AUC" in name else 0
        assert value == pytest.approx(perfect, abs=0.03), name


def test_errors_are_in_eye_distances_and_degrees(
    faces: LandmarkFaces, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = values(evaluate(Oracle(faces, off_eyes=0.2, off_deg=10), faces, shared_data, monkeypatch))
    for title in ("FairFace val", "LFW test people"):
        assert found[f"landmark error, followed: {title}"] == pytest.approx(0.2, abs=1e-3)
        assert found[f"median landmark error, followed: {title}"] == pytest.approx(0.2, abs=1e-3)
        assert found[f"yaw error in degrees, first pass: {title}"] == pytest.approx(10, abs=1e-3)
        assert found[f"pitch error in degrees, followed: {title}"] == pytest.approx(0, abs=1e-3)
    genders = [value for name, value in found.items() if "gender" in name]
    assert genders == pytest.approx([0.2] * len(genders), abs=1e-3)


def test_a_score_that_says_nothing_is_not_calibrated(
    faces: LandmarkFaces, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = values(evaluate(Oracle(faces, score=0.9, blind=True), faces, shared_data, monkeypatch))
    for title in ("FairFace val", "LFW test people"):  # half of the places are faces
        assert found[f"AUC of confidence: {title}"] == pytest.approx(0.5)
        assert found[f"calibration error of confidence: {title}"] == pytest.approx(0.4, abs=1e-6)

# SPDX-License-Identifier: Apache-2.0
"""Protocol of landmark nets: points, pose, eyes and confidence against the teacher, on people who taught nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.core import MetricValue, rotation_matrices
from mien.datasets import LandmarkFaces, load_landmark_faces, load_traits, person, picture_file
from mien.evaluation.evaluation_report import Report, bootstrap_metric
from mien.evaluation.face_crops import group_codes, mean_metric
from mien.faces import Detections, LandmarkNet, keypoints_of
from mien.media import decode_image
from mien.metrics import expected_calibration_error, roc_auc

Doubles = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]

_TITLES = {"fairface": "FairFace val", "lfw_expression": "LFW test people"}
_ANGLES = ("pitch", "yaw", "roll")
_TRAITS = ("gender", "race")
_MIN_CONFIDENCE = 0.5
_N_JAW = 17  # points along the jaw, which come first

# A detector's five points, or a moving face's of the frame before: how far they are off.
_SHIFT_EYES, _ZOOM, _TURN_RAD = 0.25, 0.2, np.deg2rad(8.0)


@dataclass(frozen=True, eq=False)
class _Readings:
    """What was read of N faces and of N places without one.

    Attributes:
        rough: at places that are off by what detectors and motion are.
        followed: once more, at the points of the first reading, as in the next frame of a video.
        nowhere: (N,) confidence where there is no face, or not a whole one.
    """

    rough: Detections
    followed: Detections
    nowhere: npt.NDArray[np.float32]


def evaluate_landmarks(subject: LandmarkNet, data: Path, split: str = "test") -> Report:
    """FairFace's validation faces and LFW's test people, read as the analyzer reads them.

    Errors of points are means over the 68 points in units of the distance between the eye centres (all of them the
    teacher's); those of poses are absolute angles in degrees, of eyes absolute differences of openness. A first look
    is at a place that is off as a detector's is; a followed face is read once more from there.
    """
    faces = load_landmark_faces(data, split)
    images = [decode_image(image, name=name) for name, image in zip(faces.names, faces.images, strict=True)]
    truth = np.stack(
        [
            points.astype(np.float64) * image.shape[1::-1] - 0.5
            for points, image in zip(faces.landmarks, images, strict=True)
        ]
    )
    readings = _read(subject, images, np.asarray(keypoints_of(truth), np.float64))
    groups = group_codes(
        np.array([person(n) if s == "lfw_expression" else n for n, s in zip(faces.names, faces.source, strict=True)])
    )
    measures: list[MetricValue] = []
    for source, title in _TITLES.items():
        rows = faces.source == source
        measures += _measures(title, faces, truth, readings, rows, groups)
    measures += _by_trait(data, faces, _distances(readings.followed, truth), groups)
    return Report(
        protocol="landmarks",
        data="FairFace val and LFW test people",
        predictor=subject.bundle.spec.name,
        digest=subject.bundle.digest,
        n_rows=len(faces),
        dropped={},
        metrics=tuple(measures),
    )


def _read(net: LandmarkNet, images: list[Image], five: Doubles) -> _Readings:
    rng = np.random.default_rng(0)
    rough, followed, nowhere = [], [], []
    for image, points in zip(images, five, strict=True):
        first = net.read(image, _jittered(points, rng)[None].astype(np.float32))
        rough.append(first)
        followed.append(net.read(image, first.keypoints))
        nowhere.append(net.read(image, _astray(points, rng)[None].astype(np.float32)).confidence)
    return _Readings(Detections.concatenated(rough), Detections.concatenated(followed), np.concatenate(nowhere))


def _jittered(points: Doubles, rng: np.random.Generator) -> Doubles:
    shift = rng.uniform(-_SHIFT_EYES, _SHIFT_EYES, 2)
    return _moved(points, np.exp(rng.uniform(-_ZOOM, _ZOOM)), rng.normal(0, _TURN_RAD), shift)


def _astray(points: Doubles, rng: np.random.Generator) -> Doubles:
    """Five points beside the face, on a small part of it, or so wide apart that it is lost among them."""
    kind = rng.integers(3)
    heading = rng.uniform(0, 2 * np.pi)
    away = np.array([np.cos(heading), np.sin(heading)])
    zoom, distance = ((1.0, rng.uniform(2.0, 3.5)), (0.3, 0.3), (4.0, 1.0))[kind]
    return _moved(points, zoom, rng.normal(0, _TURN_RAD), away * distance)


def _moved(points: Doubles, zoom: float, turn_rad: float, shift_eyes: Doubles) -> Doubles:
    """Five points turned and stretched about their middle and moved, in units of their eye distance."""
    centre = points.mean(axis=0)
    turn = np.array([[np.cos(turn_rad), -np.sin(turn_rad)], [np.sin(turn_rad), np.cos(turn_rad)]])
    eyes = float(np.linalg.norm(points[1] - points[0]))
    moved: Doubles = centre + zoom * (points - centre) @ turn.T + shift_eyes * eyes
    return moved


def _distances(seen: Detections, truth: Doubles, *, first: int = 0) -> Doubles:
    """(N,) mean error of the points, from the first one that counts on, in eye distances."""
    eyes = np.linalg.norm(truth[:, 36:42].mean(axis=1) - truth[:, 42:48].mean(axis=1), axis=1)
    away = np.linalg.norm(seen.landmarks.astype(np.float64) - truth, axis=2)[:, first:].mean(axis=1)
    return np.asarray(away / eyes)


def _angles_deg(seen: Detections, pose_rad: npt.NDArray[np.floating]) -> Doubles:
    """(N, 3) absolute errors of pitch, yaw and roll."""
    away = seen.pose_rad.astype(np.float64) - pose_rad
    return np.degrees(np.abs((away + np.pi) % (2 * np.pi) - np.pi))


def _total_deg(seen: Detections, pose_rad: npt.NDArray[np.floating]) -> Doubles:
    """(N,) the angle of the rotation from one pose to the other."""
    between = rotation_matrices(seen.pose_rad) @ np.swapaxes(rotation_matrices(pose_rad), -1, -2)
    return np.asarray(np.degrees(np.arccos(np.clip((np.trace(between, axis1=-2, axis2=-1) - 1) / 2, -1, 1))))


def _measures(
    title: str,
    faces: LandmarkFaces,
    truth: Doubles,
    readings: _Readings,
    rows: npt.NDArray[np.bool_],
    groups: npt.NDArray[np.intp],
) -> list[MetricValue]:
    looks = {"first look": readings.rough, "followed": readings.followed}
    values: dict[str, npt.NDArray[np.floating] | npt.NDArray[np.bool_]] = {
        f"point error, {look}": _distances(seen, truth) for look, seen in looks.items()
    }
    for look, seen in looks.items():
        away = _angles_deg(seen, faces.pose_rad)
        values |= {f"{angle} error in degrees, {look}": away[:, column] for column, angle in enumerate(_ANGLES)}
    values["point error without the jaw, followed"] = _distances(readings.followed, truth, first=_N_JAW)
    values["rotation error in degrees, followed"] = _total_deg(readings.followed, faces.pose_rad)
    values["eye openness error, followed"] = np.abs(readings.followed.eyes_open - faces.eyes_open).mean(axis=1)
    values["faces believed, first look"] = readings.rough.confidence >= _MIN_CONFIDENCE
    values["places without a face refused"] = readings.nowhere < _MIN_CONFIDENCE
    measures = [mean_metric(f"{name}: {title}", value, rows, groups) for name, value in values.items()]
    errors = values["point error, followed"][rows]

    def median(drawn: npt.NDArray[np.intp]) -> float:
        return float(np.median(errors[drawn]))

    # Where a head is turned far, or the teacher fails, the eyes come together and one face outweighs hundreds.
    measures.append(
        bootstrap_metric(f"median point error, followed: {title}", len(errors), median, groups=groups[rows])
    )
    scores = np.concatenate([readings.rough.confidence[rows], readings.nowhere[rows]])
    is_face = np.arange(len(scores)) < rows.sum()
    owner = np.concatenate([groups[rows], groups[rows]])

    def area(drawn: npt.NDArray[np.intp]) -> float:
        return roc_auc(is_face[drawn], scores[drawn])

    def calibration(drawn: npt.NDArray[np.intp]) -> float:
        probabilities = np.stack([1 - scores[drawn], scores[drawn]], axis=1)
        return expected_calibration_error(is_face[drawn].astype(np.intp), probabilities)

    return [
        *measures,
        bootstrap_metric(f"AUC of confidence: {title}", len(scores), area, groups=owner),
        bootstrap_metric(f"calibration error of confidence: {title}", len(scores), calibration, groups=owner),
    ]


def _by_trait(data: Path, faces: LandmarkFaces, errors: Doubles, groups: npt.NDArray[np.intp]) -> list[MetricValue]:
    """Point errors of followed faces of FairFace by gender and race."""
    path = picture_file(data, "fairface", "valid")
    traits = load_traits(path, ("name", *_TRAITS))
    row_of = {name: row for row, name in enumerate(traits["name"].tolist())}
    own = faces.source == "fairface"
    place = np.array([row_of[name] for name in np.array(faces.names)[own]])
    measures = []
    for kind in _TRAITS:
        values = np.full(len(faces), "", dtype=traits[kind].dtype)
        values[own] = traits[kind][place]
        for value in np.unique(values[own]):
            name = f"point error, followed: FairFace val, {kind} {value}"
            measures.append(mean_metric(name, errors, values == value, groups))
    return measures

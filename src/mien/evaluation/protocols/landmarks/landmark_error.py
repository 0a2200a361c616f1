# SPDX-License-Identifier: Apache-2.0
"""Protocol of landmark nets: landmarks, pose, eyes and confidence against the teacher, on held-out people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.core import Bools, Float32, Float64, Floats, Image, Indices, MetricValue, rotation_matrices
from mien.datasets import LandmarkFaces, load_landmark_faces, load_traits, person, picture_file
from mien.evaluation.evaluation_report import Report, bootstrap_metric
from mien.evaluation.face_crops import group_codes, mean_metric
from mien.faces import Detections, LandmarkNet, keypoints_of, points_in_pixels
from mien.media import decode_image
from mien.metrics import expected_calibration_error, roc_auc

_TITLES = {"fairface": "FairFace val", "lfw_expression": "LFW test people"}
_ANGLES = ("pitch", "yaw", "roll")
_TRAITS = ("gender", "race")
MIN_CONFIDENCE = 0.5
"""Confidence from which a face counts as accepted."""

N_JAW = 17
"""Number of landmarks along the jaw, which come first."""

# Largest offset of a detector's five keypoints, or of a moving face's in the frame before: shift in eye distances,
# logarithm of the scale, rotation.
_SHIFT_EYES, _ZOOM, _TURN_RAD = 0.25, 0.2, np.deg2rad(8.0)


@dataclass(frozen=True, eq=False)
class LandmarkPasses:
    """Outputs of a net for N faces and for N places without a face.

    Attributes:
        first: N outputs at places with the offset of a detector.
        followed: N outputs at the keypoints of the first pass, as in the next frame of a video.
        nowhere: (N,) confidence at places with no face, or without a whole one.
    """

    first: Detections
    followed: Detections
    nowhere: Float32


def evaluate_landmarks(subject: LandmarkNet, data: Path, split: str = "test") -> Report:
    """Landmarks, pose, eye openness and confidence on FairFace's validation faces and LFW's test people.

    A landmark error is the mean over the 68 landmarks in units of the teacher's distance between the eye centres; a
    pose error is an absolute angle in degrees; an eye error is an absolute difference of openness. The first pass
    starts from keypoints with the offset of a detector; a followed face starts from the result of the first pass.
    """
    faces = load_landmark_faces(data, split)
    images = [decode_image(image, name=name) for name, image in zip(faces.names, faces.images, strict=True)]
    truth = np.stack([points_in_pixels(each, image) for each, image in zip(faces.landmarks, images, strict=True)])
    outputs = run_passes(subject, images, np.asarray(keypoints_of(truth), np.float64))
    groups = group_codes(
        np.array([person(n) if s == "lfw_expression" else n for n, s in zip(faces.names, faces.source, strict=True)])
    )
    metrics: list[MetricValue] = []
    for source, title in _TITLES.items():
        rows = faces.source == source
        metrics += _metrics(title, faces, truth, outputs, rows, groups)
    metrics += _by_trait(data, faces, _distances(outputs.followed, truth), groups)
    return Report(
        protocol="landmarks",
        data="FairFace val and LFW test people",
        predictor=subject.bundle.spec.name,
        digest=subject.bundle.digest,
        n_rows=len(faces),
        dropped={},
        metrics=tuple(metrics),
    )


def run_passes(net: LandmarkNet, images: list[Image], keypoints: Float64) -> LandmarkPasses:
    """Outputs of a net for one face per image.

    Args:
        net: Landmark net.
        images: N images.
        keypoints: (N, 5, 2) true keypoints in pixels; a fixed seed moves them as a detector's are.
    """
    rng = np.random.default_rng(0)
    first, followed, nowhere = [], [], []
    for image, five in zip(images, keypoints, strict=True):
        first.append(net.read(image, _jittered(five, rng)[None].astype(np.float32)))
        followed.append(net.read(image, first[-1].keypoints))
        nowhere.append(net.read(image, _off_face(five, rng)[None].astype(np.float32)).confidence)
    return LandmarkPasses(Detections.concatenated(first), Detections.concatenated(followed), np.concatenate(nowhere))


def _jittered(keypoints: Float64, rng: np.random.Generator) -> Float64:
    shift = rng.uniform(-_SHIFT_EYES, _SHIFT_EYES, 2)
    return _moved(keypoints, np.exp(rng.uniform(-_ZOOM, _ZOOM)), rng.normal(0, _TURN_RAD), shift)


def _off_face(keypoints: Float64, rng: np.random.Generator) -> Float64:
    """Five keypoints beside the face, on a small part of it, or four times as far apart as the face's."""
    kind = rng.integers(3)
    heading = rng.uniform(0, 2 * np.pi)
    away = np.array([np.cos(heading), np.sin(heading)])
    zoom, distance = ((1.0, rng.uniform(2.0, 3.5)), (0.3, 0.3), (4.0, 1.0))[kind]
    return _moved(keypoints, zoom, rng.normal(0, _TURN_RAD), away * distance)


def _moved(keypoints: Float64, zoom: float, turn_rad: float, shift_eyes: Float64) -> Float64:
    """Five keypoints rotated and scaled about their mean and shifted, in units of their eye distance."""
    centre = keypoints.mean(axis=0)
    turn = np.array([[np.cos(turn_rad), -np.sin(turn_rad)], [np.sin(turn_rad), np.cos(turn_rad)]])
    eyes = float(np.linalg.norm(keypoints[1] - keypoints[0]))
    moved: Float64 = centre + zoom * (keypoints - centre) @ turn.T + shift_eyes * eyes
    return moved


def _distances(found: Detections, truth: Float64, *, start: int = 0) -> Float64:
    """(N,) mean error of the landmarks from index ``start`` on, in eye distances."""
    eyes = np.linalg.norm(truth[:, 36:42].mean(axis=1) - truth[:, 42:48].mean(axis=1), axis=1)
    away = np.linalg.norm(found.landmarks.astype(np.float64) - truth, axis=2)[:, start:].mean(axis=1)
    return np.asarray(away / eyes)


def angle_errors(found: Detections, pose_rad: Floats) -> Float64:
    """(N, 3) absolute errors of pitch, yaw and roll."""
    away = found.pose_rad.astype(np.float64) - pose_rad
    return np.degrees(np.abs((away + np.pi) % (2 * np.pi) - np.pi))


def _rotation_deg(found: Detections, pose_rad: Floats) -> Float64:
    """(N,) angle of the rotation from the true pose to the predicted one."""
    between = rotation_matrices(found.pose_rad) @ np.swapaxes(rotation_matrices(pose_rad), -1, -2)
    return np.asarray(np.degrees(np.arccos(np.clip((np.trace(between, axis1=-2, axis2=-1) - 1) / 2, -1, 1))))


def _metrics(
    title: str,
    faces: LandmarkFaces,
    truth: Float64,
    outputs: LandmarkPasses,
    rows: Bools,
    groups: Indices,
) -> list[MetricValue]:
    passes = {"first pass": outputs.first, "followed": outputs.followed}
    values: dict[str, Floats | Bools] = {
        f"landmark error, {name}": _distances(found, truth) for name, found in passes.items()
    }
    for name, found in passes.items():
        away = angle_errors(found, faces.pose_rad)
        values |= {f"{angle} error in degrees, {name}": away[:, column] for column, angle in enumerate(_ANGLES)}
    values["landmark error without the jaw, followed"] = _distances(outputs.followed, truth, start=N_JAW)
    values["rotation error in degrees, followed"] = _rotation_deg(outputs.followed, faces.pose_rad)
    values["eye openness error, followed"] = np.abs(outputs.followed.eyes_open - faces.eyes_open).mean(axis=1)
    values["faces accepted, first pass"] = outputs.first.confidence >= MIN_CONFIDENCE
    values["places without a face rejected"] = outputs.nowhere < MIN_CONFIDENCE
    metrics = [mean_metric(f"{name}: {title}", value, rows, groups) for name, value in values.items()]
    errors = values["landmark error, followed"][rows]

    def median(drawn: Indices) -> float:
        return float(np.median(errors[drawn]))

    # In far profile, or where the teacher fails, the eye distance approaches 0 and one face outweighs hundreds.
    metrics.append(
        bootstrap_metric(f"median landmark error, followed: {title}", len(errors), median, groups=groups[rows])
    )
    scores = np.concatenate([outputs.first.confidence[rows], outputs.nowhere[rows]])
    is_face = np.arange(len(scores)) < rows.sum()
    owner = np.concatenate([groups[rows], groups[rows]])

    def area(drawn: Indices) -> float:
        return roc_auc(is_face[drawn], scores[drawn])

    def calibration(drawn: Indices) -> float:
        probabilities = np.stack([1 - scores[drawn], scores[drawn]], axis=1)
        return expected_calibration_error(is_face[drawn].astype(np.intp), probabilities)

    return [
        *metrics,
        bootstrap_metric(f"AUC of confidence: {title}", len(scores), area, groups=owner),
        bootstrap_metric(f"calibration error of confidence: {title}", len(scores), calibration, groups=owner),
    ]


def _by_trait(data: Path, faces: LandmarkFaces, errors: Float64, groups: Indices) -> list[MetricValue]:
    """Landmark errors of followed FairFace faces by gender and race."""
    path = picture_file(data, "fairface", "valid")
    traits = load_traits(path, ("name", *_TRAITS))
    row_of = {name: row for row, name in enumerate(traits["name"].tolist())}
    own = faces.source == "fairface"
    place = np.array([row_of[name] for name in np.array(faces.names)[own]])
    metrics = []
    for kind in _TRAITS:
        values = np.full(len(faces), "", dtype=traits[kind].dtype)
        values[own] = traits[kind][place]
        for value in np.unique(values[own]):
            name = f"landmark error, followed: FairFace val, {kind} {value}"
            metrics.append(mean_metric(name, errors, values == value, groups))
    return metrics

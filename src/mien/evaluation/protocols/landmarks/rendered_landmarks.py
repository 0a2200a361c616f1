# SPDX-License-Identifier: Apache-2.0
"""Protocol of landmark nets on rendered faces, whose landmarks and pose are exact, up to the full profile."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien.core import Bools, Float64, Floats, MetricValue
from mien.datasets import load_rendered_faces
from mien.evaluation.evaluation_report import Report
from mien.evaluation.face_crops import group_codes, mean_metric
from mien.evaluation.protocols.landmarks.landmark_error import MIN_CONFIDENCE, N_JAW, angle_errors, run_passes
from mien.faces import LandmarkNet, keypoints_of, points_in_pixels
from mien.media import decode_image

_BANDS_DEG = ((0, 20), (20, 40), (40, 60), (60, 91), (40, 91))
_FEWEST = 20
_YAW = 1


def evaluate_landmarks_rendered(subject: LandmarkNet, data: Path, split: str = "test") -> Report:
    """Landmarks and yaw of faces that ``mien synthesize`` wrote, of persons that no recipe trains on, by bands of yaw.

    A landmark error is the mean distance in units of the square root of the area of the box about the 68 true
    landmarks (Zhu et al., Face alignment across large poses, CVPR 2016): in profile, the distance between the eyes is
    close to 0. The net starts from keypoints with the offset of a detector and reads the face a second time at its own
    keypoints, as in the next frame of a video. Intervals draw whole persons. Bands with fewer than 20 faces are left
    out.
    """
    faces = load_rendered_faces(data, split)
    images = [decode_image(image, name=name) for name, image in zip(faces.names, faces.images, strict=True)]
    truth = np.stack([points_in_pixels(each, image) for each, image in zip(faces.landmarks, images, strict=True)])
    outputs = run_passes(subject, images, np.asarray(keypoints_of(truth), np.float64))
    first, followed = box_errors(outputs.first.landmarks, truth), box_errors(outputs.followed.landmarks, truth)
    values: dict[str, Floats | Bools] = {
        "landmark error, first pass": first.mean(axis=1),
        "landmark error, followed": followed.mean(axis=1),
        "landmark error without the jaw, followed": followed[:, N_JAW:].mean(axis=1),
        "yaw error in degrees, followed": angle_errors(outputs.followed, faces.pose_rad)[:, _YAW],
        "faces accepted, first pass": outputs.first.confidence >= MIN_CONFIDENCE,
    }
    yaw_deg, groups = np.abs(np.degrees(faces.pose_rad[:, _YAW])), group_codes(faces.identity)
    metrics: list[MetricValue] = []
    dropped = {}
    for low, high in _BANDS_DEG:
        rows = (yaw_deg >= low) & (yaw_deg < high)
        title = f"yaw of {low} to {min(high, 90)} degrees"
        if rows.sum() < _FEWEST:
            dropped[f"{title}: too few faces"] = int(rows.sum())
            continue
        metrics += [mean_metric(f"{name}: {title}", value, rows, groups) for name, value in values.items()]
    return Report(
        protocol="landmarks-rendered",
        data=f"rendered faces, {split}",
        predictor=subject.bundle.spec.name,
        digest=subject.bundle.digest,
        n_rows=len(faces),
        dropped=dropped,
        metrics=tuple(metrics),
    )


def box_errors(found: Floats, truth: Float64) -> Float64:
    """(N, 68) distances of landmarks (N, 68, 2) over the square root of the area of the box about the true ones.

    Examples:
        >>> truth = np.zeros((1, 68, 2))
        >>> truth[0, 0] = 20, 80
        >>> box_errors(truth + (4, 0), truth)[0, :2].tolist()
        [0.1, 0.1]
    """
    away = np.linalg.norm(np.asarray(found, np.float64) - truth, axis=2)
    return np.asarray(away / np.sqrt(np.ptp(truth, axis=1).prod(axis=1))[:, None])

# SPDX-License-Identifier: Apache-2.0
"""Truth: signs of the pose, the contour of turned heads, openings of mouth and eyes."""

import numpy as np
import pytest

from mien.core import rotation_matrices
from mien.synthesis import HeadBasis, UnitVector
from mien.synthesis.rendering.scene import Camera
from mien.synthesis.rendering.truth import Openings, Truth, opening_units, read_truth, visible_landmarks

CAMERA = Camera(12.0, 600.0, (100.0, 100.0))


def truth(basis: HeadBasis, pose_deg: tuple[float, float, float] = (0, 0, 0), **units: float) -> Truth:
    weights = np.zeros(len(basis.names))
    for name, weight in UnitVector(units).actions().items():
        weights[basis.index[f"action/{name}"]] = weight
    vertices = basis.vertices(weights) - np.array([0, 7.284, 1.245], np.float32)
    rotation = rotation_matrices(np.radians(pose_deg)).astype(np.float32)
    return read_truth(basis, vertices, rotation, CAMERA)[0]


def test_the_pose_has_the_signs_of_mien(basis: HeadBasis) -> None:
    def nose(result: Truth) -> np.ndarray:  # type: ignore[type-arg]
        return result.landmarks[30] - result.landmarks[[36, 45]].mean(0)

    still = nose(truth(basis))
    assert nose(truth(basis, (20, 0, 0)))[1] < still[1] - 5  # +pitch lifts the nose
    assert nose(truth(basis, (0, 20, 0)))[0] > still[0] + 5  # +yaw turns it to the image's right
    tilted = truth(basis, (0, 0, 20)).landmarks
    assert tilted[45, 1] > tilted[36, 1] + 5  # +roll tilts the crown to the image's right


def test_the_image_of_a_mirrored_pose_is_mirrored(basis: HeadBasis) -> None:
    left, right = truth(basis, (5, 30, 4)), truth(basis, (5, -30, -4))
    assert np.allclose(200 - left.box[[2, 0]], right.box[[0, 2]], atol=1.0)
    assert np.allclose(200 - left.landmarks[8, 0], right.landmarks[8, 0], atol=1.0)


def test_the_far_jaw_runs_along_the_visible_contour(basis: HeadBasis) -> None:
    turned = truth(basis, (0, 45, 0))
    far = turned.landmarks[12:16, 0]
    fixed = read_truth_without_contour(basis)
    assert (far > fixed + 3).all()  # the nose points right: the right contour is the cheek, not the jaw bone behind it


def read_truth_without_contour(basis: HeadBasis) -> np.ndarray:  # type: ignore[type-arg]
    vertices = basis.mean - np.array([0, 7.284, 1.245], np.float32)
    rotation = rotation_matrices(np.radians((0, 45, 0))).astype(np.float32)
    jaw = basis.contour_vertices[12:16, 0]
    return np.asarray(CAMERA.project(vertices[jaw] @ rotation.T)[:, 0])


def openings(basis: HeadBasis, **units: float) -> Openings:
    return truth(basis, **units).openings


def test_openings_follow_the_actions(basis: HeadBasis) -> None:
    neutral = openings(basis)
    parted = [opening_units(openings(basis, AU25=value), neutral, neutral)[0] for value in (0.0, 0.25, 0.5, 1.0)]
    assert parted == sorted(parted)
    assert parted[0] == 0
    assert parted[-1] > 0.8
    for other in ({"AU12": 1.0}, {"AU24": 1.0}, {"AU15": 1.0}, {"AU17": 1.0}, {"AU18": 1.0}):
        assert opening_units(openings(basis, **other), neutral, neutral)[0] < 0.25
    for squint in ({}, {"AU06": 1.0}, {"AU07": 1.0}):
        open_eyes = openings(basis, **squint)
        blinks = [openings(basis, AU45=value, **squint) for value in (0.0, 0.5, 1.0)]
        closed = [opening_units(blink, neutral, open_eyes)[1][0] for blink in blinks]
        assert closed[0] == 0  # squinting is no blink
        assert 0.1 < closed[1] <= 1
        assert closed[2] == 1


def test_a_jaw_drop_parts_the_lips(basis: HeadBasis) -> None:
    assert opening_units(openings(basis, AU26=1.0), openings(basis), openings(basis))[0] == pytest.approx(1.0)


def test_openings_are_those_of_the_head_in_any_pose(basis: HeadBasis) -> None:
    assert truth(basis, (10, 50, 5), AU26=0.7).openings == openings(basis, AU26=0.7)


def test_landmarks_behind_something_or_outside_are_not_visible(basis: HeadBasis) -> None:
    result = truth(basis)
    landmark_depth = np.full(68, 12.0, np.float32)
    wall = np.full((200, 200), 13.0, np.float32)
    assert visible_landmarks(result, landmark_depth, wall, 1).all()
    wall[:, :100] = 11.0
    seen = visible_landmarks(result, landmark_depth, wall, 1)
    assert (seen == (result.landmarks[:, 0] > 99)).all()

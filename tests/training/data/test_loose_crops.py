# SPDX-License-Identifier: Apache-2.0
"""Loose crops: where faces lie in them, and how pose, eyes and landmarks follow rotations and mirrors."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")

from mien.core import MIRRORED_LANDMARKS
from mien.faces import keypoints_of
from mien.training import load_recipe
from mien.training.data.loose_crops import (
    CropGeometry,
    LooseCropSampler,
    clean_loose_crop,
    loose_matrix,
    placed_target,
    turned,
)
from mien.training.recipes.settings import AugmentationSettings
from tests.helpers.synthetic_data import face_landmarks

TEMPLATE = load_recipe("mien-points").model.template
PICTURE = np.full((80, 80), 90, np.uint8)
KEYPOINTS = keypoints_of(face_landmarks() * 80 - 0.5)


def test_a_face_in_the_mirror_is_the_same_face() -> None:
    landmarks = face_landmarks()
    np.testing.assert_allclose(landmarks[list(MIRRORED_LANDMARKS)] * (-1, 1) + (1, 0), landmarks, atol=1e-9)
    assert sorted(MIRRORED_LANDMARKS) == list(range(68))


def test_the_template_is_a_face_in_the_middle() -> None:
    template = np.array(TEMPLATE)
    matrix = loose_matrix(PICTURE, KEYPOINTS, TEMPLATE, 64)
    np.testing.assert_allclose(KEYPOINTS @ matrix[:, :2].T + matrix[:, 2], template * 64 - 0.5, atol=5)
    np.testing.assert_allclose(template[[1, 0, 2, 4, 3]] * (-1, 1) + (1, 0), template, atol=1e-9)


def test_a_turned_picture_turns_the_head_with_it() -> None:
    angle = 0.3
    clockwise = np.array([[np.cos(angle), -np.sin(angle), 5], [np.sin(angle), np.cos(angle), 2]])
    np.testing.assert_allclose(turned(np.zeros(3), 2 * clockwise), [0, 0, angle], atol=1e-9)
    nose_right = turned(np.array([0.0, 0.5, 0.0]), clockwise)
    assert nose_right[0] < -0.1  # a nose that pointed right now points down, too
    np.testing.assert_allclose(turned(np.array([0.1, 0.5, 0.2]), np.eye(2, 3)), [0.1, 0.5, 0.2], atol=1e-9)


def test_crops_flip_their_pose_with_their_landmarks() -> None:
    """Of many crops of a head that turns to the right, about half show it turned to the left."""
    settings = AugmentationSettings(flip=0.5, rotation_deg=10.0, zoom=0.28, shift=0.13, squeeze=0.2, low_resolution=0.3)
    draw = LooseCropSampler(settings, TEMPLATE, 32, np.random.default_rng(0))
    geometries = [draw(PICTURE, KEYPOINTS)[1] for _ in range(60)]
    poses = [placed_target("pose", np.array([0.0, 0.5, 0.0]), geometry) for geometry in geometries]
    assert [bool(np.isnan(pose).any()) for pose in poses] == [not geometry.rigid for geometry in geometries]
    flipped = [pose[1] < 0 for pose in poses if not np.isnan(pose).any()]
    assert flipped == [geometry.mirrored for geometry in geometries if geometry.rigid]
    assert 0.3 < np.mean(flipped) < 0.7
    for geometry in geometries:
        eyes = placed_target("eyes", np.array([1.0, 0.0]), geometry)
        assert eyes.tolist() == ([0.0, 1.0] if geometry.mirrored else [1.0, 0.0])
        landmarks = placed_target("landmarks", face_landmarks().ravel(), geometry).reshape(68, 2)
        assert landmarks[36, 0] < landmarks[45, 0]  # the first eye is always at the image's left


def test_a_mirrored_crop_has_mirrored_landmarks() -> None:
    plain = CropGeometry(matrix=np.eye(2, 3) * 0.4, picture_px=(80, 80), size_px=32)
    target = face_landmarks().ravel() + 0.01
    placed = placed_target("landmarks", target, plain).reshape(68, 2)
    np.testing.assert_allclose(placed, ((face_landmarks() + 0.01) * 80 - 0.5) * 0.4 / 32 + 0.5 / 32)
    mirrored = placed_target("landmarks", target, dataclasses.replace(plain, mirrored=True)).reshape(68, 2)
    np.testing.assert_allclose(mirrored[:, 0], 1 - placed[list(MIRRORED_LANDMARKS), 0])


def test_targets_without_a_place_stay_where_there_is_a_face() -> None:
    geometry = CropGeometry(matrix=np.eye(2, 3), picture_px=(80, 80), size_px=32, mirrored=True)
    shares = np.array([0.25, 0.75])
    np.testing.assert_array_equal(placed_target("expression", shares, geometry), shares)
    absent = dataclasses.replace(geometry, shows_face=False)
    assert np.isnan(placed_target("expression", shares, absent)).all()
    assert placed_target("face", np.ones(1), absent).tolist() == [0.0]


def test_a_face_without_keypoints_shows_the_whole_picture() -> None:
    crop = clean_loose_crop(PICTURE, np.full((5, 2), np.nan), TEMPLATE, 32)
    np.testing.assert_array_equal(crop, np.full((32, 32), 90, np.uint8))


def test_crops_without_changes_are_the_runtimes() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (80, 80), dtype=np.uint8)
    draw = LooseCropSampler(AugmentationSettings(), TEMPLATE, 64, np.random.default_rng(1))
    clean = clean_loose_crop(picture, KEYPOINTS, TEMPLATE, 64)
    inside = slice(16, -16)  # outside the picture the two fill differently
    difference = draw(picture, KEYPOINTS)[0][inside, inside].astype(int) - clean[inside, inside]
    assert np.abs(difference).max() <= 2


def test_crops_that_miss_the_face_say_so() -> None:
    settings = AugmentationSettings(no_face=1.0)
    rng = np.random.default_rng(0)
    draw = LooseCropSampler(settings, TEMPLATE, 32, rng)
    places = []
    for _ in range(40):
        crop, geometry = draw(PICTURE, KEYPOINTS)
        assert crop.shape == (32, 32)
        assert not geometry.shows_face
        points = KEYPOINTS @ geometry.matrix[:, :2].T + geometry.matrix[:, 2]
        places.append(points / 32 - np.array(TEMPLATE))
    assert min(np.abs(place).max() for place in places) > 0.1  # none of them is about where a face should be

# SPDX-License-Identifier: Apache-2.0
"""Scenes are drawn within their ranges, and the camera projects as a pinhole."""

import numpy as np
import pytest

from mien.synthesis import CameraRange, OcclusionShares, PoseRange
from mien.synthesis.rendering.scene import Camera, sample_camera, sample_pose, sample_scene


def test_a_pinhole_camera_turns_y_down_and_shrinks_with_distance() -> None:
    camera = Camera(10.0, 500.0, (50.0, 40.0))
    assert camera.project(np.array([1.0, 2.0, 0.0])).tolist() == [100.0, -60.0, 10.0]
    assert camera.project(np.array([1.0, 0.0, 5.0])).tolist() == [150.0, 40.0, 5.0]
    assert camera.scaled(2).project(np.array([1.0, 0.0, 5.0])).tolist() == [300.0, 80.0, 5.0]


def test_poses_reach_the_profile_and_not_beyond() -> None:
    rng = np.random.default_rng(0)
    yaw = np.array([sample_pose(PoseRange(wide_share=1.0, max_yaw_deg=90), rng)[1] for _ in range(500)])
    assert np.degrees(np.abs(yaw)).max() == pytest.approx(90, abs=2)
    near = np.array([sample_pose(PoseRange(wide_share=0.0, yaw_deg=60, max_yaw_deg=30), rng)[1] for _ in range(200)])
    assert np.degrees(np.abs(near)).max() <= 30 + 1e-6


def test_the_face_has_its_share_of_the_image_at_any_distance() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        camera = sample_camera(CameraRange(face_share=(0.8, 0.8), shift=0.0), 100, rng)
        top, bottom = camera.project(np.array([[0, 0.65, 0], [0, -1.3, 0]], float))[:, 1]
        assert bottom - top == pytest.approx(80, abs=1e-3)
        assert 6 <= camera.distance_dm <= 25


def test_occlusion_follows_its_shares() -> None:
    shares = OcclusionShares(glasses=0.3, sunglasses=0.2, face_mask=0.25, hand=0.25)
    rng = np.random.default_rng(0)
    scenes = [sample_scene(16, PoseRange(), CameraRange(), shares, rng) for _ in range(400)]
    assert np.mean([scene.glasses == "clear" for scene in scenes]) == pytest.approx(0.3, abs=0.07)
    assert np.mean([scene.glasses == "dark" for scene in scenes]) == pytest.approx(0.2, abs=0.07)
    assert np.mean([scene.face_mask for scene in scenes]) == pytest.approx(0.25, abs=0.07)
    assert np.mean([scene.hand is not None for scene in scenes]) == pytest.approx(0.25, abs=0.07)
    assert not any(scene.face_mask and scene.hand for scene in scenes)
    assert {"", "clear glasses", "mask", "hand", "dark glasses+mask"} <= {scene.occlusion for scene in scenes}


def test_backgrounds_are_linear_colours_of_the_image_size() -> None:
    scene = sample_scene(24, PoseRange(), CameraRange(), OcclusionShares(), np.random.default_rng(2))
    assert scene.background.shape == (24, 24, 3)
    assert scene.background.dtype == np.float32
    assert 0 <= scene.background.min() <= scene.background.max() <= 1
    assert np.allclose([np.linalg.norm(scene.lights.key), np.linalg.norm(scene.lights.fill)], 1, atol=1e-5)

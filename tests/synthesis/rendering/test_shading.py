# SPDX-License-Identifier: Apache-2.0
"""Light falls from where it comes, and eyes have whites, iris and pupil."""

from dataclasses import replace

import numpy as np
import pytest

from mien.synthesis import CameraRange, HeadBasis, OcclusionShares, PoseRange, sample_person
from mien.synthesis.rendering.renderer import HeadRenderer
from mien.synthesis.rendering.scene import Scene, sample_scene
from mien.synthesis.rendering.shading import Lights

pytestmark = pytest.mark.usefixtures("renderer_installed")


def lit_from(x: float) -> Scene:
    none = OcclusionShares(glasses=0, sunglasses=0, face_mask=0, hand=0)
    frontal = PoseRange(yaw_deg=0, pitch_deg=0, roll_deg=0, wide_share=0)
    scene = sample_scene(96, frontal, CameraRange(face_share=(0.8, 0.8), shift=0), none, np.random.default_rng(0))
    direction = np.array([x, 0.1, 0.6])
    dark = np.full(3, 0.05, np.float32)
    lights = Lights(
        key=(direction / np.linalg.norm(direction)).astype(np.float32),
        key_rgb=np.ones(3, np.float32),
        fill=np.array([0, 0, 1], np.float32),
        fill_rgb=dark,
        sky_rgb=dark,
        ground_rgb=dark,
        softness=1.0,
    )
    return replace(scene, lights=lights)


def test_the_lit_side_is_bright_and_the_other_in_shadow(basis: HeadBasis) -> None:
    renderer = HeadRenderer(basis, sample_person(basis, 3, np.random.default_rng(3)), oversampling=1)
    for x in (-0.8, 0.8):
        rendering = renderer.render({}, lit_from(x))
        cheeks = [
            rendering.image[int(y), int(u)].mean() for u, y in rendering.truth.landmarks[[31, 35]] + [[-12, 0], [12, 0]]
        ]
        assert np.sign(cheeks[1] - cheeks[0]) == np.sign(x)
        assert max(cheeks) > 1.5 * min(cheeks)


def test_eyes_have_dark_pupils_and_light_whites(basis: HeadBasis) -> None:
    renderer = HeadRenderer(basis, sample_person(basis, 6, np.random.default_rng(6)), oversampling=3)
    rendering = renderer.render({"eyeWideLeft": 1.0, "eyeWideRight": 1.0}, lit_from(0.1))
    eye = rendering.truth.landmarks[42:48]
    x0, y0 = np.floor(eye.min(0)).astype(int)
    x1, y1 = np.ceil(eye.max(0)).astype(int)
    patch = rendering.image[y0:y1, x0:x1].mean(2)
    centre = patch[patch.shape[0] // 2 - 1 : patch.shape[0] // 2 + 2, patch.shape[1] // 2 - 1 : patch.shape[1] // 2 + 2]
    assert centre.min() < 0.5 * patch.max()

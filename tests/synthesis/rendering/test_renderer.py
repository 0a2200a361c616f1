# SPDX-License-Identifier: Apache-2.0
"""Rendered heads: landmarks lie on the face, actions and occlusion show, neutral lips are closed."""

from dataclasses import replace

import numpy as np
import pytest

from mien.synthesis import CameraRange, HeadBasis, OcclusionShares, PoseRange, UnitVector, sample_person
from mien.synthesis.rendering.renderer import HeadRenderer, noise_textures
from mien.synthesis.rendering.scene import Hand, Scene, sample_scene

pytestmark = pytest.mark.usefixtures("renderer_installed")

NONE = OcclusionShares(glasses=0, sunglasses=0, face_mask=0, hand=0)


def scene(size: int = 96, seed: int = 0) -> Scene:
    frontal = PoseRange(yaw_deg=0, pitch_deg=0, roll_deg=0, wide_share=0)
    return sample_scene(size, frontal, CameraRange(face_share=(0.7, 0.7), shift=0), NONE, np.random.default_rng(seed))


def renderer(basis: HeadBasis, number: int = 0) -> HeadRenderer:
    return HeadRenderer(basis, sample_person(basis, number, np.random.default_rng([5, number])), oversampling=1)


def test_the_same_face_has_the_same_bytes(basis: HeadBasis) -> None:
    first, second = (renderer(basis).render({"mouthSmileLeft": 0.5}, scene()).image for _ in range(2))
    assert (first == second).all()
    assert first.shape == (96, 96, 3)
    assert np.isfinite(first).all()
    assert first.min() >= 0


def test_the_face_covers_its_box_and_the_background_the_rest(basis: HeadBasis) -> None:
    bright = replace(scene(), background=np.full((96, 96, 3), 7.0, np.float32))
    rendering = renderer(basis).render({}, bright)
    covered = (rendering.image < 6.9).all(2)
    x0, y0, x1, y1 = rendering.truth.box.astype(int)
    assert covered[(y0 + y1) // 2, x0 + 3 : x1 - 3].all()
    assert not covered[0, 0]
    assert rendering.truth.visible[17:].all()
    for x, y in rendering.truth.landmarks[17:].astype(int):
        assert covered[y, x]


def test_an_action_changes_its_part_of_the_image(basis: HeadBasis) -> None:
    person, view = renderer(basis, 2), scene()
    still = person.render({}, view)
    brows = np.abs(person.render(UnitVector({"AU04": 1.0}).actions(), view).image - still.image).sum(2)
    jaw = np.abs(person.render(UnitVector({"AU26": 1.0}).actions(), view).image - still.image).sum(2)
    middle = int(still.truth.landmarks[30, 1])
    assert brows[:middle].sum() > 10 * brows[middle:].sum()
    assert jaw[middle:].sum() > 3 * jaw[:middle].sum()


def test_every_neutral_mouth_is_closed(basis: HeadBasis) -> None:
    gaps = [renderer(basis, number).neutral_openings.mouth_gap for number in range(30)]
    assert max(gaps) < 0.03


def test_occlusion_hides_landmarks(basis: HeadBasis) -> None:
    person, view = renderer(basis, 3), scene()
    masked = person.render({}, replace(view, face_mask=True)).truth
    assert not masked.visible[48:68].any()
    assert masked.visible[36:48].all()
    dark = person.render({}, replace(view, glasses="dark")).truth
    assert not dark.visible[[37, 38, 43, 44]].any()
    assert dark.visible[48:60].all()
    handed = person.render({}, replace(view, hand=Hand((0.0, -0.75, 0.95), 0.3, False))).truth
    assert handed.visible[48:68].sum() < 10


def test_a_profile_hides_the_far_eye(basis: HeadBasis) -> None:
    turned = replace(scene(), pose_rad=(0.0, float(np.radians(80)), 0.0))
    visible = renderer(basis, 4).render({}, turned).truth.visible
    assert not visible[[42, 45]].all()  # the nose points to the image's right, so the person's left eye is far
    assert visible[[36, 37, 41]].all()


def test_noise_is_standardized() -> None:
    noise = noise_textures()
    assert noise.shape == (4, 256, 256)
    assert np.allclose(noise.mean((1, 2)), 0, atol=1e-4)
    assert np.allclose(noise.std((1, 2)), 1, atol=1e-3)

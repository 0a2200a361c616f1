# SPDX-License-Identifier: Apache-2.0
"""Hair, beard and accessories lie where they should on the head."""

import numpy as np
import pytest

from mien.synthesis import HeadBasis
from mien.synthesis.rendering import parts
from mien.synthesis.rendering.rasterizer import vertex_normals
from mien.synthesis.rendering.truth import eyeballs


def test_hair_covers_the_crown_and_not_the_face(basis: HeadBasis) -> None:
    opacity = parts.scalp_opacity(basis, 8.0, nape=False, fringe_dm=9.0)
    x, y, z = basis.mean.T
    skin = basis.vertices_of("skin")
    assert opacity[skin][y[skin] > 8.35].min() > 0.9
    assert opacity[(y < 7.7) & (z > 1.0)].max() == 0
    assert opacity[(np.abs(x) > 0.7) & (y < 7.4)].max() == 0
    fringe = parts.scalp_opacity(basis, 8.0, nape=False, fringe_dm=7.6)
    forehead = skin[(y[skin] > 7.75) & (y[skin] < 7.85) & (z[skin] > 1.2)]
    assert fringe[forehead].mean() > opacity[forehead].mean() + 0.5


def test_beards_leave_lips_and_nose_free(basis: HeadBasis) -> None:
    full = parts.beard_opacity(basis, chin=True, moustache=True, sides=True)
    moustache = parts.beard_opacity(basis, chin=False, moustache=True, sides=False)
    assert full[basis.masks["lips"] > 120].max() == 0
    assert full[(basis.mean[:, 1] > 7.05)].max() == 0
    assert 0 < (moustache > 0.3).sum() < (full > 0.3).sum()


@pytest.mark.usefixtures("renderer_installed")
def test_shells_stand_off_the_skin(basis: HeadBasis) -> None:
    normals = vertex_normals(basis.mean, basis.triangles)
    opacity = parts.scalp_opacity(basis, 8.0, nape=False, fringe_dm=9.0)
    layers = parts.shells(basis, basis.mean, normals, opacity, 0.1)
    height = [np.linalg.norm(layer.position - layer.rest, axis=1).max() for layer in layers]
    assert height == sorted(height)
    assert 0.08 < height[-1] < 0.16
    assert all(layer.opacity.max() <= 1 for layer in layers)


@pytest.mark.usefixtures("renderer_installed")
def test_long_hair_falls_to_its_length_and_leaves_the_face_open(basis: HeadBasis) -> None:
    middle = basis.mean - np.array([0, 7.28, 1.245], np.float32)
    hair = parts.long_hair(middle, basis, 1.5, 1.3, 0.1)
    assert hair.position[:, 1].min() == pytest.approx(-1.5, abs=0.01)
    in_front = (np.abs(hair.position[:, 0]) < 0.4) & (hair.position[:, 2] > 0)
    assert not in_front.any()


@pytest.mark.usefixtures("renderer_installed")
def test_glasses_sit_before_the_eyes(basis: HeadBasis) -> None:
    left, right = eyeballs(basis)
    eyes = np.stack([basis.mean[left].mean(0), basis.mean[right].mean(0)])
    ears = np.array([[0.76, 7.36, 0.3], [-0.76, 7.36, 0.3]], np.float32)
    frame, lenses = parts.glasses(eyes, ears, width_dm=0.25, height_dm=0.18, rim_dm=0.02, dark=True)
    assert lenses.position[:, 2].min() > basis.mean[left][:, 2].max()
    assert frame.position[:, 2].min() < 0.4  # the arms reach the ears
    assert np.allclose(lenses.position[:, 0].mean(), 0, atol=1e-3)
    assert len(parts.glasses(eyes, ears, width_dm=0.25, height_dm=0.18, rim_dm=0.02, dark=False)) == 1


@pytest.mark.usefixtures("renderer_installed")
def test_a_mask_hides_the_lips(basis: HeadBasis) -> None:
    mask = parts.face_mask(basis, basis.mean)
    lips = basis.mean[basis.masks["lips"] > 120]
    for lip in lips[np.abs(lips[:, 0]) < 0.2]:
        over = np.linalg.norm(mask.position[:, :2] - lip[:2], axis=1) < 0.12
        assert mask.position[over, 2].max() > lip[2]


@pytest.mark.usefixtures("renderer_installed")
def test_a_right_hand_is_the_mirrored_left_one(basis: HeadBasis) -> None:
    place = np.array([0.0, -0.5, 1.0], np.float32)
    left, right = (parts.hand(basis, np.eye(3), place, mirrored=mirrored) for mirrored in (False, True))
    assert np.allclose(left.position * (-1, 1, 1), right.position, atol=1e-5)
    assert np.allclose(left.normal * (-1, 1, 1), right.normal, atol=1e-4)

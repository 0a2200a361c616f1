# SPDX-License-Identifier: Apache-2.0
"""Stick figures: exact joints within the picture, variety, and no dependence on the number drawn."""

import numpy as np

from mien.core import BODY_JOINTS, LIMB_ENDS
from mien.synthesis import stick_figures


def test_figures_depend_on_seed_and_number_alone() -> None:
    many, few = stick_figures(5, seed=(3, 1)), stick_figures(2, seed=(3, 1))
    np.testing.assert_array_equal(many.images[:2], few.images)
    np.testing.assert_array_equal(many.joints[:2], few.joints)
    assert (stick_figures(2, seed=(3, 2)).joints != few.joints).any()
    assert (many.images.shape, many.images.dtype, len(many)) == ((5, 96, 96), np.uint8, 5)


def test_joints_are_in_the_picture_and_of_plausible_lengths() -> None:
    figures = stick_figures(60, seed=(1,), size_px=80)
    assert figures.joints.min() > -0.5
    assert figures.joints.max() < 79.5
    ends = figures.joints[:, np.array(LIMB_ENDS)]
    lengths = np.linalg.norm(ends[:, :, 0] - ends[:, :, 1], axis=2)
    assert lengths.min() > 3
    sides = [BODY_JOINTS.index(name) for name in ("left_shoulder", "right_shoulder")]
    left, right = figures.joints[:, sides].swapaxes(0, 1)
    assert (left[:, 0] < right[:, 0]).all()  # sides are the image's


def test_limbs_are_drawn_where_the_joints_say() -> None:
    """Pixels on the middle of the torso differ from those beside the figure more often than not."""
    figures = stick_figures(80, seed=(2,))
    neck, pelvis = (BODY_JOINTS.index(name) for name in ("neck", "pelvis"))
    seen = []
    for image, joints in zip(figures.images, figures.joints, strict=True):
        middle = (joints[neck] + joints[pelvis]) / 2
        across = np.array([-1, 1]) * (joints[pelvis] - joints[neck])[::-1] * 0.28
        on, left, right = (
            float(image[tuple(np.clip(np.rint(place[::-1]), 0, 95).astype(int))])
            for place in (middle, middle - across, middle + across)
        )
        seen.append(min(abs(on - left), abs(on - right)) > 15)
    assert np.mean(seen) > 0.6
    assert len({image.tobytes() for image in figures.images}) == 80

# SPDX-License-Identifier: Apache-2.0
"""Augmentation of training crops."""

import cv2
import numpy as np
import pytest

from mien.datasets import FERPLUS_TEMPLATE
from mien.faces import align_faces, resize_face
from mien.training.data.batch_loader import CropSampler, ferplus_style_copy, mix_rectangle
from mien.training.recipes.settings import AugmentationSettings

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 255, (20, 30), dtype=np.uint8)


def test_without_augmentation_a_crop_is_the_runtimes() -> None:
    sampler = CropSampler(AugmentationSettings(), FERPLUS_TEMPLATE, 16, np.random.default_rng(0))
    np.testing.assert_array_equal(sampler(GRAY, np.full((5, 2), np.nan)), resize_face(GRAY, 16))


def test_crops_without_jitter_are_the_runtimes() -> None:
    """What the sampler draws around is the runtime's crop: the mean of many draws resembles it."""
    picture = cv2.GaussianBlur(RNG.integers(0, 255, (96, 96), dtype=np.uint8), (0, 0), 6)
    picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX)
    points = np.array(FERPLUS_TEMPLATE) * 96 - 0.5
    settings = AugmentationSettings(aligned=0.5, flip=0.5, rotation_deg=6, zoom=0.15, shift=0.06, occlusion=0.15)
    sampler = CropSampler(settings, FERPLUS_TEMPLATE, 48, RNG)
    mean = np.mean([sampler(picture, points) for _ in range(400)], axis=0)
    crop = align_faces(picture, points[None], FERPLUS_TEMPLATE, 48)[0].astype(float)
    symmetric = (crop + crop[:, ::-1]) / 2  # half of the draws are mirrored
    assert np.corrcoef(mean[8:-8, 8:-8].ravel(), symmetric[8:-8, 8:-8].ravel())[0, 1] > 0.8


@pytest.mark.parametrize("channels", [(), (3,)], ids=["gray", "colour"])
def test_every_kind_of_augmentation_keeps_size_and_source(channels: tuple[int, ...]) -> None:
    picture = RNG.integers(0, 255, (60, 50, *channels), dtype=np.uint8)
    picture.flags.writeable = False  # as from the cache
    names = list(AugmentationSettings.__dataclass_fields__)
    for name in names:
        settings = AugmentationSettings(**{name: 1.0 if name not in ("zoom", "hue", "brightness", "shift") else 0.2})
        sampler = CropSampler(settings, FERPLUS_TEMPLATE, 32, np.random.default_rng(1))
        crop = sampler(picture, np.array(FERPLUS_TEMPLATE) * (50, 60))
        assert crop.shape == (32, 32, *channels)
        assert crop.dtype == np.uint8
    strong = AugmentationSettings(**dict.fromkeys(names, 0.5))
    one, two = (CropSampler(strong, FERPLUS_TEMPLATE, 32, np.random.default_rng(5)) for _ in range(2))
    points = np.full((5, 2), np.nan)
    np.testing.assert_array_equal(one(picture, points), two(picture, points))


def test_gray_copies_keep_their_channels() -> None:
    colour = RNG.integers(0, 255, (96, 60, 3), dtype=np.uint8)
    copy = ferplus_style_copy(colour)
    assert copy.shape == (48, 30, 3)
    assert (copy[..., 0] == copy[..., 2]).all()
    assert ferplus_style_copy(GRAY) is GRAY


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_pasted_rectangle_has_its_share(share: float) -> None:
    rows, columns = mix_rectangle(50, share, np.random.default_rng(0))
    area = (rows.stop - rows.start) * (columns.stop - columns.start) / 2500
    assert area == pytest.approx(share, abs=0.03)
    assert 0 <= rows.start <= rows.stop <= 50

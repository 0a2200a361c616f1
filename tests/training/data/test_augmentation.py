# SPDX-License-Identifier: Apache-2.0
"""Augmentation of training crops."""

import cv2
import numpy as np
import pytest

from mien.core import ConfigError
from mien.datasets import FERPLUS_TEMPLATE
from mien.faces import align_faces, resize_face
from mien.training.data.augmentation import (
    CropSampler,
    jitter_colours,
    mix_rectangle,
    occlude,
    relight,
    resized,
    whole_picture_matrix,
)
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
    names = [name for name in AugmentationSettings.__dataclass_fields__ if name not in ("colour_jitter", "crop_area")]
    for name in names:
        settings = AugmentationSettings(**{name: 1.0 if name not in ("zoom", "hue", "brightness", "shift") else 0.2})
        sampler = CropSampler(settings, FERPLUS_TEMPLATE, 32, np.random.default_rng(1))
        crop = sampler(picture, np.array(FERPLUS_TEMPLATE) * (50, 60))
        assert crop.shape == (32, 32, *channels)
        assert crop.dtype == np.uint8
    strong = AugmentationSettings(**dict.fromkeys(names, 0.5), colour_jitter=(0.3, 0.3, 0.3, 0.1))
    one, two = (CropSampler(strong, FERPLUS_TEMPLATE, 32, np.random.default_rng(5)) for _ in range(2))
    points = np.full((5, 2), np.nan)
    np.testing.assert_array_equal(one(picture, points), two(picture, points))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_pasted_rectangle_has_its_share(share: float) -> None:
    rows, columns = mix_rectangle(50, share, np.random.default_rng(0))
    area = (rows.stop - rows.start) * (columns.stop - columns.start) / 2500
    assert area == pytest.approx(share, abs=0.03)
    assert 0 <= rows.start <= rows.stop <= 50


def test_a_whole_image_is_centred_in_the_crop() -> None:
    matrix = whole_picture_matrix(np.zeros((100, 50), np.uint8), 50)
    corners = np.array([[0, 0, 1], [49, 99, 1]]) @ matrix.T
    np.testing.assert_allclose(corners.mean(axis=0), [24.5, 24.5], atol=0.3)
    assert np.ptp(corners[:, 1]) == pytest.approx(49.5, abs=1)


def test_an_image_is_reduced_by_the_mean_of_the_covered_pixels() -> None:
    picture = np.array([[0, 100, 50, 50], [100, 200, 50, 50]], np.uint8)
    np.testing.assert_array_equal(resized(picture, 0.5), [[100, 50]])


def test_occlusion_hides_a_part_in_place() -> None:
    changed = []
    for seed in range(20):
        crop = np.full((64, 64), 255, np.uint8)
        crop[::2] = 0
        before = crop.copy()
        occlude(crop, np.random.default_rng(seed))
        changed.append((crop != before).mean())
    assert 0.01 < np.mean(changed) < 0.5
    assert max(changed) < 0.8


def test_without_settings_light_stays() -> None:
    crop = RNG.integers(0, 255, (16, 16, 3), dtype=np.uint8)
    np.testing.assert_array_equal(relight(crop, AugmentationSettings(), np.random.default_rng(0)), crop)
    brighter = [relight(crop, AugmentationSettings(brightness=0.4), np.random.default_rng(seed)) for seed in range(20)]
    assert np.std([image.mean() for image in brighter]) > 5


@pytest.mark.parametrize("kind", range(3))
def test_colours_are_jittered_as_torchvision_does(kind: int) -> None:
    """Brightness, contrast and saturation mix with black, with the mean grey and with the grey of each pixel."""
    crop = np.random.default_rng(1).integers(60, 180, (24, 24, 3), dtype=np.uint8)
    amounts = [0.0] * 4
    amounts[kind] = 0.3
    luma = crop @ np.array([0.299, 0.587, 0.114])
    base = (np.zeros(()), np.asarray(luma.mean()), luma[..., None])[kind]
    factors = []
    for seed in range(40):
        got = jitter_colours(crop, amounts, np.random.default_rng(seed)).astype(float)
        away = (crop - base).ravel()
        factor = float((got - base).ravel() @ away / (away @ away))
        assert np.abs(got - np.clip(factor * (crop - base) + base, 0, 255)).max() < 2
        factors.append(factor)
    assert 0.69 < min(factors) < 0.76
    assert 1.24 < max(factors) < 1.31


def test_the_hue_turns_by_a_tenth_of_the_circle_at_most() -> None:
    red = np.full((4, 4, 3), (200, 20, 20), np.uint8)
    hues = []
    for seed in range(40):
        turned = jitter_colours(red, (0, 0, 0, 0.1), np.random.default_rng(seed))
        hues.append(int(cv2.cvtColor(turned, cv2.COLOR_RGB2HSV_FULL)[0, 0, 0].astype(np.int8)))
    assert -27 <= min(hues) < -18
    assert 18 < max(hues) <= 27
    with pytest.raises(ConfigError, match="colour_jitter"):
        AugmentationSettings(colour_jitter=(0.3,))

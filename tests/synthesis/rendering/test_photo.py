# SPDX-License-Identifier: Apache-2.0
"""The camera's curve and what degradation does to an image."""

import numpy as np
import pytest

from mien.synthesis import Degradation
from mien.synthesis.rendering.photo import degrade, develop

CLEAN = {"low_resolution_share": 0.0, "blur_share": 0.0, "gray_share": 0.0, "noise": (0.0, 0.0)}
GRATING = np.tile(np.where(np.arange(64) % 2, 0.9, 0.1).astype(np.float32)[:, None], (64, 1))[..., None].repeat(3, 2)
GRATING = GRATING.reshape(64, 64, 3)


def contrast(image: np.ndarray) -> float:  # type: ignore[type-arg]
    return float(np.abs(np.diff(image.astype(float), axis=1)).mean())


def test_the_curve_is_increasing_and_never_clips_hard() -> None:
    light = np.linspace(0, 4, 100, dtype=np.float32)[:, None, None].repeat(3, 2)
    values = develop(light)[:, 0, 0]
    assert (np.diff(values) >= 0).all()
    assert values[0] == 0
    assert 0.4 < values[12] < 0.8


def test_degradation_without_effects_keeps_the_image_but_for_sharpness() -> None:
    flat = np.full((32, 32, 3), 0.5, np.float32)
    image, quality = degrade(flat, Degradation(**CLEAN), np.random.default_rng(0))
    assert image.dtype == np.uint8
    assert image.std() == 0
    assert 60 <= quality <= 95


@pytest.mark.parametrize("option", ["low_resolution_share", "blur_share"])
def test_low_resolution_and_motion_take_detail_away(option: str) -> None:
    sizes = {"low_resolution_px": (16, 20)}
    clean, _ = degrade(GRATING, Degradation(**CLEAN | sizes), np.random.default_rng(1))
    worse, _ = degrade(GRATING, Degradation(**CLEAN | sizes | {option: 1.0}), np.random.default_rng(1))
    assert contrast(worse) < 0.7 * contrast(clean)
    assert worse.shape == clean.shape


def test_gray_images_have_three_equal_channels() -> None:
    colour = np.random.default_rng(0).random((16, 16, 3), dtype=np.float32)
    image, _ = degrade(colour, Degradation(**CLEAN | {"gray_share": 1.0}), np.random.default_rng(0))
    assert (image[..., 0] == image[..., 1]).all()
    assert (image[..., 1] == image[..., 2]).all()


def test_noise_has_its_strength_and_moves_from_frame_to_frame() -> None:
    flat = np.full((64, 64, 3), 0.5, np.float32)
    options = Degradation(**CLEAN | {"noise": (0.05, 0.05)})
    first, second = (degrade(flat, options, np.random.default_rng(0), frame)[0] for frame in (0, 1))
    assert first.std() / 255 == pytest.approx(0.05, abs=0.01)
    assert (first != second).mean() > 0.8

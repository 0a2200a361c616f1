# SPDX-License-Identifier: Apache-2.0
"""Maps find the pixels that a known function reads, and only while the function reads them."""

import cv2
import numpy as np
import pytest

from mien.affect import curve_area, deletion_curve, insertion_curve, occlusion_map, rise_map
from mien.affect.explanation.saliency import blurred, mixed
from mien.core import ConfigError

SIDE = 60
READ = np.s_[10:22, 34:48]


def textured() -> np.ndarray:
    rng = np.random.default_rng(0)
    return cv2.resize(rng.integers(0, 256, (30, 30), np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)


CROP = textured()


def reads_corner(crops: np.ndarray) -> np.ndarray:
    """How much of the detail of one rectangle is left, in [0, 1]."""
    own = crops[(slice(None), *READ)].astype(float).reshape(len(crops), -1)
    truth = CROP[READ].astype(float).ravel()
    error = np.abs(own - truth).mean(axis=1)
    return 1 - error / np.abs(blurred(CROP)[READ].astype(float).ravel() - truth).mean()


def reads_nothing(crops: np.ndarray) -> np.ndarray:
    return np.full(len(crops), 0.5)


@pytest.mark.parametrize("method", [occlusion_map, rise_map])
def test_the_map_is_highest_where_the_function_reads(method: object) -> None:
    found = method(CROP, reads_corner)  # type: ignore[operator]  # one of two functions
    inside = np.zeros((SIDE, SIDE), bool)
    inside[READ] = True
    assert found[inside].mean() > found[~inside].mean() + 0.1
    assert inside[np.unravel_index(cv2.GaussianBlur(found, (0, 0), 3).argmax(), found.shape)]


def test_a_function_that_reads_nothing_has_a_flat_map() -> None:
    assert np.abs(occlusion_map(CROP, reads_nothing)).max() == 0
    assert np.abs(rise_map(CROP, reads_nothing, n_masks=64)).max() < 1e-5


def test_deletion_and_insertion_beat_chance() -> None:
    found = rise_map(CROP, reads_corner, n_masks=400)
    rng = np.random.default_rng(1)
    orders = [rng.random(CROP.shape) for _ in range(6)]
    deleted = np.mean([curve_area(deletion_curve(CROP, order, reads_corner)) for order in orders])
    inserted = np.mean([curve_area(insertion_curve(CROP, order, reads_corner)) for order in orders])
    assert curve_area(deletion_curve(CROP, found, reads_corner)) < deleted - 0.15
    assert curve_area(insertion_curve(CROP, found, reads_corner)) > inserted + 0.15


def test_curves_start_and_end_at_the_crop_and_its_blur() -> None:
    curve = deletion_curve(CROP, np.zeros((SIDE, SIDE)), reads_corner)
    assert curve[0] == pytest.approx(1.0)
    assert curve[-1] == pytest.approx(0.0, abs=1e-6)
    np.testing.assert_allclose(insertion_curve(CROP, np.zeros((SIDE, SIDE)), reads_corner)[[0, -1]], [0, 1], atol=1e-6)


def test_the_same_seed_gives_the_same_map() -> None:
    first, second = (rise_map(CROP, reads_corner, n_masks=80, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_colour_crops_are_mixed_alike() -> None:
    colour = np.repeat(CROP[..., None], 3, axis=2)
    half = np.zeros((1, SIDE, SIDE))
    half[:, :30] = 1
    np.testing.assert_array_equal(mixed(colour, half)[0, ..., 1], mixed(CROP, half)[0])


def test_one_mask_is_too_few() -> None:
    with pytest.raises(ConfigError):
        rise_map(CROP, reads_corner, n_masks=1)

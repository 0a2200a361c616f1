# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from mien.affect.explanation.face_parts import FACE_PARTS, part_masks, part_shares
from mien.affect.explanation.saliency import blurred
from mien.core import ConfigError

SIDE = 80


def face_points() -> np.ndarray:
    """68 landmarks of a schematic frontal face in a crop of 80 px."""
    points = np.full((68, 2), 40.0)
    points[17:22] = np.stack([np.linspace(18, 34, 5), np.full(5, 22)], axis=1)
    points[22:27] = np.stack([np.linspace(46, 62, 5), np.full(5, 22)], axis=1)
    points[27:36] = np.stack([np.linspace(36, 44, 9), np.linspace(32, 48, 9)], axis=1)
    points[36:42] = [[20, 31], [24, 29], [28, 29], [31, 31], [28, 33], [24, 33]]
    points[42:48] = points[36:42] + np.array([29, 0])
    points[48:68] = np.stack([40 + 12 * np.cos(np.linspace(0, 6.28, 20)), 62 + 5 * np.sin(np.linspace(0, 6.28, 20))], 1)
    return points


def test_every_pixel_belongs_to_one_part() -> None:
    masks = part_masks(face_points(), SIDE)
    assert tuple(masks) == FACE_PARTS
    assert (sum(mask.astype(int) for mask in masks.values()) == 1).all()
    for name, (x, y) in {
        "brows": (26, 21),
        "eyes": (25, 31),
        "nose": (40, 42),
        "mouth": (40, 62),
        "rest": (5, 75),
    }.items():
        assert masks[name][y, x], name


def test_a_part_that_the_score_reads_alone_has_all_of_it() -> None:
    rng = np.random.default_rng(0)
    crop = rng.integers(0, 256, (SIDE, SIDE), np.uint8)
    masks = part_masks(face_points(), SIDE)
    base = blurred(crop).astype(float)

    def score(crops: np.ndarray) -> np.ndarray:
        return np.abs(crops.astype(float) - base)[:, masks["mouth"]].mean(axis=1)

    shares = part_shares(crop, masks, score)
    whole, empty = score(crop[None])[0], score(blurred(crop)[None])[0]
    assert sum(shares.values()) == pytest.approx(whole - empty)
    assert shares["mouth"] == pytest.approx(whole - empty)
    assert abs(shares["eyes"]) < 1e-9


def test_two_parts_that_only_work_together_share_evenly() -> None:
    crop = np.tile(np.array([[0, 255], [255, 0]], np.uint8), (40, 40))
    left = np.zeros((80, 80), bool)
    left[:, :40] = True

    def both(crops: np.ndarray) -> np.ndarray:
        return np.minimum(crops[:, 40, 15:25].std(axis=1), crops[:, 40, 55:65].std(axis=1))

    shares = part_shares(crop, {"left": left, "right": ~left}, both)
    assert shares["left"] == pytest.approx(shares["right"])
    assert shares["left"] > 60


def test_unknown_landmarks_are_refused() -> None:
    with pytest.raises(ConfigError, match="68 landmarks"):
        part_masks(np.full((68, 2), np.nan), SIDE)

# SPDX-License-Identifier: Apache-2.0
"""Wrinkles appear where an action puts them, and nowhere without one."""

import numpy as np
import pytest

from mien.synthesis.rendering.skin import FOLDS, fold_depth, smoothstep, texel

pytestmark = pytest.mark.usefixtures("renderer_installed")


def depth(action: str, x: float, height: tuple[float, float], side: int | None = None) -> float:
    """Greatest darkness along a vertical line of the mean head."""
    folds = np.zeros((2, len(FOLDS)), np.float32)
    folds[slice(None) if side is None else side, FOLDS.index(action)] = 1.0
    return max(fold_depth(x, y, 0.0, 0.0, folds, 1.0, 0.0) for y in np.linspace(*height, 60))


@pytest.mark.parametrize(
    ("action", "x", "height"),
    [
        ("browInnerUp", 0.05, (7.6, 8.0)),
        ("browOuterUp", 0.30, (7.6, 8.0)),
        ("browDown", 0.07, (7.40, 7.58)),
        ("noseSneer", 0.085, (7.1, 7.35)),
        ("cheekSquint", 0.58, (7.15, 7.40)),
        ("mouthSmile", 0.35, (6.60, 6.90)),
        ("mouthUpperUp", 0.30, (6.60, 6.95)),
        ("eyeSquint", 0.31, (7.15, 7.25)),
        ("mouthShrugLower", 0.05, (6.40, 6.50)),
        ("mouthDimple", 0.345, (6.55, 6.75)),
    ],
)
def test_each_action_wrinkles_its_place(action: str, x: float, height: tuple[float, float]) -> None:
    assert depth(action, x, height) > 0.1
    # Not the middle of the cheek, which no action wrinkles.
    assert depth(action, 0.62, (6.75, 6.9)) < 0.05


def darkness(x: float, y: float, **actions: float) -> float:
    folds = np.zeros((2, len(FOLDS)), np.float32)
    for name, weight in actions.items():
        folds[:, FOLDS.index(name)] = weight
    return float(fold_depth(x, y, 0.0, 0.0, folds, 1.0, 0.0))


def test_a_raised_cheek_has_crows_feet_a_pouch_and_a_bulge_in_the_light() -> None:
    rays = [darkness(0.40 + 0.17 * np.cos(a), 7.27 + 0.17 * np.sin(a), cheekSquint=1.0) for a in (-0.4, -0.2, 0, 0.2)]
    assert min(rays[0], rays[2]) > 0.3 > 0.05 > max(rays[1], rays[3])  # lines and the skin between them
    assert darkness(0.31, 7.135, cheekSquint=1.0) > 0.4
    assert darkness(0.42, 6.96, cheekSquint=1.0) < -0.1
    # A tight lid wrinkles the lid alone.
    assert darkness(0.31, 7.185, eyeSquint=1.0) > 0.35
    assert all(abs(darkness(x, y, eyeSquint=1.0)) < 0.01 for x, y in ((0.55, 7.27), (0.42, 6.96)))


def test_lips_that_are_narrowed_and_rolled_in_have_lines_about_them() -> None:
    tight = {"mouthPucker": 0.55, "mouthRollUpper": 0.6}
    assert darkness(0.0, 6.525, **tight) > 0.3
    assert darkness(0.0, 6.775, **tight) > 0.1
    for alone in tight:  # neither a pucker nor lips that are pressed
        assert darkness(0.0, 6.525, **{alone: 1.0}) == 0.0


def test_a_dimple_is_a_bracket_beyond_the_corner_of_the_mouth() -> None:
    corner, bracket, bulge = (darkness(x, 6.65, mouthDimple=1.0) for x in (0.22, 0.345, 0.41))
    assert bracket > 0.5
    assert bulge < -0.1
    assert abs(corner) < 0.1


def test_without_action_the_skin_is_smooth() -> None:
    none = np.zeros((2, len(FOLDS)), np.float32)
    values = [fold_depth(x, y, 0.5, 0.5, none, 1.0, 0.0) for x in (-0.4, 0.07, 0.5) for y in np.linspace(6.2, 8.0, 80)]
    assert max(values) == 0.0
    assert fold_depth(0.07, 7.49, 0.0, 0.0, none, 1.0, 1.0) > 0.05  # lines of age


def test_a_side_wrinkles_alone() -> None:
    assert depth("mouthDimple", 0.345, (6.55, 6.75), side=0) > 0.1  # row 0 is the person's left, x > 0
    assert depth("mouthDimple", -0.345, (6.55, 6.75), side=0) == 0.0


def test_textures_repeat_and_steps_are_smooth() -> None:
    image = np.arange(16, dtype=np.float32).reshape(4, 4)
    assert texel(image, 1.0, 2.0) == 9.0
    assert texel(image, 1.5, 2.0) == 9.5
    assert texel(image, 5.0, -2.0) == texel(image, 1.0, 2.0)
    assert [smoothstep(x, 0.0, 1.0) for x in (-1.0, 0.5, 2.0)] == [0.0, 0.5, 1.0]

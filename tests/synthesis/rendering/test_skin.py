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
        ("mouthDimple", 0.40, (6.55, 6.75)),
    ],
)
def test_each_action_wrinkles_its_place(action: str, x: float, height: tuple[float, float]) -> None:
    assert depth(action, x, height) > 0.1
    # Not the middle of the cheek, which no action wrinkles.
    assert depth(action, 0.62, (6.75, 6.9)) < 0.05


def test_without_action_the_skin_is_smooth() -> None:
    none = np.zeros((2, len(FOLDS)), np.float32)
    values = [fold_depth(x, y, 0.5, 0.5, none, 1.0, 0.0) for x in (-0.4, 0.07, 0.5) for y in np.linspace(6.2, 8.0, 80)]
    assert max(values) == 0.0
    assert fold_depth(0.07, 7.49, 0.0, 0.0, none, 1.0, 1.0) > 0.05  # lines of age


def test_a_side_wrinkles_alone() -> None:
    assert depth("mouthDimple", 0.40, (6.55, 6.75), side=0) > 0.1  # row 0 is the person's left, x > 0
    assert depth("mouthDimple", -0.40, (6.55, 6.75), side=0) == 0.0


def test_textures_repeat_and_steps_are_smooth() -> None:
    image = np.arange(16, dtype=np.float32).reshape(4, 4)
    assert texel(image, 1.0, 2.0) == 9.0
    assert texel(image, 1.5, 2.0) == 9.5
    assert texel(image, 5.0, -2.0) == texel(image, 1.0, 2.0)
    assert [smoothstep(x, 0.0, 1.0) for x in (-1.0, 0.5, 2.0)] == [0.0, 0.5, 1.0]

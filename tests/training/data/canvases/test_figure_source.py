# SPDX-License-Identifier: Apache-2.0
"""Figures as training rows: splits, limb centres, and crops that show the published part of the picture."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.core import BODY_JOINTS, BODY_LIMBS, ConfigError
from mien.training import load_recipe, load_source
from mien.training.data.batch_loader import BatchLoader, clean_inputs, clean_targets
from mien.training.recipes.settings import AugmentationSettings, SourceSettings

RECIPE = load_recipe("joint-windows")


def figures(split: str, seed: int = 1, rows: int = 4) -> np.ndarray:
    source = SourceSettings(name="stick-figures", split=split, rows=rows)  # type: ignore[arg-type]
    return np.asarray(load_source(source, Path(), replace(RECIPE, seed=seed)).targets["joints"])


def test_training_figures_follow_the_seed_and_held_out_ones_do_not() -> None:
    assert (figures("train", 1) != figures("train", 2)).any()
    np.testing.assert_array_equal(figures("test", 1), figures("test", 2))
    assert (figures("test") != figures("valid")).any()
    with pytest.raises(ConfigError, match="needs rows"):
        figures("train", rows=0)


def test_crops_show_112_of_128_and_targets_follow() -> None:
    recipe = replace(RECIPE, model=replace(RECIPE.model, input_px=84), augmentation=AugmentationSettings())
    samples = load_source(SourceSettings(name="stick-figures", rows=3), Path(), recipe)
    crops = clean_inputs(samples, recipe, np.arange(3))
    np.testing.assert_array_equal(crops[0, ..., 0], np.asarray(samples.inputs[0])[6:90, 6:90])
    placed = clean_targets(samples, recipe, dict(samples.targets))
    whole = samples.targets["joints"] * 96
    np.testing.assert_allclose(placed["joints"] * 84, whole - 6, atol=1e-3)
    limbs = placed["body_parts"].reshape(3, -1, 2)
    joints = placed["joints"].reshape(3, -1, 2)
    for number, (first, last) in enumerate(BODY_LIMBS.values()):
        middle = joints[:, [BODY_JOINTS.index(first), BODY_JOINTS.index(last)]].mean(axis=1)
        np.testing.assert_allclose(limbs[:, number], middle, atol=1e-5)


def test_a_mirrored_figure_changes_its_sides() -> None:
    still = replace(RECIPE, augmentation=AugmentationSettings())
    mirrored = replace(RECIPE, augmentation=AugmentationSettings(flip=1.0))
    samples = load_source(SourceSettings(name="stick-figures", rows=2), Path(), still)
    batches = [
        BatchLoader(samples, dict(samples.targets), recipe, 0).batch(0, 0, np.arange(2)) for recipe in (still, mirrored)
    ]
    first, second = (batch.targets["joints"].reshape(2, -1, 2).numpy() for batch in batches)
    left, right = BODY_JOINTS.index("left_wrist"), BODY_JOINTS.index("right_wrist")
    np.testing.assert_allclose(second[:, left, 0], 1 - first[:, right, 0], atol=1e-5)
    np.testing.assert_allclose(second[:, left, 1], first[:, right, 1], atol=1e-5)
    parts = [batch.targets["body_parts"].reshape(2, -1, 2).numpy() for batch in batches]
    names = list(BODY_LIMBS)
    one, other = names.index("left_lower_arm"), names.index("right_lower_arm")
    np.testing.assert_allclose(parts[1][:, one, 0], 1 - parts[0][:, other, 0], atol=1e-5)

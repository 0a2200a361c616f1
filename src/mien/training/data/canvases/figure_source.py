# SPDX-License-Identifier: Apache-2.0
"""The source of drawn bodies with known joints and limbs; nothing is read from a disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien.core import BODY_JOINTS, BODY_LIMBS, LIMB_ENDS, ConfigError, point_columns
from mien.synthesis import stick_figures
from mien.training.data.source_records import SourceRecord
from mien.training.data.training_images import TrainingImages
from mien.training.data.training_set import TrainingSet
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.settings import SourceSettings

_SPLITS = {"train": 1, "valid": 2, "test": 3}

# As published, crops show 112 of 128 px: the middle of the picture by five marks, corners and centre.
_SHOWN = 112 / 128
_EDGE = (1 - _SHOWN) / 2
_MARKS = np.array([[0, 0], [1, 0], [0.5, 0.5], [0, 1], [1, 1]], np.float32) * np.float32(_SHOWN) + np.float32(_EDGE)

_RECORD = SourceRecord(
    title="drawn bodies (mien.synthesis)",
    role="exact joints and limbs",
    licence="drawn by mien, no restriction",
    terms="licence",
)


def load_stick_figures(source: SourceSettings, folder: Path, recipe: Recipe) -> TrainingSet:
    """``rows`` bodies of a split with the tasks joints and body_parts (centres of limbs).

    Bodies of ``"train"`` depend on the recipe's seed, those of ``"valid"`` and ``"test"`` are always the same.

    Raises:
        ConfigError: The source has no rows.
    """
    del folder
    n = source.rows
    if n < 1:
        raise ConfigError("the source stick-figures needs rows, the number of bodies to draw")
    seed = (_SPLITS[source.split], recipe.seed if source.split == "train" else 0)
    bodies = stick_figures(n, seed=seed)
    joints = (bodies.joints + 0.5) / bodies.images.shape[1]
    centres = joints[:, np.array(LIMB_ENDS)].mean(axis=2)
    names = tuple(f"{source.split} body {number}" for number in range(n))
    return TrainingSet(
        groups=names,
        inputs=TrainingImages.of(names, list(bodies.images), "gray"),
        targets={
            "joints": np.asarray(joints, np.float32).reshape(n, -1),
            "body_parts": np.asarray(centres, np.float32).reshape(n, -1),
        },
        labels={"joints": point_columns(BODY_JOINTS), "body_parts": point_columns(tuple(BODY_LIMBS))},
        keypoints=np.tile(_MARKS, (n, 1, 1)),
        primary=np.ones(n, dtype=bool),
        records=(_RECORD,),
    )

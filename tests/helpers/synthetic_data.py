# SPDX-License-Identifier: Apache-2.0
"""Made-up faces and recipes cut short, for tests that train."""

import dataclasses

import cv2
import numpy as np

from mien.core import ACTION_UNITS_12, DIMENSIONS, EXPRESSION_ORDERS, INTENSITY_LABELS
from mien.datasets import AU_RULES, FERPLUS_TEMPLATE
from mien.training.data.training_images import Pictures
from mien.training.data.training_set import TrainingSet
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.settings import (
    DataSettings,
    HeadSettings,
    LossSettings,
    ModelSettings,
    SourceSettings,
    StageSettings,
)

UNITS = tuple(AU_RULES)


def create_recipe(**changes: object) -> Recipe:
    """A light net of three heads and one stage of one epoch; any field may be another."""
    fields: dict[str, object] = {
        "name": "made-up",
        "data": DataSettings(sources=(SourceSettings(name="open-faces"),)),
        "model": ModelSettings(backbone="mobilenetv3_small_050", input_px=32),
        "heads": {
            "expression": HeadSettings(),
            "valence_arousal": HeadSettings(kind="bounded"),
            "action_units": HeadSettings(),
        },
        "losses": {
            "expression": LossSettings(name="soft_cross_entropy"),
            "valence_arousal": LossSettings(name="ccc"),
            "action_units": LossSettings(name="bce"),
        },
        "stages": (StageSettings(epochs=1, peak_lr=1e-3, batch=8),),
    }
    return Recipe(**(fields | changes))  # type: ignore[arg-type]  # the fields are as typed as the recipe's


def create_vector_recipe(**changes: object) -> Recipe:
    """The same for vectors of 12 numbers."""
    return create_recipe(**({"model": ModelSettings(backbone="", n_inputs=12)} | changes))


def shortened(recipe: Recipe, size_px: int = 32, epochs: int = 1) -> Recipe:
    """The recipe with every stage cut to two steps an epoch of tiny crops."""
    model = recipe.model
    if model.backbone:
        model = dataclasses.replace(model, input_px=size_px)
    stages = [
        dataclasses.replace(
            stage,
            epochs=epochs,
            size_px=0,
            teacher_px=0,
            batch=8,
            auxiliary_rows=min(stage.auxiliary_rows, 4),
            labelled_auxiliary_rows=0,
        )
        for stage in recipe.stages
    ]
    return dataclasses.replace(recipe, model=model, stages=tuple(stages))


def create_samples(n: int, recipe: Recipe, seed: int = 0) -> TrainingSet:
    """Noise with labels for the recipe's tasks, a third of each unknown, the last four rows secondary."""
    rng = np.random.default_rng([n, seed])
    labels = {
        "expression": EXPRESSION_ORDERS[recipe.data.expressions],
        "valence_arousal": DIMENSIONS,
        "action_units": ACTION_UNITS_12 if recipe.data.expressions == "affwild2_8" else UNITS,
        **INTENSITY_LABELS,
    }
    expression = rng.dirichlet(np.ones(len(labels["expression"])), n).astype(np.float32)
    expression[::3] = np.nan
    affect = rng.uniform(-1, 1, (n, 2)).astype(np.float32)
    units = rng.integers(0, 2, (n, len(labels["action_units"]))).astype(np.float32)
    units[rng.random(units.shape) < 0.3] = np.nan
    units[::3] = rng.integers(0, 2, units[::3].shape)  # some rows know all of them, as some measures need
    landmarks = np.tile(np.array(FERPLUS_TEMPLATE, np.float32), (n, 1, 1))
    landmarks[::4] = np.nan
    targets = {"expression": expression, "valence_arousal": affect, "action_units": units}
    targets |= {task: rng.random((n, len(names)), dtype=np.float32) for task, names in INTENSITY_LABELS.items()}
    names = [f"face {row}" for row in range(n)]
    return TrainingSet(
        groups=tuple(names),
        inputs=_inputs(n, recipe, names, rng),
        targets={task: targets[task] for task in recipe.tasks},
        labels={task: labels[task] for task in recipe.tasks},
        keypoints=landmarks,
        primary=np.arange(n) < n - 4,
    )


def _inputs(n: int, recipe: Recipe, names: list[str], rng: np.random.Generator) -> object:
    if not recipe.model.backbone:
        return rng.normal(size=(n, recipe.model.n_vector)).astype(np.float32)
    pictures = rng.integers(0, 255, (n, 48, 48, 3), dtype=np.uint8)
    encoded = [cv2.imencode(".png", picture)[1].tobytes() for picture in pictures]
    return Pictures.of(names, encoded, recipe.model.colour)

# SPDX-License-Identifier: Apache-2.0
"""Synthetic faces and shortened recipes, for tests that train."""

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import ACTION_UNIT_SIDES, ACTION_UNITS_12, DIMENSIONS, EXPRESSION_ORDERS, INTENSITY_LABELS
from mien.datasets import AU_RULES, FERPLUS_TEMPLATE, LandmarkFaces
from mien.inference import list_bundles
from mien.training.data.canvases.face_targets import FACE_COLUMNS, FacePatch, face_row
from mien.training.data.canvases.figure_source import load_stick_figures
from mien.training.data.open_sources import landmark_set
from mien.training.data.training_images import TrainingImages
from mien.training.data.training_set import TrainingSet
from mien.training.models.start_files import TRUNK_FILES
from mien.training.recipes.method_settings import AdversarialSettings, MaskedAutoencodingSettings, MethodSettings
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.schedule_settings import StageSettings
from mien.training.recipes.settings import DataSettings, HeadSettings, LossSettings, ModelSettings, SourceSettings
from mien.training.recipes.target_settings import (
    AuxiliaryRowsSettings,
    TargetSettings,
    TeacherSettings,
    UnknownLabelsSettings,
)

UNITS = tuple(AU_RULES)

# Backbone of hundreds of millions of parameters -> options of a small one of its kind.
_NARROW = {"masked_vit": {"width": 48, "depth": 2, "heads": 2}}


def create_recipe(**changes: object) -> Recipe:
    """A light network of three heads and one stage of one epoch; any field may be another."""
    fields: dict[str, object] = {
        "name": "made-up",
        "data": DataSettings(sources=(SourceSettings(name="open-ferplus"),)),
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
        is_file = model.start in TRUNK_FILES or model.start.endswith(".pt")  # the files are the user's
        start = "scratch" if is_file else model.start
        options = {**model.options, **_NARROW.get(model.backbone, {})}
        model = dataclasses.replace(model, input_px=size_px, start=start, start_heads=(), options=options)
    stages = [
        dataclasses.replace(
            stage,
            epochs=epochs,
            size_px=0,
            batch=8,
            targets=_shortened_targets(stage.targets),
            method=_shortened_method(stage.method),
        )
        for stage in recipe.stages
    ]
    targets = _shortened_targets(recipe.targets)
    return dataclasses.replace(recipe, model=model, stages=tuple(stages), targets=targets)


def _shortened_method(settings: MethodSettings | None) -> MethodSettings | None:
    """The method with narrow networks."""
    if isinstance(settings, AdversarialSettings):
        return dataclasses.replace(settings, channels=4)
    if isinstance(settings, MaskedAutoencodingSettings):
        return dataclasses.replace(settings, width=32, depth=1)
    return settings


def _shortened_targets(chosen: tuple[TargetSettings, ...]) -> tuple[TargetSettings, ...]:
    """Few auxiliary rows, predictions for small crops, no teacher whose file the user has, and one source."""
    kept = []
    for settings in chosen:
        if isinstance(settings, AuxiliaryRowsSettings):
            settings = dataclasses.replace(settings, n=4, n_labelled=0, sources=())
        elif hasattr(settings, "size_px"):
            settings = dataclasses.replace(settings, size_px=0)
        is_teacher = isinstance(settings, TeacherSettings) and settings.path not in list_bundles()
        if not is_teacher and not (isinstance(settings, UnknownLabelsSettings) and settings.sources):
            kept.append(settings)
    return tuple(kept)


def create_samples(n: int, recipe: Recipe, seed: int = 0) -> TrainingSet:
    """Noise with labels for the recipe's tasks, a third of each unknown, the last four rows auxiliary."""
    if "landmarks" in recipe.tasks:
        return create_landmark_samples(n, seed)
    if "faces" in recipe.tasks:
        return create_canvas_samples(n, seed)
    if "joints" in recipe.tasks:
        return load_stick_figures(SourceSettings(name="stick-figures", rows=n), Path(), recipe)
    rng = np.random.default_rng([n, seed])
    labels = {
        "expression": EXPRESSION_ORDERS[recipe.data.expressions],
        "valence_arousal": DIMENSIONS,
        "action_units": ACTION_UNITS_12 if recipe.data.expressions == "affwild2_8" else UNITS,
        "action_unit_intensity": UNITS,
        "action_unit_sides": ACTION_UNIT_SIDES,
        **INTENSITY_LABELS,
        "identity": tuple(f"person {number}" for number in range(5)),
        "emotion": ("joy", "sadness"),
        "sentiment": ("sentiment",),
        "sarcasm": ("sarcasm",),
    }
    expression = rng.dirichlet(np.ones(len(labels["expression"])), n).astype(np.float32)
    expression[::3] = np.nan
    affect = rng.uniform(-1, 1, (n, 2)).astype(np.float32)
    units = rng.integers(0, 2, (n, len(labels["action_units"]))).astype(np.float32)
    units[rng.random(units.shape) < 0.3] = np.nan
    units[::3] = rng.integers(0, 2, units[::3].shape)  # some rows know all of them, as some metrics need
    keypoints = np.tile(np.array(FERPLUS_TEMPLATE, np.float32), (n, 1, 1))
    keypoints[::4] = np.nan
    targets = {"expression": expression, "valence_arousal": affect, "action_units": units}
    targets["action_unit_intensity"] = 5 * rng.random((n, len(UNITS)), dtype=np.float32)
    targets["action_unit_sides"] = 5 * np.random.default_rng(seed).random((n, len(ACTION_UNIT_SIDES)), dtype=np.float32)
    targets |= {task: rng.random((n, len(names)), dtype=np.float32) for task, names in INTENSITY_LABELS.items()}
    targets["identity"] = rng.integers(0, 5, (n, 1)).astype(np.float32)
    for task in ("emotion", "sentiment", "sarcasm"):
        targets[task] = rng.integers(0, 2, (n, len(labels[task]))).astype(np.float32)
        targets[task][::3] = np.nan
    names = [f"face {row}" for row in range(n)]
    return TrainingSet(
        groups=tuple(names),
        inputs=_inputs(n, recipe, names, rng),
        targets={task: targets[task] for task in recipe.tasks},
        labels={task: labels[task] for task in recipe.tasks},
        keypoints=keypoints,
        primary=np.arange(n) < n - 4,
    )


def create_canvas_samples(n: int, seed: int = 0) -> TrainingSet:
    """Canvases of noise of 160 px with a bright square as a face."""
    rng = np.random.default_rng([n, seed])
    canvases = rng.integers(0, 120, (n, 160, 160), dtype=np.uint8)
    faces = np.full((n, 2, FACE_COLUMNS), np.nan, np.float32)
    patch = FacePatch(canvases[0], np.array([40, 30, 90, 90], np.float32), 60 + 20 * face_keypoints())
    for canvas, rows in zip(canvases, faces, strict=True):
        canvas[30:90, 40:90] = 250
        rows[0] = face_row(patch, np.eye(2, 3))
    names = tuple(f"canvas {row}" for row in range(n))
    return TrainingSet(
        groups=names,
        inputs=TrainingImages.of(names, list(canvases), "gray"),
        targets={"faces": faces.reshape(n, -1)},
        labels={"faces": tuple(f"face {column}" for column in range(2 * FACE_COLUMNS))},
        keypoints=np.full((n, 5, 2), np.nan, np.float32),
        primary=np.arange(n) < n - 4,
    )


def face_keypoints() -> npt.NDArray[np.float32]:
    """Five keypoints of a face about (0, 0)."""
    return np.array([[-1, -1], [1, -1], [0, 0], [-0.7, 1], [0.7, 1]], np.float32)


def _inputs(n: int, recipe: Recipe, names: list[str], rng: np.random.Generator) -> Any:
    if not recipe.model.backbone:
        return rng.normal(size=(n, recipe.model.n_vector)).astype(np.float32)
    return TrainingImages.of(names, encoded(rng.integers(0, 255, (n, 48, 48, 3), dtype=np.uint8)), recipe.model.colour)


def encoded(pictures: npt.NDArray[np.uint8]) -> list[bytes]:
    """N pictures as PNG files."""
    return [cv2.imencode(".png", picture)[1].tobytes() for picture in pictures]


def face_landmarks() -> npt.NDArray[np.float64]:
    """(68, 2) fractions: a face of circles and lines that equals its mirror image."""
    t = np.linspace(np.pi, 0, 17)
    jaw = np.stack([0.5 + 0.3 * np.cos(t), 0.5 + 0.35 * np.sin(t)], 1)
    brows = np.stack([np.r_[0.27:0.43:5j, 0.57:0.73:5j], np.full(10, 0.3)], 1)
    bridge = np.stack([np.full(4, 0.5), np.r_[0.4:0.55:4j]], 1)
    nose = np.concatenate([bridge, np.stack([np.r_[0.45:0.55:5j], np.full(5, 0.6)], 1)])
    eye = np.array([[-0.05, 0], [-0.02, -0.02], [0.02, -0.02], [0.05, 0], [0.02, 0.02], [-0.02, 0.02]])
    angles = np.pi - np.arange(12) * np.pi / 6
    outer = np.stack([0.5 + 0.12 * np.cos(angles), 0.72 - 0.05 * np.sin(angles)], 1)
    angles = np.pi - np.arange(8) * np.pi / 4
    inner = np.stack([0.5 + 0.09 * np.cos(angles), 0.72 - 0.02 * np.sin(angles)], 1)
    return np.concatenate([jaw, brows, nose, eye + np.array([0.35, 0.4]), eye + np.array([0.65, 0.4]), outer, inner])


def create_landmark_faces(n: int, seed: int = 0) -> LandmarkFaces:
    """N different gray pictures of 80 px with the same landmarks."""
    rng = np.random.default_rng(seed)
    return LandmarkFaces(
        names=tuple(f"{row}" for row in range(n)),
        images=tuple(encoded(rng.integers(0, 255, (n, 80, 80), dtype=np.uint8))),
        source=np.full(n, "made-up"),
        landmarks=np.repeat(face_landmarks()[None], n, axis=0).astype(np.float32),
        pose_rad=rng.normal(0, 0.2, (n, 3)).astype(np.float32),
        eyes_open=rng.uniform(0, 1, (n, 2)).astype(np.float32),
    )


def create_landmark_samples(n: int, seed: int = 0) -> TrainingSet:
    """The same faces as a training set."""
    return landmark_set(create_landmark_faces(n, seed))

# SPDX-License-Identifier: Apache-2.0
"""The whole training of a landmark net: data, network, export, parity, measurement."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import logging
import os
import platform
from pathlib import Path

import torch

from mien.core import (
    LANDMARK_COLUMNS,
    SPEC_VERSION,
    Activation,
    CropSpec,
    InputSpec,
    ModelSpec,
    TaskName,
    TaskSpec,
    TrainingSource,
)
from mien.datasets import LandmarkFaces, load_landmark_faces
from mien.evaluation import evaluate
from mien.faces import load_landmark_net
from mien.inference import usable_cores
from mien.training.data.landmark_data import LOOSE_TEMPLATE, LandmarkTrainingData
from mien.training.data.training_images import default_cache_folder
from mien.training.engine.compute import keep_freed_memory
from mien.training.engine.landmark_trainer import PointsTrainer
from mien.training.export.bundle_files import write_bundle, write_spec
from mien.training.export.onnx_export import GRAPH_INPUT, parity_gap, to_onnx
from mien.training.models.landmark_network import LandmarkNetwork
from mien.training.recipes.landmark_recipe import PointsRecipe

logger = logging.getLogger(__name__)

_N_PARITY = 64
_PI = 3.1416

# In the order of `LandmarkOutputs`: task, output, labels, activation, low, high, unit.
_TASKS: tuple[tuple[TaskName, str, tuple[str, ...], Activation, float, float, str], ...] = (
    ("landmarks", "points", LANDMARK_COLUMNS, "identity", -1.0, 2.0, "fraction of the crop's side"),
    ("head_pose", "pose_rad", ("pitch", "yaw", "roll"), "identity", -_PI, _PI, "radians, as seen in the crop"),
    ("eyes_open", "eyes_logits", ("image_left", "image_right"), "sigmoid", 0.0, 1.0, "1 is wide open, 0 closed"),
    ("face", "face_logit", ("face",), "sigmoid", 0.0, 1.0, "chance that the crop shows a face where it should be"),
)
OUTPUTS = tuple(output for _, output, *_ in _TASKS)
"""Names of the graph's outputs, in the order of `mien.training.models.landmark_network.LandmarkOutputs`."""

_SOURCES = {
    "ferplus": ("FER+ (FER2013) train", "images collected from the web for research; labels MIT"),
    "fairface": ("FairFace train", "CC BY 4.0"),
    "lfw_expression": (
        "LFW expression, training people",
        "images collected from the web for research; collection Apache-2.0",
    ),
}

_LIMITS = (
    "Points, pose and eye openness are a landmark model's answers on these pictures, not measurements of people; what "
    "that teacher cannot see (pictures in which it found no face) was never shown.",
    "Head pose beyond about 45 degrees was rare in the training data: profiles are read too near to the front.",
    "It sees 96 px, and the face is about half of them: a point of a large face is never exact to the pixel.",
)


def train_points(
    recipe: PointsRecipe,
    data: Path,
    out: Path,
    work: Path,
    *,
    threads: int | None = None,
    cache: Path | None = None,
) -> ModelSpec:
    """Train the recipe and write a measured bundle.

    Args:
        recipe: what to do.
        data: folder of the open face sets (layout: docs/training.md).
        out: folder of the new bundle.
        work: folder of the checkpoint; an interrupted training goes on from there.
        threads: of torch; None takes all usable cores but one, where a process of its own draws the crops.
        cache: folder of decoded pictures; None takes `default_cache_folder`.

    Returns:
        The bundle's description.

    Raises:
        ConfigError: the checkpoint is another recipe's, or there are too few faces.
        DatasetError: the data are incomplete.
        ModelError: the exported graph and the network disagree.
    """
    cores = usable_cores()
    torch.set_num_threads(threads or max(cores - 1, 1))
    keep_freed_memory()
    faces = load_landmark_faces(data, "train")
    training_data = LandmarkTrainingData.of(faces, cache or default_cache_folder())
    trainer = PointsTrainer(recipe, training_data, work, workers=int(cores > 1))
    network = trainer.run()
    graph = export_points(network, recipe.input_px)
    crops, _ = training_data.batch(recipe, recipe.epochs, 0)  # an epoch that no training has seen
    gap = parity_gap(network, graph, crops[:_N_PARITY].numpy(), OUTPUTS)
    logger.info("torch and the runtime differ by at most %.1e on the same faces", gap)
    spec = dataclasses.replace(
        describe_points(recipe, "1", graph),
        weights_notice=(
            "Taught on images collected for research (FER2013, LFW) and on CC BY 4.0 images (FairFace): check their "
            "terms before commercial use."
        ),
        training_sources=_training_sources(faces),
        provenance=_made(recipe, trainer, gap),
        limitations=_LIMITS,
    )
    write_bundle(out, graph, spec)
    report = evaluate("landmarks", load_landmark_net(out), data)
    spec = dataclasses.replace(spec, metrics=report.card_metrics())
    write_spec(out, spec)
    return spec


def export_points(network: LandmarkNetwork, size_px: int) -> bytes:
    """The graph with normalisation and weights inside: (N, S, S, 1) uint8 to the outputs of `OUTPUTS`."""
    example = torch.zeros((2, size_px, size_px, 1), dtype=torch.uint8)
    return to_onnx(network, example, OUTPUTS)


def describe_points(recipe: PointsRecipe, version: str, graph: bytes) -> ModelSpec:
    """The spec of an exported landmark net, before measurement."""
    return ModelSpec(
        spec_version=SPEC_VERSION,
        name=recipe.name,
        version=version,
        sha256=hashlib.sha256(graph).hexdigest(),
        input=InputSpec(name=GRAPH_INPUT, size_px=recipe.input_px, colour="gray", layout="NHWC", dtype="uint8"),
        crop=CropSpec(template=LOOSE_TEMPLATE),
        tasks=tuple(
            TaskSpec(task=task, output=output, labels=labels, activation=activation, low=low, high=high, unit=unit)
            for task, output, labels, activation, low, high, unit in _TASKS
        ),
        recipe=recipe.name,
    )


def _training_sources(faces: LandmarkFaces) -> tuple[TrainingSource, ...]:
    sets = tuple(
        TrainingSource(name=name, role="pictures", n=int((faces.source == source).sum()), licence=licence)
        for source, (name, licence) in _SOURCES.items()
    )
    role = "teacher of points, pose and eye openness"
    return (*sets, TrainingSource(name="MediaPipe Face Landmarker", role=role, n=len(faces), licence="Apache-2.0"))


def _made(recipe: PointsRecipe, trainer: PointsTrainer, gap: float) -> str:
    return (
        f"{datetime.datetime.now(datetime.UTC).date().isoformat()}, {recipe.epochs} epochs in "
        f"{trainer.seconds / 60:.0f} min on {os.cpu_count()} CPU cores ({platform.machine()}), seed {recipe.seed}, "
        f"torch {torch.__version__}; parity with torch {gap:.1e}"
    )

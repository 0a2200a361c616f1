# SPDX-License-Identifier: Apache-2.0
"""What studies of recipes share: the metrics of a bundle as columns of a table, counts of faces, training functions."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.page import measured_by
from mien.core import EXPRESSIONS, MetricValue, ModelSpec
from mien.datasets import load_votes, picture_file, plurality
from mien.inference import machine_name
from mien.training import Recipe

COLUMNS = {
    "accuracy": ("accuracy, plurality", "FER+ valid"),
    "macro F1": ("macro F1, plurality", "FER+ valid"),
    "official": ("accuracy, official majority", "FER+ valid"),
    "ECE": ("calibration error, plurality", "FER+ valid"),
    "CCC V": ("CCC valence", "FER+ valid"),
    "CCC A": ("CCC arousal", "FER+ valid"),
    "AU F1": ("mean AU F1 against the teacher", "FER+ valid"),
    "happy": ("recall of happiness", "LFW expression, test people"),
    "neutral": ("recall of neutral", "LFW expression, test people"),
    "AU12": ("AUC of AU12, happiness against neutral", "LFW expression, test people"),
    "flips": ("flip rate, aligned", "FairFace val"),
}
"""Heading -> (name, data) of a metric of a bundle."""

Train = Callable[[Recipe, Path, Path, Path], object]
"""Trains a recipe (recipe, data, folder of the bundle, folder of checkpoints) and writes a measured bundle."""
Pretrain = Callable[[Recipe, Path, Path], object]
"""Trains a recipe (recipe, data, folder of checkpoints) for its checkpoint alone."""


def metrics_of(spec: ModelSpec) -> dict[str, MetricValue | None]:
    """The metric of a bundle under each heading; None where it was not measured."""
    by_name = {(metric.name, metric.data): metric for metric in spec.metrics}
    return {heading: by_name.get(key) for heading, key in COLUMNS.items()}


def cells_of(spec: ModelSpec) -> list[str]:
    """The metrics of a bundle as cells of a table."""
    return [f"{metric.value:.3f}" if metric else "-" for metric in metrics_of(spec).values()]


def face_counts(data: Path, split: str) -> dict[str, int]:
    """Number of FER+ faces of a split by the expression that most raters name."""
    found = plurality(load_votes(picture_file(data, "ferplus", split)))
    return {name: int((found == code).sum()) for code, name in enumerate(EXPRESSIONS)}


def budget_of(recipe: Recipe, n_train: int) -> str:
    """Epochs of a recipe, the sides of their crops, and the number of FER+ faces of each, in words.

    Args:
        recipe: recipe whose first source is FER+.
        n_train: number of FER+ training faces.
    """
    stages = [
        f"{stage.epochs} epoch{'s' * (stage.epochs > 1)} at {stage.size_px or recipe.model.input_px} px"
        for stage in recipe.stages
    ]
    n_faces = round((n_train - recipe.data.calibration_rows) * recipe.data.sources[0].epoch_share)
    return f"{' and '.join(stages)} of {n_faces:,} FER+ faces" + " each" * (len(stages) > 1)


def provenance_lines(name: str, bundles: Iterable[tuple[str, ModelSpec]]) -> list[str]:
    """The lines that say on what machine and how the bundles of a study were trained.

    Args:
        name: of the benchmark.
        bundles: (label, bundle) in the order of the table.
    """
    lines = [measured_by(name, machine=machine_name()), "Provenance of each bundle:", ""]
    return ["", *lines, *(f"- {label}: {spec.provenance}" for label, spec in bundles)]


def create_trainers(threads: int | None) -> tuple[Train, Pretrain]:
    """The training functions of mien with a number of threads, and the logging of their progress."""
    from mien.training import ComputeSettings, train_bundle, train_network

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    compute = ComputeSettings(threads=threads)
    return functools.partial(train_bundle, compute=compute), functools.partial(train_network, compute=compute)

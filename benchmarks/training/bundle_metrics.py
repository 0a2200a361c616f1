# SPDX-License-Identifier: Apache-2.0
"""What the studies of recipes share: the metrics of a bundle as columns of a table, training functions, options."""

from __future__ import annotations

import argparse
import functools
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.page import measured_by
from mien.core import MetricValue, ModelSpec
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


def provenance_lines(name: str, bundles: Iterable[tuple[str, ModelSpec]]) -> list[str]:
    """The lines that say on what machine and how the bundles of a study were trained.

    Args:
        name: of the benchmark.
        bundles: (label, bundle) in the order of the table.
    """
    lines = [measured_by(name, machine=machine_name()), "Provenance of each bundle:", ""]
    return ["", *lines, *(f"- {label}: {spec.provenance}" for label, spec in bundles)]


def add_study_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every study of a recipe has."""
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets")
    parser.add_argument(
        "--work", type=Path, required=True, help="folder for bundles and checkpoints, outside the checkout"
    )
    parser.add_argument("--page", type=Path, required=True, help="Markdown file of the table")
    parser.add_argument("--threads", type=int, help="number of threads of torch (default: its own choice)")


def create_trainers(threads: int | None) -> tuple[Train, Pretrain]:
    """The training functions of mien with a number of threads, and the logging of their progress."""
    from mien.training import ComputeSettings, train_bundle, train_network

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    compute = ComputeSettings(threads=threads)
    return functools.partial(train_bundle, compute=compute), functools.partial(train_network, compute=compute)

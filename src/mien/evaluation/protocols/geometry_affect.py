# SPDX-License-Identifier: Apache-2.0
"""Protocol of geometry: valence and arousal of landmarks beside those of an affect network, and their mean."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from mien.affect import Analyzer, GeometryModel
from mien.core import DIMENSIONS, ConfigError, Float64, Indices, MetricValue
from mien.datasets import load_ferplus
from mien.evaluation.evaluation_report import Report, bootstrap_metric
from mien.evaluation.face_crops import bundle_report, decode_pictures
from mien.metrics import ccc

_NO_LANDMARKS = "without landmarks"


def evaluate_geometry(subject: Analyzer, data: Path, split: str = "valid") -> Report:
    """CCC of the network, of the geometry model and of their mean with the mapped votes of FER+ faces.

    All three are compared on the faces in which the landmark model sees a face.

    Args:
        subject: Analyzer; its geometry model is measured, or the one in the wheel where it has none.
        data: Folder of the data sets.
        split: ``"train"`` or ``"valid"``.

    Raises:
        ConfigError: The bundle has no valence and arousal, or the analyzer has no landmark model.
        DatasetError: The data are incomplete.
    """
    network, model = _network(subject), subject.geometry or GeometryModel()
    samples = load_ferplus(data, split)
    faces = network.crops(decode_pictures(samples), given="aligned")
    own = np.stack([faces.valence, faces.arousal], axis=1).astype(np.float64)
    if np.isnan(own).all():
        raise ConfigError(f"{subject.spec.name} has no valence and arousal to compare with")
    columns = [model.outputs.index(name) for name in DIMENSIONS]
    geometry = model.predict(faces.landmarks)[:, columns].astype(np.float64)
    rows = np.flatnonzero(np.isfinite(geometry).all(axis=1))
    if not len(rows):
        raise ConfigError("no face has landmarks; the analyzer needs a landmark model")
    truth = samples.valence_arousal[rows].astype(np.float64)
    rivals = {subject.spec.name: own[rows], model.spec.name: geometry[rows]}
    rivals["mean of both"] = (own[rows] + geometry[rows]) / 2
    metrics = []
    for column, dimension in enumerate(DIMENSIONS):
        values = {name: of[:, column] for name, of in rivals.items()}
        metrics += _compared(dimension, truth[:, column], values, subject.spec.name)
    dropped = {_NO_LANDMARKS: len(samples) - len(rows)} if len(rows) < len(samples) else {}
    return bundle_report("geometry", f"FER+ {split}", subject, len(rows), dropped, metrics)


def _network(subject: Analyzer) -> Analyzer:
    """The analyzer with valence and arousal of the network alone."""
    if subject.geometry is None:
        return subject
    return Analyzer(replace(subject.config, va="network"))


def _compared(dimension: str, truth: Float64, values: dict[str, Float64], network: str) -> list[MetricValue]:
    """CCC of each, and the difference of each other one from the network."""
    n = len(truth)
    metrics = []
    for name, own in values.items():
        metrics.append(bootstrap_metric(f"CCC {dimension}, {name}", n, partial(_agreement, own=own, truth=truth)))
        if name != network:
            gain = partial(_gain, own=own, other=values[network], truth=truth)
            metrics.append(bootstrap_metric(f"CCC {dimension}, {name} minus {network}", n, gain))
    return metrics


def _agreement(rows: Indices, *, own: Float64, truth: Float64) -> float:
    return ccc(own[rows], truth[rows])


def _gain(rows: Indices, *, own: Float64, other: Float64, truth: Float64) -> float:
    return ccc(own[rows], truth[rows]) - ccc(other[rows], truth[rows])

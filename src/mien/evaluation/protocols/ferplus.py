# SPDX-License-Identifier: Apache-2.0
"""Protocols on FER+ faces: every task of a bundle, and the sum of the tasks as the challenges compute it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from mien.affect import Analyzer
from mien.core import (
    DIMENSIONS,
    EXPRESSIONS,
    ConfigError,
    Faces,
    Float32,
    Floats,
    Indices,
    Int64,
    Integers,
    MetricValue,
)
from mien.datasets import (
    FaceSamples,
    affect_map,
    load_ferplus,
    load_pictures,
    load_votes,
    majority,
    picture_file,
    plurality,
)
from mien.evaluation.evaluation_report import Report, bootstrap_metric
from mien.evaluation.face_crops import OTHER_READING, bundle_report, decode_pictures, expression_probabilities
from mien.evaluation.protocols.face_metrics import action_unit_metrics, unit_f1
from mien.metrics import ccc, expected_calibration_error, macro_f1

_MAP = ", map of predicted expressions"


def evaluate_ferplus(subject: Analyzer, data: Path, split: str = "valid") -> Report:
    """Every task of a bundle on FER+ faces as crops, exactly as users pass them to `Analyzer.crops`.

    Expressions by both rules for the target, and once more with the faces read the other way (whole or aligned, see
    `mien.core.CropSpec`); valence and arousal against the map from votes, beside the same map applied to the predicted
    probabilities; action units against the landmark teacher where the teacher is certain.
    """
    path = picture_file(data, "ferplus", split)
    votes = load_votes(path)
    pictures = load_pictures(path)
    images = decode_pictures(pictures)
    faces = subject.crops(images)
    probabilities = expression_probabilities(faces)
    metrics, dropped = _by_both_rules(votes, probabilities)
    other = OTHER_READING[subject.spec.crop.given]
    read_otherwise, _ = _by_both_rules(votes, expression_probabilities(subject.crops(images, given=other)))
    metrics += [replace(metric, name=f"{metric.name}, read {other}") for metric in read_otherwise]
    samples = load_ferplus(data, split)
    row_of = {name: row for row, name in enumerate(pictures.names)}
    rows = np.array([row_of[name] for name in samples.names])
    metrics += _affect_metrics(data, samples, faces[rows], probabilities[rows])
    metrics += action_unit_metrics(samples, faces[rows])
    return bundle_report("ferplus", f"FER+ {split}", subject, len(votes), dropped, metrics)


def evaluate_ferplus_mtl(subject: Analyzer, data: Path, split: str = "valid") -> Report:
    """P_MTL and its parts on FER+ faces: the sum of the challenges, on labels that are derived rather than annotated.

    Expressions are the most voted ones; valence and arousal are mapped from the votes; action units come from the
    landmark teacher, the F1 of each over the faces where the teacher is certain. The sum therefore compares bundles
    with each other, and never with a result on s-Aff-Wild2.

    Raises:
        ConfigError: The bundle lacks one of the three tasks.
    """
    samples = load_ferplus(data, split)
    faces = subject.crops(decode_pictures(samples))
    units = unit_f1(samples, faces)
    if np.isnan(faces.valence).any() or not units:
        raise ConfigError(f"{subject.spec.name} does not have all three tasks: expression, valence_arousal and AUs")
    truth, predicted = samples.expression.argmax(axis=1), expression_probabilities(faces).argmax(axis=1)

    def p_va(rows: Indices) -> float:
        values = (faces.valence, faces.arousal)
        return float(np.mean([ccc(v[rows], samples.valence_arousal[rows, i]) for i, v in enumerate(values)]))

    def p_expr(rows: Indices) -> float:
        return macro_f1(truth[rows], predicted[rows], len(EXPRESSIONS))

    def p_au(rows: Indices) -> float:
        return float(np.mean([f1(rows) for f1 in units.values()]))

    parts = {"P_VA": p_va, "P_EXPR": p_expr, "P_AU": p_au}
    n = len(samples)
    metrics = [bootstrap_metric("P_MTL", n, lambda rows: sum(part(rows) for part in parts.values()))]
    metrics += [bootstrap_metric(name, n, part) for name, part in parts.items()]
    n_rows = len(load_votes(picture_file(data, "ferplus", split)))
    dropped = {"no expression that most could name": n_rows - n}
    return bundle_report("ferplus-mtl", f"FER+ {split}", subject, n_rows, dropped, metrics)


def _by_both_rules(votes: Int64, probabilities: Float32) -> tuple[list[MetricValue], dict[str, int]]:
    """Expression metrics by both rules for the target, and the number of faces without a target by each."""
    metrics, dropped = [], {}
    for rule, targets in (("plurality", plurality(votes)), ("official majority", majority(votes))):
        kept = targets >= 0
        dropped[f"no {rule} label"] = int((~kept).sum())
        metrics += _expression_metrics(rule, targets[kept], probabilities[kept].argmax(axis=1), probabilities[kept])
    return metrics, dropped


def _expression_metrics(rule: str, targets: Integers, predicted: Integers, probabilities: Float32) -> list[MetricValue]:
    n = len(targets)
    return [
        bootstrap_metric(f"accuracy, {rule}", n, lambda rows: float((targets[rows] == predicted[rows]).mean())),
        bootstrap_metric(
            f"macro F1, {rule}", n, lambda rows: macro_f1(targets[rows], predicted[rows], len(EXPRESSIONS))
        ),
        bootstrap_metric(
            f"calibration error, {rule}", n, lambda rows: expected_calibration_error(targets[rows], probabilities[rows])
        ),
    ]


def _affect_metrics(data: Path, samples: FaceSamples, faces: Faces, probabilities: Float32) -> list[MetricValue]:
    """CCC of both dimensions: the bundle's own head if it has one, the map from its expressions, the difference."""
    truth = samples.valence_arousal
    own = np.stack([faces.valence, faces.arousal], axis=1)
    models: dict[str, Floats] = {"": own, _MAP: affect_map(data)(probabilities)}

    def agreement(rows: Indices, *, values: Floats, column: int) -> float:
        return ccc(values[rows, column], truth[rows, column])

    mapped = models[_MAP]

    def gain(rows: Indices, *, column: int) -> float:
        return agreement(rows, values=own, column=column) - agreement(rows, values=mapped, column=column)

    metrics = [
        bootstrap_metric(f"CCC {dimension}{model}", len(samples), partial(agreement, values=values, column=column))
        for model, values in models.items()
        for column, dimension in enumerate(DIMENSIONS)
        if not np.isnan(values).any()
    ]
    if not np.isnan(own).any():
        metrics += [
            bootstrap_metric(f"CCC {dimension}, own minus map", len(samples), partial(gain, column=column))
            for column, dimension in enumerate(DIMENSIONS)
        ]
    return metrics

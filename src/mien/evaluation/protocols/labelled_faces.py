# SPDX-License-Identifier: Apache-2.0
"""Protocols on labelled face sets: FER+ validation, LFW test people, and the whole chain on LFW photos."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.affect import Analyzer
from mien.core import DIMENSIONS, EXPRESSIONS, ConfigError, Faces, MetricValue
from mien.datasets import (
    FaceSamples,
    affect_map,
    load_ferplus,
    load_lfw,
    load_pictures,
    load_votes,
    majority,
    person,
    plurality,
)
from mien.evaluation.evaluation_report import Report, bootstrap_metric
from mien.evaluation.face_crops import (
    align_samples,
    bundle_report,
    decode_pictures,
    expression_probabilities,
    group_codes,
    mean_measure,
    with_keypoints,
)
from mien.metrics import binary_f1, ccc, expected_calibration_error, macro_f1, roc_auc

Rows = npt.NDArray[np.intp]
Labels = npt.NDArray[np.integer]


_MAP = ", map of predicted expressions"


def evaluate_ferplus(analyzer: Analyzer, data: Path) -> Report:
    """FER+ validation faces as crops, exactly as users pass them to `Analyzer.crops`.

    Expressions by both rules for the target; valence and arousal against the map from votes, beside the same map
    applied to the predicted probabilities; action units against the landmark teacher where it can be believed.
    """
    path = data / "ferplus/valid.parquet"
    votes = load_votes(path)
    pictures = load_pictures(path)
    faces = analyzer.crops(decode_pictures(pictures))
    probabilities = expression_probabilities(faces)
    guess = probabilities.argmax(axis=1)
    measures, dropped = [], {}
    for rule, targets in (("plurality", plurality(votes)), ("official majority", majority(votes))):
        kept = targets >= 0
        dropped[f"no {rule} label"] = int((~kept).sum())
        measures += _expression_measures(rule, targets[kept], guess[kept], probabilities[kept])
    samples = load_ferplus(data, "valid")
    row_of = {name: row for row, name in enumerate(pictures.names)}
    rows = np.array([row_of[name] for name in samples.names])
    measures += _affect_measures(data, samples, faces[rows], probabilities[rows])
    measures += _action_unit_measures(samples, faces[rows])
    return bundle_report("ferplus", "FER+ valid", analyzer, len(votes), dropped, measures)


def evaluate_ferplus_mtl(analyzer: Analyzer, data: Path) -> Report:
    """P_MTL and its parts on FER+ validation faces: the challenges' sum, on labels that nobody annotated as such.

    Expressions are the most voted ones; valence and arousal are mapped from the votes; action units are the landmark
    teacher's, the F1 of each over the faces where it can be believed. So the sum compares bundles with each other,
    never with a figure on s-Aff-Wild2.

    Raises:
        ConfigError: the bundle lacks one of the three tasks.
    """
    samples = load_ferplus(data, "valid")
    faces = analyzer.crops(decode_pictures(samples))
    units = _unit_f1(samples, faces)
    if np.isnan(faces.valence).any() or not units:
        raise ConfigError(f"{analyzer.spec.name} does not have all three tasks: expression, valence_arousal and AUs")
    truth, guess = samples.expression.argmax(axis=1), expression_probabilities(faces).argmax(axis=1)

    def p_va(rows: Rows) -> float:
        values = (faces.valence, faces.arousal)
        return float(np.mean([ccc(v[rows], samples.valence_arousal[rows, i]) for i, v in enumerate(values)]))

    def p_expr(rows: Rows) -> float:
        return macro_f1(truth[rows], guess[rows], len(EXPRESSIONS))

    def p_au(rows: Rows) -> float:
        return float(np.mean([f1(rows) for f1 in units.values()]))

    parts = {"P_VA": p_va, "P_EXPR": p_expr, "P_AU": p_au}
    n = len(samples)
    measures = [bootstrap_metric("P_MTL", n, lambda rows: sum(part(rows) for part in parts.values()))]
    measures += [bootstrap_metric(name, n, part) for name, part in parts.items()]
    n_rows = len(load_votes(data / "ferplus/valid.parquet"))
    dropped = {"no expression that most could name": n_rows - n}
    return bundle_report("ferplus-mtl", "FER+ valid", analyzer, n_rows, dropped, measures)


def evaluate_lfw(analyzer: Analyzer, data: Path) -> Report:
    """LFW faces of people who taught nothing, as crops; intervals by resampling people.

    The labels are single and noisy (about one in five neutral faces talks or frowns).
    """
    samples = load_lfw(data, "test")
    faces = analyzer.crops(decode_pictures(samples))
    targets = samples.expression.argmax(axis=1)
    guess = expression_probabilities(faces).argmax(axis=1)
    people = np.array([person(name) for name in samples.names])
    correct = targets == guess
    measures = []
    for name in ("happiness", "neutral"):
        rows = np.flatnonzero(targets == EXPRESSIONS.index(name))
        measures.append(
            bootstrap_metric(f"recall of {name}", len(rows), partial(_share, correct[rows]), groups=people[rows])
        )
    measures += _smile_measures(targets, faces, people)
    measures += _action_unit_measures(samples, faces, people)
    return bundle_report("lfw", "LFW expression, test people", analyzer, len(samples), {}, measures)


def _share(hits: npt.NDArray[np.bool_], rows: Rows) -> float:
    return float(hits[rows].mean())


def _smile_measures(targets: Labels, faces: Faces, people: npt.NDArray[np.str_]) -> list[MetricValue]:
    """How well AU12 alone tells happy faces from neutral ones."""
    if "AU12" not in faces.action_unit_labels:
        return []
    rows = np.flatnonzero(np.isin(targets, [EXPRESSIONS.index("happiness"), EXPRESSIONS.index("neutral")]))
    happy = targets[rows] == EXPRESSIONS.index("happiness")
    smile = faces.action_units[rows, faces.action_unit_labels.index("AU12")]
    name = "AUC of AU12, happiness against neutral"
    return [bootstrap_metric(name, len(rows), lambda drawn: roc_auc(happy[drawn], smile[drawn]), groups=people[rows])]


def _expression_measures(
    rule: str, targets: Labels, guess: Labels, probabilities: npt.NDArray[np.float32]
) -> list[MetricValue]:
    n = len(targets)
    return [
        bootstrap_metric(f"accuracy, {rule}", n, lambda rows: float((targets[rows] == guess[rows]).mean())),
        bootstrap_metric(f"macro F1, {rule}", n, lambda rows: macro_f1(targets[rows], guess[rows], len(EXPRESSIONS))),
        bootstrap_metric(
            f"calibration error, {rule}", n, lambda rows: expected_calibration_error(targets[rows], probabilities[rows])
        ),
    ]


def _affect_measures(
    data: Path, samples: FaceSamples, faces: Faces, probabilities: npt.NDArray[np.float32]
) -> list[MetricValue]:
    """CCC of both dimensions: the bundle's own head if it has one, the map from its expressions, the difference."""
    truth = samples.valence_arousal
    own = np.stack([faces.valence, faces.arousal], axis=1)
    models: dict[str, npt.NDArray[np.floating]] = {
        "": own,
        _MAP: affect_map(data)(probabilities),
    }

    def agreement(rows: Rows, *, values: npt.NDArray[np.floating], column: int) -> float:
        return ccc(values[rows, column], truth[rows, column])

    mapped = models[_MAP]

    def lead(rows: Rows, *, column: int) -> float:
        return agreement(rows, values=own, column=column) - agreement(rows, values=mapped, column=column)

    measures = [
        bootstrap_metric(f"CCC {dimension}{model}", len(samples), partial(agreement, values=values, column=column))
        for model, values in models.items()
        for column, dimension in enumerate(DIMENSIONS)
        if not np.isnan(values).any()
    ]
    if not np.isnan(own).any():
        measures += [
            bootstrap_metric(f"CCC {dimension}, own minus map", len(samples), partial(lead, column=column))
            for column, dimension in enumerate(DIMENSIONS)
        ]
    return measures


def _action_unit_measures(
    samples: FaceSamples, faces: Faces, groups: npt.NDArray[np.str_] | None = None
) -> list[MetricValue]:
    """F1 at .5 of each action unit against the teacher, where the teacher knows, and the mean over units."""
    units = _unit_f1(samples, faces)
    if not units:
        return []

    def mean_f1(rows: Rows) -> float:
        return float(np.mean([f1(rows) for f1 in units.values()]))

    n = len(samples)
    single = [bootstrap_metric(f"F1 {label} against the teacher", n, f1, groups=groups) for label, f1 in units.items()]
    return [*single, bootstrap_metric("mean AU F1 against the teacher", n, mean_f1, groups=groups)]


def _unit_f1(samples: FaceSamples, faces: Faces) -> dict[str, Callable[[Rows], float]]:
    """Action unit -> its F1 at .5 on some rows, those left out where the teacher does not know."""
    shared = [label for label in faces.action_unit_labels if label in samples.action_unit_labels]
    truth = samples.action_units[:, [samples.action_unit_labels.index(label) for label in shared]]
    guess = faces.action_units[:, [faces.action_unit_labels.index(label) for label in shared]] >= 0.5
    known, present = ~np.isnan(truth), truth >= 0.5

    def unit_f1(column: int, rows: Rows) -> float:
        rows = rows[known[rows, column]]
        return binary_f1(present[rows, column], guess[rows, column]) if len(rows) else float("nan")

    return {label: partial(unit_f1, column) for column, label in enumerate(shared)}


Probabilities = npt.NDArray[np.float32]


def evaluate_lfw_chain(analyzer: Analyzer, data: Path) -> Report:
    """LFW faces of people who taught nothing, as photos: detector, landmark net, alignment, affect net.

    Beside them the same faces cut at the teacher's points. Faces that the teacher did not find are left out; one that
    the chain does not find counts as read wrongly. Intervals by resampling people.
    """
    everyone = load_lfw(data, "test")
    samples = with_keypoints(everyone)
    sharp, _ = align_samples(samples, analyzer.spec)
    taught = expression_probabilities(analyzer.crops(sharp))
    own = np.stack([_main_face(analyzer.image(picture)) for picture in decode_pictures(samples)])
    found = np.asarray(np.isfinite(own).all(axis=1), dtype=np.bool_)
    targets = samples.expression.argmax(axis=1)
    groups = group_codes(np.array([person(name) for name in samples.names]))
    right = {
        "teacher's points": np.equal(taught.argmax(axis=1), targets),
        "whole chain": found & np.equal(np.nan_to_num(own).argmax(axis=1), targets),
    }
    gain = right["whole chain"].astype(np.float64) - right["teacher's points"]
    kinds = {"accuracy": np.ones(len(samples), dtype=bool), "accuracy on found faces": found}
    kinds |= {f"recall of {name}": np.equal(targets, EXPRESSIONS.index(name)) for name in ("happiness", "neutral")}
    measures = [mean_measure("faces found", found, kinds["accuracy"], groups)]
    for kind, rows in kinds.items():
        measures += [mean_measure(f"{kind}, {name}", hits, rows, groups) for name, hits in right.items()]
        measures.append(mean_measure(f"{kind}, whole chain minus teacher's points", gain, rows, groups))
    same = np.equal(own.argmax(axis=1), taught.argmax(axis=1))
    measures.append(mean_measure("same expression as at the teacher's points", same, found, groups))
    dropped = {"not found by the teacher": len(everyone) - len(samples)}
    return bundle_report("lfw-chain", "LFW expression, test people", analyzer, len(everyone), dropped, measures)


def _main_face(faces: Faces) -> Probabilities:
    """Expression probabilities (8,) of the largest face; NaN without one."""
    if not len(faces):
        return np.full(len(EXPRESSIONS), np.nan, np.float32)
    sides = faces.boxes[:, 2:] - faces.boxes[:, :2]
    probabilities: Probabilities = expression_probabilities(faces)[int(sides.prod(axis=1).argmax())]
    return probabilities

# SPDX-License-Identifier: Apache-2.0
"""Protocol of action units on real faces: expressions against neutral, false alarms, ranks of the geometry."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from mien.affect import Analyzer
from mien.core import ACTION_UNIT_SIDES, EXPRESSIONS, Bools, Float32, Float64, Indices, MetricValue
from mien.datasets import load_pictures, load_teacher, load_votes, picture_file, teacher_file
from mien.evaluation.evaluation_report import Report, bootstrap_metric
from mien.evaluation.face_crops import bundle_report, decode_pictures, mean_metric, unit_thresholds
from mien.faces import unit_geometry
from mien.metrics import rank_correlation, roc_auc

_AGAINST_NEUTRAL = {
    "happiness": ("AU06", "AU12", "AU25"),
    "surprise": ("AU01", "AU02", "AU05", "AU26"),
    "sadness": ("AU01", "AU04", "AU15", "AU17"),
    "anger": ("AU04", "AU07"),
    "disgust": ("AU04", "AU09", "AU10", "AU15"),
    "fear": ("AU01", "AU04", "AU05", "AU20"),
}
"""Expression -> action units of its prototype whose scores should be higher than on neutral faces."""

_BY_GEOMETRY = ("AU25", "AU26", "AU45")
_WITHIN = ("AU01", "AU02", "AU04", "AU12", "AU15", "AU25", "AU26", "AU45")

# Action unit -> activation of the landmark teacher, whose left is the person's own, too.
_BY_SIDE = {"AU02": "browOuterUp", "AU12": "mouthSmile", "AU15": "mouthFrown", "AU45": "eyeBlink"}

_MIN_SHARE, _MIN_NEUTRAL_SHARE = 0.5, 0.8
_FEWEST = 20


def evaluate_au_ranks(subject: Analyzer, data: Path, split: str = "valid") -> Report:
    """Action units on FER+ faces, which no one has coded: by the expressions that raters saw, and by 68 landmarks.

    ``AUC AU04, anger`` is the probability that a face with at least half of the votes for anger has a higher score
    than one with at least 0.8 of the votes for neutral; n counts the former. ``false alarms`` is the share of these
    neutral faces on which the bundle's threshold is reached. ``rank correlation`` is Spearman's, with the measures of
    `mien.faces.unit_geometry` of the landmark teacher's landmarks: over all faces for lips and lids, and for more
    units within one expression (faces with at least half of the votes for it), since features know the expression.
    ``rank correlation left minus right`` compares the difference of the predicted sides with that of the landmark
    teacher's activations: agreement with another model, which a turned head moves alike.
    """
    path = picture_file(data, "ferplus", split)
    votes, pictures = load_votes(path), load_pictures(path)
    teacher = load_teacher(teacher_file(data, "ferplus", split), pictures.names)
    faces = subject.crops(decode_pictures(pictures))
    scores = dict(zip(faces.action_unit_labels, faces.action_units.T.astype(np.float64), strict=True))
    shares = votes[:, : len(EXPRESSIONS)] / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    shown = np.where(shares.max(axis=1) >= _MIN_SHARE, shares.argmax(axis=1), -1)
    neutral = shares[:, EXPRESSIONS.index("neutral")] >= _MIN_NEUTRAL_SHARE
    metrics = _against_neutral(scores, shown, neutral)
    metrics += _false_alarms(scores, unit_thresholds(subject.spec, tuple(scores)), neutral)
    metrics += _by_geometry(scores, unit_geometry(teacher.landmarks), shown)
    shapes = dict(zip(teacher.blendshape_names, teacher.blendshapes.T.astype(np.float64), strict=True))
    metrics += _sides(faces.action_unit_sides, shapes)
    dropped = {
        "no expression with half of the votes": int((shown < 0).sum()),
        "geometry: no landmarks": int((~teacher.found).sum()),
        "false alarms and AUC: neutral with less than 0.8 of the votes": int(
            ((shown == EXPRESSIONS.index("neutral")) & ~neutral).sum()
        ),
    }
    return bundle_report("au-ranks", f"FER+ {split}", subject, len(votes), dropped, metrics)


def _against_neutral(scores: dict[str, Float64], shown: Indices, neutral: Bools) -> list[MetricValue]:
    """AUC of each expression's units; an interval draws the faces of both kinds."""
    metrics = []
    for expression, labels in _AGAINST_NEUTRAL.items():
        present = shown == EXPRESSIONS.index(expression)
        if min(present.sum(), neutral.sum()) < _FEWEST:
            continue
        rows = np.flatnonzero(present | neutral)
        truth = present[rows]
        for label in labels:
            if label in scores:
                area = partial(_area, truth, scores[label][rows])
                found = bootstrap_metric(f"AUC {label}, {expression}", len(rows), area)
                metrics.append(replace(found, n=int(present.sum())))
    return metrics


def _area(truth: Bools, values: Float64, rows: Indices) -> float:
    return roc_auc(truth[rows], values[rows])


def _false_alarms(scores: dict[str, Float64], thresholds: Float64, neutral: Bools) -> list[MetricValue]:
    if not neutral.any():
        return []
    everyone = np.arange(len(neutral))
    return [
        mean_metric(f"false alarms {label}, neutral", values >= threshold, neutral, everyone)
        for (label, values), threshold in zip(scores.items(), thresholds, strict=True)
    ]


def _by_geometry(scores: dict[str, Float64], geometry: dict[str, Float64], shown: Indices) -> list[MetricValue]:
    """Rank correlations with the landmarks; left out where the landmarks of all faces are alike."""
    metrics = []
    for label in _BY_GEOMETRY:
        metrics += _rank_metric(f"rank correlation {label}", label, scores, geometry, np.zeros_like(shown))
    for label in _WITHIN:
        metrics += _rank_metric(f"rank correlation within expression {label}", label, scores, geometry, shown)
    return metrics


def _sides(sides: Float32, shapes: dict[str, Float64]) -> list[MetricValue]:
    """Rank correlations of left minus right with the teacher's activations; none where the bundle gives no sides."""
    own, measures = {}, {}
    for label, shape in _BY_SIDE.items():
        left, right = (sides[:, ACTION_UNIT_SIDES.index(f"{label}_{side}")] for side in ("left", "right"))
        named = {f"{shape}Left", f"{shape}Right"} <= shapes.keys()
        if named and np.isfinite(left).all() and np.isfinite(right).all():
            own[label] = left.astype(np.float64) - right
            measures[label] = shapes[f"{shape}Left"] - shapes[f"{shape}Right"]
    everyone = np.zeros(len(sides), dtype=np.intp)
    return [
        metric
        for label in own
        for metric in _rank_metric(f"rank correlation left minus right {label}", label, own, measures, everyone)
    ]


def _rank_metric(
    name: str, label: str, scores: dict[str, Float64], geometry: dict[str, Float64], groups: Indices
) -> list[MetricValue]:
    if label not in scores:
        return []
    rows = np.flatnonzero(np.isfinite(geometry[label]) & (groups >= 0))
    own, measure, group = scores[label][rows], geometry[label][rows], groups[rows]
    if len(rows) < _FEWEST or np.isnan(rank_correlation(own, measure, group)):
        return []
    return [bootstrap_metric(name, len(rows), lambda drawn: rank_correlation(own[drawn], measure[drawn], group[drawn]))]

# SPDX-License-Identifier: Apache-2.0
"""What an audit measures: accuracy or agreement, alarms, calibration, abstention, detection and landmarks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from mien.affect import Analyzer
from mien.core import (
    DIMENSIONS,
    EXPRESSIONS,
    Bools,
    Faces,
    Float32,
    Float64,
    Floats,
    Image,
    Indices,
    columns_by_name,
)
from mien.evaluation.audit.audit_samples import AuditSamples
from mien.evaluation.audit.group_gaps import Statistic
from mien.evaluation.face_crops import unit_thresholds
from mien.faces import unit_geometry
from mien.metrics import ccc, expected_calibration_error, macro_f1, roc_auc

QUALITY_LIMIT = 0.5
"""Quality from which a face counts as covered by the bundle."""

_PRESENT = 0.5
_SURE = 1e-4
_FEWEST_OF_A_KIND = 10


@dataclass(frozen=True, kw_only=True)
class GroupMeasure:
    """One measure of an audit.

    Attributes:
        name: Name of the measure.
        statistic: Function from rows to the value.
        defined: (N,) rows for which it is defined.
        limit: Largest gap between a group and all others that the audit accepts.
        meaning: One sentence on what is compared with what.
    """

    name: str
    statistic: Statistic
    defined: Bools
    limit: float
    meaning: str


@dataclass(frozen=True, eq=False, kw_only=True)
class AuditPredictions:
    """What a bundle gives for the faces of an audit.

    Attributes:
        faces: N predictions for the images as crops.
        found: (N,) whether detector and landmark net find a face in the image.
        landmarks: (N, 68, 2) fractions of the picture, of the largest face that was found; NaN without one.
    """

    faces: Faces
    found: Bools
    landmarks: Float32


def predict_for_audit(analyzer: Analyzer, pictures: list[Image]) -> AuditPredictions:
    """Predictions for images of one face each, and what the detector finds in them."""
    found = np.zeros(len(pictures), np.bool_)
    landmarks = np.full((len(pictures), 68, 2), np.nan, np.float32)
    for row, picture in enumerate(pictures):
        seen = analyzer.image(picture)
        if len(seen):
            found[row] = True
            sides = seen.boxes[:, 2:] - seen.boxes[:, :2]
            largest = seen.landmarks[int(sides.prod(axis=1).argmax())]
            landmarks[row] = (largest + 0.5) / np.array(picture.shape[1::-1])
    return AuditPredictions(faces=analyzer.crops(pictures), found=found, landmarks=landmarks)


def audit_measures(samples: AuditSamples, predicted: AuditPredictions, analyzer: Analyzer) -> Iterator[GroupMeasure]:
    """Every measure that the labels of the samples allow.

    Args:
        samples: N faces with groups.
        predicted: Predictions for them.
        analyzer: Analyzer of the bundle, for its thresholds.
    """
    faces, everyone = predicted.faces, np.ones(len(samples), np.bool_)
    yield _mean("faces found", predicted.found, everyone, 0.03, "share of images in which detector and landmarks agree")
    yield from _labelled(samples, faces)
    yield from _values(samples, faces)
    yield from _units(samples, faces, analyzer)
    if np.isfinite(faces.quality).any():
        covered = faces.quality >= QUALITY_LIMIT
        meaning = f"share of faces with a quality of at least {QUALITY_LIMIT}"
        yield _mean("coverage at the quality limit", covered, np.isfinite(faces.quality), 0.05, meaning)
    if analyzer.spec.uncertainty is not None:
        yield _mean(
            "reasons to abstain",
            np.asarray(faces.abstain.any(axis=1)),
            everyone,
            0.05,
            "share of faces with any reason",
        )
        size = faces.expression_sets.sum(axis=1)
        yield _mean("possible expressions", size, size > 0, 0.3, "mean number of expressions in a set")
    if np.isfinite(faces.view_spread).any():
        known = np.isfinite(faces.view_spread)
        yield _mean("spread over views", faces.view_spread, known, 0.03, "mean change in mirrored and shifted crops")
    error = landmark_errors(predicted.landmarks, samples.landmarks)
    if np.isfinite(error).any():
        meaning = "mean distance from the reference's landmarks, over the distance of the eyes"
        yield _mean("landmark error", error, np.isfinite(error), 0.01, meaning)


def landmark_errors(found: Floats, reference: Floats) -> Float64:
    """(N,) mean distance of 68 landmarks over the distance between the eye centres; NaN where either is unknown."""
    distance = np.linalg.norm(found - reference, axis=2).mean(axis=1)
    eyes = reference[:, 42:48].mean(axis=1) - reference[:, 36:42].mean(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(distance / np.linalg.norm(eyes, axis=1), np.float64)


def mouth_geometry(samples: AuditSamples, predicted: AuditPredictions) -> tuple[Float64, str]:
    """(N, G) what must be equal for a smile to count as the same, and its name.

    The reference's landmarks where there are any, else those that the bundle's landmark net found: width and corners of
    the mouth, gap of the lips, and the pose of the head; and the teacher's smile where it is known.
    """
    own = np.isfinite(samples.landmarks).any()
    landmarks = samples.landmarks if own else predicted.landmarks
    measures = unit_geometry(landmarks)
    columns = [measures["AU12"], measures["AU25"], measures["AU15"], _turn(landmarks), _nod(landmarks)]
    name = "the reference's 68 landmarks" if own else "the 68 landmarks of mien's net"
    if np.isfinite(samples.activation).any():
        columns.append(samples.activation)
        name += " and the teacher's smile"
    return np.stack(columns, axis=1), name


def smile_logits(faces: Faces) -> dict[str, Float64]:
    """Name -> logits (N,): of AU12, and log odds of happiness, where the bundle has them."""
    found = {}
    if "AU12" in faces.action_unit_labels:
        found["logit of AU12"] = _logit(faces.au("AU12"))
    if "happiness" in faces.expression_labels:
        found["log odds of happiness"] = _logit(faces["expression_happiness"])
    return found


def _labelled(samples: AuditSamples, faces: Faces) -> Iterator[GroupMeasure]:
    known = samples.expression >= 0
    if not known.any() or set(EXPRESSIONS) - set(faces.expression_labels):
        return
    probabilities = faces.expression[:, columns_by_name(faces.expression_labels, EXPRESSIONS)].astype(np.float64)
    targets, top = samples.expression, probabilities.argmax(axis=1)
    yield _mean("accuracy", top == targets, known, 0.05, "share of faces whose top expression is the label")

    def f1(rows: Indices) -> float:
        return macro_f1(targets[rows], top[rows], len(EXPRESSIONS))

    def calibration(rows: Indices) -> float:
        return expected_calibration_error(targets[rows], probabilities[rows], 10)

    yield GroupMeasure(name="macro F1", statistic=f1, defined=known, limit=0.08, meaning="mean F1 over the expressions")
    meaning = "expected calibration error over 10 bins of confidence"
    yield GroupMeasure(name="calibration error", statistic=calibration, defined=known, limit=0.03, meaning=meaning)
    for name in ("happiness", "anger", "sadness"):
        number = EXPRESSIONS.index(name)
        others = known & (targets != number)
        if others.any():
            meaning = f"share of faces without the label {name} that are called {name}"
            yield _mean(f"false alarms, {name}", top == number, others, 0.03, meaning)


def _values(samples: AuditSamples, faces: Faces) -> Iterator[GroupMeasure]:
    for name in DIMENSIONS:
        if name in samples.values:
            truth, own = samples.values[name], getattr(faces, name).astype(np.float64)
            known = np.isfinite(truth) & np.isfinite(own)
            if known.any():
                meaning = "concordance with the labels"
                yield GroupMeasure(
                    name=f"CCC {name}", statistic=partial(_ccc, truth, own), defined=known, limit=0.1, meaning=meaning
                )


def _units(samples: AuditSamples, faces: Faces, analyzer: Analyzer) -> Iterator[GroupMeasure]:
    word, kind = ("the teacher", " (agreement)") if samples.reference else ("the labels", "")
    limits = dict(zip(faces.action_unit_labels, unit_thresholds(analyzer.spec, faces.action_unit_labels), strict=True))
    for label in faces.action_unit_labels:
        truth = samples.values.get(label)
        if truth is None:
            continue
        own, known = faces.au(label).astype(np.float64), np.isfinite(truth)
        present = truth >= _PRESENT
        if min((known & present).sum(), (known & ~present).sum()) < _FEWEST_OF_A_KIND:
            continue
        yield GroupMeasure(
            name=f"AUC {label}",
            statistic=partial(_area, present, own),
            defined=known,
            limit=0.05,
            meaning=f"area under the ROC curve against {word}{kind}",
        )
        alarms = own >= limits[label]
        meaning = f"share of faces without {label} by {word} at which the bundle's threshold is reached"
        yield _mean(f"false alarms, {label}", alarms, known & ~present, 0.05, meaning)
    smile = samples.values.get("AU12")
    if smile is not None and "happiness" in faces.expression_labels:
        top = faces.expression.argmax(axis=1) == faces.expression_labels.index("happiness")
        for name, rows in (("a smile", smile >= _PRESENT), ("no smile", smile < _PRESENT)):
            rows = rows & np.isfinite(smile)
            yield _mean(f"called happy, {name}", top, rows, 0.05, f"share called happy where {word} has {name}")


def _mean(name: str, values: Floats | Bools | Indices, defined: Bools, limit: float, meaning: str) -> GroupMeasure:
    numbers = np.asarray(values, np.float64)
    return GroupMeasure(
        name=name,
        statistic=partial(_average, numbers),
        defined=np.asarray(defined, np.bool_),
        limit=limit,
        meaning=meaning,
    )


def _average(values: Float64, rows: Indices) -> float:
    return float(values[rows].mean())


def _ccc(truth: Float64, own: Float64, rows: Indices) -> float:
    return ccc(truth[rows], own[rows])


def _area(present: Bools, values: Float64, rows: Indices) -> float:
    return roc_auc(present[rows], values[rows])


def _logit(values: Floats) -> Float64:
    held = np.clip(np.asarray(values, np.float64), _SURE, 1 - _SURE)
    return np.asarray(np.log(held / (1 - held)))


def _turn(landmarks: Floats) -> Float64:
    """Position of the nose tip between the outer corners of the eyes, 0 in the middle."""
    left, right, nose = landmarks[:, 36, 0], landmarks[:, 45, 0], landmarks[:, 30, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((nose - (left + right) / 2) / np.maximum(np.abs(right - left), 1e-6), np.float64)


def _nod(landmarks: Floats) -> Float64:
    """Height of the nose tip between the eyes and the mouth."""
    eyes, mouth, nose = landmarks[:, 36:48, 1].mean(axis=1), landmarks[:, 48:68, 1].mean(axis=1), landmarks[:, 30, 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((nose - eyes) / np.maximum(np.abs(mouth - eyes), 1e-6), np.float64)

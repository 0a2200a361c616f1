# SPDX-License-Identifier: Apache-2.0
"""Does the quality of a face tell when its expression is read wrongly? Faces made worse, through the whole chain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mien.affect import Analyzer, cut_faces
from mien.core import MetricValue
from mien.datasets import FaceSamples, load_ferplus, load_lfw, person
from mien.evaluation.corruptions import degrade
from mien.evaluation.evaluation_report import Report, Rows, bootstrap_metric
from mien.evaluation.face_crops import (
    FERPLUS_PX,
    WITHOUT_TEST,
    bundle_report,
    decode_pictures,
    expression_probabilities,
    with_keypoints,
)
from mien.faces import Detections, LandmarkModel, load_landmark_net, load_quality_model, quality_signals
from mien.metrics import aurc, risk_coverage, roc_auc

Image = npt.NDArray[np.uint8]

# FER+ faces are 48 px; shown larger, as a zoom would show them, detectors see them too.
_LARGEST_ZOOM = 3.0
_COVERAGE = 0.8
# A box reaches so far from the middle of the five points, in their extent.
_BOX = np.array([0.95, 1.15])

HELD = 0.6
"""Score from which a followed face counts as seen, as in videos."""


@dataclass(frozen=True, eq=False, kw_only=True)
class DegradedPredictions:
    """What was read of N faces in worse pictures.

    Attributes:
        kinds: (N,) what was done to each, see `mien.evaluation.corruptions`.
        names: (N,) of the pictures.
        signals: (N, 9) see `mien.faces.quality_signals`.
        quality: (N,) of the faces.
        scores: (N,) the landmark net's confidence.
        confidence: (N,) the probability of the most probable expression.
        correct: (N,) whether that is the expression that most people saw.
    """

    kinds: npt.NDArray[np.str_]
    names: npt.NDArray[np.str_]
    signals: npt.NDArray[np.float32]
    quality: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]
    correct: npt.NDArray[np.bool_]

    @classmethod
    def concatenated(cls, parts: Iterable[DegradedPredictions]) -> DegradedPredictions:
        """The readings of all parts, in order."""
        parts = list(parts)
        arrays = [field.name for field in fields(cls)]
        return cls(
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in arrays},
        )


def predict_degraded(analyzer: Analyzer, samples: FaceSamples, *, seed: int) -> DegradedPredictions:
    """Every picture made worse once and read as the next frame of a face that is being followed.

    Where the face is comes from the known points; the landmark net that comes with mien reads points and confidence at
    that place, and where it does not believe that there is a face, the known points stay. A first search would lose
    most of the bad faces and with them what quality is there to tell.

    Args:
        analyzer: reads the faces.
        samples: pictures filled by one face, with their expression; those without known points are left out.
        seed: of what is done to them.
    """
    rng = np.random.default_rng(seed)
    samples = with_keypoints(samples)
    targets = samples.expression.argmax(axis=1)
    reader = load_landmark_net()
    kinds, signals, crops, scores = [], [], [], []
    for picture, points in zip(decode_pictures(samples), samples.keypoints, strict=True):
        zoom = rng.uniform(1, _LARGEST_ZOOM) if max(picture.shape) <= FERPLUS_PX else 1.0
        picture = np.asarray(cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC), np.uint8)
        shown, matrix, kind = degrade(picture, rng)
        known = (points * picture.shape[1::-1] - 0.5) @ matrix[:, :2].T + matrix[:, 2]
        face = _looked_at(reader, shown, known.astype(np.float32))
        crop = cut_faces(shown, face, analyzer.spec)
        kinds.append(kind)
        signals.append(quality_signals(shown.shape[:2], face, crop)[0])
        scores.append(face.confidence[0])
        crops.append(crop[0])
    probabilities = expression_probabilities(analyzer.crops(crops))
    features = np.array(signals, np.float32).reshape(len(crops), -1)
    return DegradedPredictions(
        kinds=np.array(kinds, dtype=np.str_),
        names=np.array(samples.names, dtype=np.str_),
        signals=features,
        quality=load_quality_model()(features),
        scores=np.array(scores, np.float32),
        confidence=probabilities.max(axis=1),
        correct=probabilities.argmax(axis=1) == targets,
    )


def _looked_at(reader: LandmarkModel, image: Image, known: npt.NDArray[np.float32]) -> Detections:
    """The face at five known points, as the reader sees it if it believes in it."""
    seen = reader.read(image, known[None])
    if seen.confidence[0] >= HELD:
        return seen
    middle, extent = known.mean(axis=0), np.ptp(known, axis=0).max()
    box = np.concatenate([middle - _BOX * extent, middle + _BOX * extent])[None].astype(np.float32)
    return Detections(box, seen.confidence, known[None])


def evaluate_quality(subject: Analyzer, data: Path, split: str = "test") -> Report:
    """FER+ validation faces and LFW people who taught nothing, made worse: does quality tell right from wrong?

    The area under the risk-coverage curve (AURC) is the mean error when the least trusted faces are left out one by
    one; faces are trusted by quality, by the probability of the top expression (what users without a quality have),
    by the product of both, and by nothing. LFW's labels are single and noisy.
    """
    ferplus = predict_degraded(subject, load_ferplus(data, WITHOUT_TEST[split]), seed=1)
    lfw = predict_degraded(subject, load_lfw(data, split), seed=2)
    people = np.array([person(name) for name in lfw.names])
    return bundle_report(
        "quality",
        f"FER+ {WITHOUT_TEST[split]} and LFW {split} people, degraded",
        subject,
        len(ferplus.kinds) + len(lfw.kinds),
        {},
        [*_measures("FER+", ferplus, None), *_measures("LFW", lfw, people)],
    )


def confidence_scores(readings: DegradedPredictions) -> dict[str, npt.NDArray[np.float32]]:
    """What faces can be trusted by -> (N,) how much."""
    return {
        "quality": readings.quality,
        "top probability": readings.confidence,
        "quality x top probability": readings.quality * readings.confidence,
        "nothing": np.zeros_like(readings.quality),
    }


def _measures(data: str, readings: DegradedPredictions, groups: npt.NDArray[np.str_] | None) -> list[MetricValue]:
    n, correct = len(readings.correct), readings.correct
    kept = max(1, round(_COVERAGE * n))
    measures = [
        bootstrap_metric(f"{data}: accuracy", n, lambda rows: float(correct[rows].mean()), groups=groups),
        bootstrap_metric(
            f"{data}: mean quality minus accuracy",
            n,
            lambda rows: float(readings.quality[rows].mean() - correct[rows].mean()),
            groups=groups,
        ),
        bootstrap_metric(
            f"{data}: AUC of quality, right against wrong",
            n,
            lambda rows: roc_auc(correct[rows], readings.quality[rows]),
            groups=groups,
        ),
    ]

    def area(rows: Rows, *, trust: npt.NDArray[np.float32]) -> float:
        return aurc(correct[rows], trust[rows])

    def accuracy(rows: Rows, *, trust: npt.NDArray[np.float32]) -> float:
        return 1 - float(risk_coverage(correct[rows], trust[rows])[min(kept, len(rows)) - 1])

    for name, trust in confidence_scores(readings).items():
        measures.append(bootstrap_metric(f"{data}: AURC by {name}", n, partial(area, trust=trust), groups=groups))
        measures.append(
            bootstrap_metric(
                f"{data}: accuracy of the best 80 % by {name}", n, partial(accuracy, trust=trust), groups=groups
            )
        )
    return measures

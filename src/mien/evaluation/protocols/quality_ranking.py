# SPDX-License-Identifier: Apache-2.0
"""Protocol of quality: does it rank right predictions above wrong ones on degraded faces?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mien.affect import Analyzer, cut_faces
from mien.core import Bools, Float32, Image, Indices, MetricValue
from mien.datasets import FaceSamples, load_ferplus, load_lfw, person
from mien.evaluation.corruptions import degrade
from mien.evaluation.evaluation_report import Report, bootstrap_metric
from mien.evaluation.face_crops import (
    FERPLUS_PX,
    WITHOUT_TEST,
    bundle_report,
    decode_pictures,
    expression_probabilities,
    with_keypoints,
)
from mien.faces import Detections, LandmarkModel, load_landmark_net, quality_signals
from mien.metrics import aurc, risk_coverage, roc_auc

# FER+ faces are 48 px; enlarged as by a zoom, they are large enough for detectors.
_LARGEST_ZOOM = 3.0
_COVERAGE = 0.8
# Half-size of a box around the mean of the five keypoints, in units of their extent.
_BOX = np.array([0.95, 1.15])

HELD = 0.6
"""Landmark confidence from which a followed face is kept, as in videos."""


@dataclass(frozen=True, eq=False, kw_only=True)
class DegradedPredictions:
    """Predictions for N faces in degraded images.

    Attributes:
        kinds: (N,) corruptions of each image, see `mien.evaluation.corruptions`.
        names: (N,) names of the images.
        signals: (N, 9) quality signals, see `mien.faces.quality_signals`.
        quality: (N,) quality of the faces, in [0, 1].
        scores: (N,) confidence of the landmark net, in [0, 1].
        confidence: (N,) probability of the top expression.
        correct: (N,) whether that is the expression with most votes.
    """

    kinds: npt.NDArray[np.str_]
    names: npt.NDArray[np.str_]
    signals: Float32
    quality: Float32
    scores: Float32
    confidence: Float32
    correct: Bools

    @classmethod
    def concatenated(cls, parts: Iterable[DegradedPredictions]) -> DegradedPredictions:
        """The predictions of all parts, in order."""
        parts = list(parts)
        arrays = [field.name for field in fields(cls)]
        return cls(
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in arrays},
        )


def predict_degraded(analyzer: Analyzer, samples: FaceSamples, *, seed: int) -> DegradedPredictions:
    """Predictions for every image, degraded once and analysed as the next frame of a followed face.

    The known keypoints give the place of the face; the default landmark net gives landmarks and confidence there.
    Where its confidence is below `HELD`, the known keypoints stay. A detector would miss most of the bad faces, which
    are those that quality has to rank low.

    Args:
        analyzer: Analyzer of the evaluated bundle.
        samples: Images filled by one face, with their expression; those without known keypoints are left out.
        seed: Seed of the corruptions.
    """
    rng = np.random.default_rng(seed)
    samples = with_keypoints(samples)
    targets = samples.expression.argmax(axis=1)
    net = load_landmark_net()
    kinds, signals, crops, scores = [], [], [], []
    for picture, keypoints in zip(decode_pictures(samples), samples.keypoints, strict=True):
        zoom = rng.uniform(1, _LARGEST_ZOOM) if max(picture.shape) <= FERPLUS_PX else 1.0
        picture = np.asarray(cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC), np.uint8)
        shown, matrix, kind = degrade(picture, rng)
        known = (keypoints * picture.shape[1::-1] - 0.5) @ matrix[:, :2].T + matrix[:, 2]
        face = _followed_face(net, shown, known.astype(np.float32))
        crop = cut_faces(shown, face, analyzer.spec)
        kinds.append(kind)
        signals.append(quality_signals(shown.shape[:2], face, crop)[0])
        scores.append(face.confidence[0])
        crops.append(crop[0])
    probabilities, model = expression_probabilities(analyzer.crops(crops, aligned=True)), analyzer.quality_model
    features = np.array(signals, np.float32).reshape(len(crops), -1)
    return DegradedPredictions(
        kinds=np.array(kinds, dtype=np.str_),
        names=np.array(samples.names, dtype=np.str_),
        signals=features,
        quality=np.full(len(crops), np.nan, np.float32) if model is None else model(features),
        scores=np.array(scores, np.float32),
        confidence=probabilities.max(axis=1),
        correct=probabilities.argmax(axis=1) == targets,
    )


def _followed_face(net: LandmarkModel, image: Image, known: Float32) -> Detections:
    """The face at five known keypoints, with the landmarks of the net where it is confident."""
    found = net.read(image, known[None])
    if found.confidence[0] >= HELD:
        return found
    middle, extent = known.mean(axis=0), np.ptp(known, axis=0).max()
    box = np.concatenate([middle - _BOX * extent, middle + _BOX * extent])[None].astype(np.float32)
    return Detections(box, found.confidence, known[None])


def evaluate_quality(subject: Analyzer, data: Path, split: str = "test") -> Report:
    """How well quality ranks right predictions above wrong ones, on degraded FER+ and LFW faces.

    The area under the risk-coverage curve (AURC) is the mean error when the faces with the lowest confidence are left
    out one by one. Confidence is the quality, the probability of the top expression (all that is available without a
    quality model), the product of both, or a constant. LFW's labels are single and noisy.
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
        [*_metrics("FER+", ferplus, None), *_metrics("LFW", lfw, people)],
    )


def confidence_scores(predictions: DegradedPredictions) -> dict[str, Float32]:
    """Name of a confidence score -> its value for each face (N,)."""
    return {
        "quality": predictions.quality,
        "top probability": predictions.confidence,
        "quality x top probability": predictions.quality * predictions.confidence,
        "nothing": np.zeros_like(predictions.quality),
    }


def _metrics(data: str, predictions: DegradedPredictions, groups: npt.NDArray[np.str_] | None) -> list[MetricValue]:
    n, correct = len(predictions.correct), predictions.correct
    kept = max(1, round(_COVERAGE * n))
    metrics = [
        bootstrap_metric(f"{data}: accuracy", n, lambda rows: float(correct[rows].mean()), groups=groups),
        bootstrap_metric(
            f"{data}: mean quality minus accuracy",
            n,
            lambda rows: float(predictions.quality[rows].mean() - correct[rows].mean()),
            groups=groups,
        ),
        bootstrap_metric(
            f"{data}: AUC of quality, right against wrong",
            n,
            lambda rows: roc_auc(correct[rows], predictions.quality[rows]),
            groups=groups,
        ),
    ]

    def area(rows: Indices, *, scores: Float32) -> float:
        return aurc(correct[rows], scores[rows])

    def accuracy(rows: Indices, *, scores: Float32) -> float:
        return 1 - float(risk_coverage(correct[rows], scores[rows])[min(kept, len(rows)) - 1])

    for name, scores in confidence_scores(predictions).items():
        metrics.append(bootstrap_metric(f"{data}: AURC by {name}", n, partial(area, scores=scores), groups=groups))
        metrics.append(
            bootstrap_metric(
                f"{data}: accuracy of the best 80 % by {name}", n, partial(accuracy, scores=scores), groups=groups
            )
        )
    return metrics

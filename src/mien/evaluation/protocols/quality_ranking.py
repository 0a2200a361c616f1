# SPDX-License-Identifier: Apache-2.0
"""Protocol of quality: does it rank right predictions above wrong ones on degraded faces?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from mien.affect import Analyzer, Decoder, cut_faces
from mien.core import EXPRESSIONS, Bools, Float32, Float64, Image, Indices, MetricValue, columns_by_name
from mien.datasets import FaceSamples, load_fairface, load_ferplus, load_lfw, person
from mien.evaluation.corruptions import DEGRADATIONS, cover_face, degrade, pixelate, with_border
from mien.evaluation.evaluation_report import Report, bootstrap_metric
from mien.evaluation.face_crops import (
    FERPLUS_PX,
    WITHOUT_TEST,
    bundle_report,
    decode_pictures,
    expression_probabilities,
    with_keypoints,
)
from mien.faces import Detections, LandmarkModel, load_landmark_net, points_in_pixels, quality_signals, sureness
from mien.metrics import aurc, rank_correlation, risk_coverage, roc_auc

# FER+ faces are 48 px; enlarged as by a zoom, they are large enough for detectors.
_LARGEST_ZOOM = 3.0
_COVERAGE = 0.8
# Faces of each set that are covered, pixelated and blurred.
_N_CHANGED = 1000
# Half-size of a box around the mean of the five keypoints, in units of their extent.
_BOX = np.array([0.95, 1.15])

Way = Literal["mixed", "plain", "covered", "pixelated", "blurred"]
"""How images are changed: by `degrade`, not at all, by `cover_face`, by `pixelate`, by a blur of any strength."""

TURNED_RAD = np.deg2rad(30.0)
"""Absolute yaw from which a head counts as turned."""

HELD = 0.6
"""Landmark confidence from which a followed face is kept, as in videos."""


@dataclass(frozen=True, eq=False, kw_only=True)
class DegradedPredictions:
    """Predictions for N faces in degraded images.

    Attributes:
        kinds: (N,) corruptions of each image, see `mien.evaluation.corruptions`.
        names: (N,) names of the images.
        signals: (N, 12) quality signals, see `mien.faces.quality_signals`, and `mien.faces.sureness`.
        quality: (N,) quality of the faces, in [0, 1].
        scores: (N,) confidence of the landmark net, in [0, 1].
        yaw_rad: (N,) yaw by the landmark net, in radians.
        predicted: (N,) number of the top expression.
        confidence: (N,) its probability.
        correct: (N,) whether it is the expression with most votes.
    """

    kinds: npt.NDArray[np.str_]
    names: npt.NDArray[np.str_]
    signals: Float32
    quality: Float32
    scores: Float32
    yaw_rad: Float32
    predicted: Indices
    confidence: Float32
    correct: Bools

    def take(self, rows: Bools | Indices) -> DegradedPredictions:
        """The predictions of some faces."""
        return DegradedPredictions(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @classmethod
    def concatenated(cls, parts: Iterable[DegradedPredictions]) -> DegradedPredictions:
        """The predictions of all parts, in order."""
        parts = list(parts)
        arrays = [field.name for field in fields(cls)]
        return cls(
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in arrays},
        )


def predict_degraded(analyzer: Analyzer, samples: FaceSamples, *, seed: int, way: Way = "mixed") -> DegradedPredictions:
    """Predictions for every image, degraded once and analysed as the next frame of a followed face.

    The known keypoints give the place of the face; the default landmark net gives landmarks and confidence there.
    Where its confidence is below `HELD`, the known keypoints stay. A detector would miss most of the bad faces, which
    are those that quality has to rank low.

    Args:
        analyzer: Analyzer of the evaluated bundle.
        samples: Images filled by one face, with their expression; those without known keypoints are left out.
        seed: Seed of the corruptions.
        way: How the images are changed.
    """
    rng = np.random.default_rng(seed)
    samples = with_keypoints(samples)
    targets = samples.expression.argmax(axis=1)
    net = load_landmark_net()
    kinds, found, signals, crops = [], [], [], []
    for picture, keypoints in zip(decode_pictures(samples), samples.keypoints, strict=True):
        zoom = rng.uniform(1, _LARGEST_ZOOM) if max(picture.shape) <= FERPLUS_PX else 1.0
        picture = np.asarray(cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC), np.uint8)
        place = points_in_pixels(keypoints, picture)
        shown, matrix, kind = _changed(picture, place, way, rng)
        known = place @ matrix[:, :2].T + matrix[:, 2]
        face = followed_face(net, shown, known.astype(np.float32))
        crop = cut_faces(shown, face, analyzer.spec)
        kinds.append(kind)
        found.append(face)
        signals.append(quality_signals(shown.shape[:2], face, crop)[0])
        crops.append(crop[0])
    of_image, model = np.array(signals, np.float32).reshape(len(crops), -1), analyzer.quality_model
    probabilities, factor = _read(analyzer, crops, of_image)
    confidence = probabilities.max(axis=1)
    faces = Detections.concatenated(found)
    return DegradedPredictions(
        kinds=np.array(kinds, dtype=np.str_),
        names=np.array(samples.names, dtype=np.str_),
        signals=np.column_stack([of_image, sureness(confidence)]),
        quality=(
            np.full(len(crops), np.nan, np.float32)
            if model is None
            else model.with_hiding(model.with_sureness(model(of_image), confidence), factor)
        ),
        scores=faces.confidence,
        yaw_rad=faces.pose_rad[:, 1],
        predicted=probabilities.argmax(axis=1),
        confidence=confidence,
        correct=probabilities.argmax(axis=1) == targets,
    )


def _read(analyzer: Analyzer, crops: Sequence[Image], signals: Float32) -> tuple[Float32, Float32 | None]:
    """Expression probabilities (N, 8) of aligned crops, and the factor (N,) of the quality of hidden faces, if any."""
    model, features = analyzer.quality_model, analyzer.spec.features
    if model is None or not features or not crops:
        return expression_probabilities(analyzer.crops(crops, aligned=True)), None
    outputs, decoder = analyzer.bundle.run(np.stack(crops)), Decoder(analyzer.spec)
    columns = columns_by_name(decoder.expression_labels, EXPRESSIONS)
    return decoder(outputs)["expression"][:, columns], model.hiding_factor(signals, outputs[features])


def _changed(picture: Image, keypoints: Float64, way: Way, rng: np.random.Generator) -> tuple[Image, Float64, str]:
    """An image with a border, its matrix and its kind, as `degrade` gives them."""
    if way == "mixed":
        return degrade(picture, rng)
    if way == "covered":
        picture = cover_face(picture, keypoints, rng)
    elif way == "pixelated":
        picture = pixelate(picture, keypoints, rng)
    shown, matrix = with_border(picture)
    if way == "blurred":
        shown, _ = DEGRADATIONS[way](shown, rng)
    return shown, matrix, way


def followed_face(net: LandmarkModel, image: Image, known: Float32) -> Detections:
    """The face at five known keypoints, with the landmarks of the net where it is confident."""
    found = net.read(image, known[None])
    if found.confidence[0] >= HELD:
        return found
    middle, extent = known.mean(axis=0), np.ptp(known, axis=0).max()
    box = np.concatenate([middle - _BOX * extent, middle + _BOX * extent])[None].astype(np.float32)
    return Detections(box, found.confidence, known[None])


def evaluate_quality(subject: Analyzer, data: Path, split: str = "test") -> Report:
    """How well quality ranks right predictions above wrong ones, on degraded, turned and hidden faces.

    Hidden faces are covered, pixelated or blurred. The area under the risk-coverage curve (AURC) is the mean error when
    the faces with the lowest confidence are left out one by one. Confidence is the quality, the probability of the top
    expression (all that is available without a quality model), the product of both, or a constant. LFW's labels are
    single and noisy. FairFace has no labels: there a prediction is right if it is that of the unchanged face.
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
        [
            *_metrics("FER+", ferplus, None),
            *_metrics("LFW", lfw, people),
            *(line for name, of in changed_sets(subject, data, split).items() for line in _ranking(name, of)),
        ],
    )


def changed_sets(analyzer: Analyzer, data: Path, split: str = "test") -> dict[str, DegradedPredictions]:
    """Name -> predictions for plain, turned, covered, pixelated and blurred faces of people whom no recipe trains on.

    Args:
        analyzer: Analyzer of the evaluated bundle.
        data: Folder of the open face sets.
        split: Split of the protocol.
    """
    valid = WITHOUT_TEST[split]
    sets = {"FER+": load_ferplus(data, valid), "LFW": load_lfw(data, split), "FairFace": load_fairface(data, valid)}
    result = {}
    for number, (name, samples) in enumerate(sets.items()):
        some = samples.take(np.random.default_rng(number).permutation(len(samples))[:_N_CHANGED])
        labelled = name != "FairFace"
        plain = predict_degraded(analyzer, samples if labelled else some, seed=10 * number, way="plain")
        if labelled:
            result[f"{name}, plain"] = plain
            result[f"{name}, turned"] = plain.take(np.abs(plain.yaw_rad) > TURNED_RAD)
        ways: tuple[Way, ...] = ("covered", "pixelated", "blurred")
        for place, way in enumerate(ways, 1):
            changed = predict_degraded(analyzer, some, seed=10 * number + place, way=way)
            if not labelled:
                changed = replace(changed, correct=changed.predicted == plain.predicted)
            result[f"{name}, {way}"] = changed
    return result


def _ranking(name: str, predictions: DegradedPredictions) -> list[MetricValue]:
    """Accuracy, mean quality, AUC and AURC of one kind of faces; on plain ones also the correlation with yaw."""
    correct, quality = predictions.correct, predictions.quality
    n = len(correct)
    if not n or np.isnan(quality).any():
        return []

    def falls_with_yaw(rows: Indices) -> float:
        return rank_correlation(np.abs(yaw[rows]), quality[known][rows])

    metrics = [
        bootstrap_metric(f"{name}: accuracy", n, lambda rows: float(correct[rows].mean())),
        bootstrap_metric(f"{name}: mean quality", n, lambda rows: float(quality[rows].mean())),
        bootstrap_metric(f"{name}: AURC by quality", n, lambda rows: aurc(correct[rows], quality[rows])),
    ]
    if 0 < correct.sum() < n:
        title = f"{name}: AUC of quality, right against wrong"
        metrics.append(bootstrap_metric(title, n, lambda rows: roc_auc(correct[rows], quality[rows])))
    known = np.isfinite(predictions.yaw_rad)
    yaw = predictions.yaw_rad[known]
    if name.endswith("plain") and len(yaw) > 1:
        title = f"{name}: rank correlation of quality with the absolute yaw"
        metrics.append(bootstrap_metric(title, len(yaw), falls_with_yaw))
    return metrics


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

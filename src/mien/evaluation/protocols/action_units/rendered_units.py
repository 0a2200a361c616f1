# SPDX-License-Identifier: Apache-2.0
"""Protocol of action units on rendered faces of persons that no recipe trains on, whose intensities are exact."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from mien.affect import Analyzer
from mien.core import ACTION_UNIT_SIDES, Bools, Float32, Float64, Image, Indices, MetricValue
from mien.datasets import RenderedFaces, load_rendered_faces
from mien.evaluation.evaluation_report import Report, bootstrap_group_metric
from mien.evaluation.face_crops import bundle_report, group_codes
from mien.faces import align_faces, keypoints_of, points_in_pixels
from mien.media import decode_image
from mien.metrics import concordant_pairs

_PRESENT = 2.0
_UNEVEN = 1.0
_FEWEST = 20

_Statistic = Callable[[Float64], Float64]
"""Function of weights (R, N) of the faces that returns R values."""


def evaluate_au_rendered(subject: Analyzer, data: Path, split: str = "test") -> Report:
    """Action units on rendered faces that ``mien synthesize`` wrote, of persons that no recipe trains on.

    Faces are aligned by their exact keypoints. Present is an intensity of 2 or more of 5. Per unit: AUC of its
    probability, and where the bundle gives intensities their AUC and their mean absolute error (0 to 5); then the
    means over the units. Where it gives intensities of sides: for each unit with sides, the AUC of left minus right, on
    faces whose sides differ by 1 or more, between those whose left and those whose right side is stronger. Intervals
    draw whole persons. Units that fewer than 20 faces show or lack are left out.
    """
    samples = load_rendered_faces(data, split)
    faces = subject.crops(_aligned(samples, subject), aligned=True)
    groups = group_codes(samples.identity)
    statistics: dict[str, dict[str, _Statistic]] = {"AUC": {}, "intensity AUC": {}, "intensity error": {}}
    dropped = {}
    for column, label in enumerate(samples.action_unit_labels):
        truth = samples.intensity[:, column].astype(np.float64)
        present = truth >= _PRESENT
        if label not in faces.action_unit_labels or min(present.sum(), (~present).sum()) < _FEWEST:
            dropped[f"{label} is not predicted or too rare"] = int(present.sum())
            continue
        own = faces.action_unit_labels.index(label)
        statistics["AUC"][label] = partial(_auc, present, faces.action_units[:, own].astype(np.float64))
        intensity = faces.action_unit_intensity[:, own].astype(np.float64)
        if np.isfinite(intensity).all():
            statistics["intensity AUC"][label] = partial(_auc, present, intensity)
            statistics["intensity error"][label] = partial(_weighted_mean, np.abs(intensity - truth))
    statistics["side AUC"] = _sides(samples.sides, faces.action_unit_sides)
    metrics: list[MetricValue] = []
    for name, units in statistics.items():
        metrics += [_metric(f"{name} {label}", (statistic,), groups) for label, statistic in units.items()]
        if units:
            metrics.append(_metric(f"mean {name}, {len(units)} units", tuple(units.values()), groups))
    return bundle_report("au-rendered", f"rendered faces, {split}", subject, len(samples), dropped, metrics)


def _sides(truth: Float32, predicted: Float32) -> dict[str, _Statistic]:
    """Unit -> AUC of the stronger side, where the bundle gives it and enough faces are uneven."""
    found: dict[str, _Statistic] = {}
    for column in range(0, len(ACTION_UNIT_SIDES), 2):
        uneven, own = (sides[:, column].astype(np.float64) - sides[:, column + 1] for sides in (truth, predicted))
        rows = np.abs(uneven) >= _UNEVEN
        if np.isfinite(own).all() and min((uneven[rows] > 0).sum(), (uneven[rows] < 0).sum()) >= _FEWEST:
            found[ACTION_UNIT_SIDES[column].partition("_")[0]] = partial(_side_auc, uneven, own, rows)
    return found


def _side_auc(uneven: Float64, own: Float64, rows: Bools, weights: Float64) -> Float64:
    return _auc(uneven[rows] > 0, own[rows], weights[:, rows])


def _aligned(samples: RenderedFaces, analyzer: Analyzer) -> list[Image]:
    """Crops (S, S, 3) by the exact keypoints."""
    spec = analyzer.spec
    crops = []
    for name, data, landmarks in zip(samples.names, samples.images, samples.landmarks, strict=True):
        image = decode_image(data, name=name)
        place = keypoints_of(points_in_pixels(landmarks, image))
        crops.append(align_faces(image, place[None], spec.crop.template, spec.input.size_px)[0])
    return crops


def _metric(name: str, statistics: tuple[_Statistic, ...], groups: Indices) -> MetricValue:
    """The mean of statistics of all faces, its interval by drawing persons."""

    def of_persons(weights: Float64) -> Float64:
        return np.asarray(np.mean([statistic(weights[:, groups]) for statistic in statistics], axis=0))

    return bootstrap_group_metric(name, len(groups), of_persons, int(groups.max()) + 1)


def _auc(present: Bools, values: Float64, weights: Float64) -> Float64:
    concordant, pairs = concordant_pairs(present, values, weights)
    return np.asarray(np.divide(concordant, pairs, out=np.full(len(weights), np.nan), where=pairs > 0))


def _weighted_mean(values: Float64, weights: Float64) -> Float64:
    return np.asarray(weights @ values / weights.sum(axis=1))

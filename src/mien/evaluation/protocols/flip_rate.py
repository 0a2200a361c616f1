# SPDX-License-Identifier: Apache-2.0
"""Protocol of the flip rate: how often the top expression changes when a face is made gray and 48 px small."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mien.affect import Analyzer
from mien.core import DIMENSIONS, Bools, Faces, Image, MetricValue
from mien.datasets import FaceSamples, load_fairface
from mien.evaluation.evaluation_report import Report
from mien.evaluation.face_crops import (
    FERPLUS_PX,
    align_samples,
    bundle_report,
    decode_pictures,
    expression_probabilities,
    fairface_title,
    mean_metric,
    with_keypoints,
)
from mien.faces import to_colour


@dataclass(frozen=True, eq=False)
class TwoViews:
    """Predictions for N faces and for their gray, 48-px versions."""

    sharp: Faces
    small: Faces

    @property
    def flipped(self) -> Bools:
        """(N,) whether the top expression differs between the two."""
        one, other = expression_probabilities(self.sharp), expression_probabilities(self.small)
        return np.asarray(one.argmax(axis=1) != other.argmax(axis=1))


def evaluate_flip_rate(subject: Analyzer, data: Path, split: str = "valid") -> Report:
    """FairFace faces against their gray, 48-px versions: flipped top expressions, changed valence and arousal.

    Once aligned by the teacher's keypoints, as the analyzer aligns a detected face (faces without keypoints are left
    out), and once as whole images, without any alignment.
    """
    samples = load_fairface(data, split)
    aligned = with_keypoints(samples)
    views = {
        "aligned": view_aligned(subject, aligned),
        "whole image": _view_whole(subject, samples),
    }
    metrics = [line for name, predicted in views.items() for line in _metrics(name, predicted)]
    dropped = {"without keypoints, not in the aligned part": len(samples) - len(aligned)}
    return bundle_report("flip-rate", fairface_title(split), subject, len(samples), dropped, metrics)


def view_aligned(analyzer: Analyzer, samples: FaceSamples) -> TwoViews:
    """Both views of faces whose keypoints are known; the small one is aligned at 48 px, the size of FER+."""
    sharp, small = align_samples(samples, analyzer.spec)
    return TwoViews(analyzer.crops(sharp, aligned=True), analyzer.crops(small, aligned=True))


def _view_whole(analyzer: Analyzer, samples: FaceSamples) -> TwoViews:
    pictures = decode_pictures(samples)
    small = [_gray_48(picture) for picture in pictures]
    return TwoViews(analyzer.crops(pictures, given="whole"), analyzer.crops(small, given="whole"))


def _gray_48(picture: Image) -> Image:
    """An image (H, W, 3) of at least 48 px as (48, 48) gray, by area averaging."""
    small = cv2.resize(picture, (FERPLUS_PX, FERPLUS_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(to_colour(np.asarray(small, dtype=np.uint8)[None], "gray")[0])


def _metrics(view: str, predicted: TwoViews) -> list[MetricValue]:
    everyone = np.arange(len(predicted.sharp))
    kept = np.ones(len(everyone), dtype=bool)
    metrics = [mean_metric(f"flip rate, {view}", predicted.flipped, kept, everyone)]
    for dimension in DIMENSIONS:
        change = np.abs(getattr(predicted.sharp, dimension) - getattr(predicted.small, dimension))
        if np.isfinite(change).all():
            metrics.append(mean_metric(f"mean change of {dimension}, {view}", change, kept, everyone))
    return metrics

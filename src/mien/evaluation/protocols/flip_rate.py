# SPDX-License-Identifier: Apache-2.0
"""The flip rate: does a face keep its expression when it is shown gray and small, as the teaching faces were?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mien.affect import Analyzer
from mien.core import DIMENSIONS, Faces, MetricValue
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

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class TwoViews:
    """What a bundle says of N faces and of their gray, 48-px versions."""

    sharp: Faces
    small: Faces

    @property
    def flipped(self) -> npt.NDArray[np.bool_]:
        """(N,) whether the top expression differs between the two."""
        one, other = expression_probabilities(self.sharp), expression_probabilities(self.small)
        return np.asarray(one.argmax(axis=1) != other.argmax(axis=1))


def evaluate_flip_rate(subject: Analyzer, data: Path, split: str = "valid") -> Report:
    """FairFace validation faces against their gray, 48-px versions: flipped top expressions, moved valence and arousal.

    Once aligned, as faces that the analyzer finds (those whose points the teacher knows), and once as the pictures
    stand, as users pass them to `Analyzer.crops`.
    """
    samples = load_fairface(data, split)
    aligned = with_keypoints(samples)
    views = {
        "aligned": view_aligned(subject, aligned),
        "as they stand": _view_whole(subject, samples),
    }
    measures = [line for name, seen in views.items() for line in _measures(name, seen)]
    dropped = {"without points, not in the aligned part": len(samples) - len(aligned)}
    return bundle_report("flip-rate", fairface_title(split), subject, len(samples), dropped, measures)


def view_aligned(analyzer: Analyzer, samples: FaceSamples) -> TwoViews:
    """Both views of faces whose points are known; the small one is cut at 48 px, so the face is as large as in FER+."""
    sharp, small = align_samples(samples, analyzer.spec)
    return TwoViews(analyzer.crops(sharp), analyzer.crops(small))


def _view_whole(analyzer: Analyzer, samples: FaceSamples) -> TwoViews:
    pictures = decode_pictures(samples)
    return TwoViews(analyzer.crops(pictures), analyzer.crops([_gray_48(picture) for picture in pictures]))


def _gray_48(picture: Image) -> Image:
    """A picture (H, W, 3) of at least 48 px as (48, 48) gray, each pixel the mean of those it covers."""
    small = cv2.resize(picture, (FERPLUS_PX, FERPLUS_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(to_colour(np.asarray(small, dtype=np.uint8)[None], "gray")[0])


def _measures(view: str, seen: TwoViews) -> list[MetricValue]:
    everyone = np.arange(len(seen.sharp))
    kept = np.ones(len(everyone), dtype=bool)
    measures = [mean_metric(f"flip rate, {view}", seen.flipped, kept, everyone)]
    for dimension in DIMENSIONS:
        moved = np.abs(getattr(seen.sharp, dimension) - getattr(seen.small, dimension))
        if np.isfinite(moved).all():
            measures.append(mean_metric(f"mean move of {dimension}, {view}", moved, kept, everyone))
    return measures

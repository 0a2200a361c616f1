# SPDX-License-Identifier: Apache-2.0
"""Proof (b): pseudo-videos of FER+ valid faces, and the gain from interpolating and box-smoothing their frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mien.affect import Analyzer, box_mean, fill_gaps
from mien.core import EXPRESSIONS
from mien.datasets import FaceSamples
from mien.evaluation.face_crops import decode_pictures, expression_probabilities
from mien.metrics import ccc, macro_f1

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Image = npt.NDArray[np.uint8]

HALF_WIDTHS = (0, 1, 2, 3, 5, 8, 12, 18, 25, 35, 50, 80, 120)

_HELD_FRAMES = 5
_NEAREST = 12
_LOST_STARTS, _LOST_FRAMES = 0.02, 8
_BATCH = 64


@dataclass(frozen=True, eq=False)
class PseudoVideo:
    """T frames of a video in which labels change slowly and faces often.

    An expression lasts for some time; within it a target of valence and arousal drifts. Every 5 frames show another
    face of this expression, drawn among the 12 whose labels lie nearest to the target, and every frame is cropped
    slightly differently. Some runs of frames are lost.

    Attributes:
        face: (T,) row of the face in the samples.
        lost: (T,) whether no face was found in the frame; lost frames keep their labels.
    """

    face: Ints
    lost: npt.NDArray[np.bool_]


def make_video(samples: FaceSamples, n_frames: int, mean_segment: int, rng: np.random.Generator) -> PseudoVideo:
    """A video whose expressions last ``mean_segment`` frames on average, drawn uniformly among those with 40 faces."""
    classes = samples.expression.argmax(axis=1)
    usable = np.flatnonzero(np.bincount(classes, minlength=len(EXPRESSIONS)) >= 40)
    faces: list[int] = []
    while len(faces) < n_frames:
        members = np.flatnonzero(classes == rng.choice(usable))
        affect = samples.valence_arousal[members]
        target = affect[rng.integers(len(members))].astype(np.float64)
        for _ in range(max(1, round(rng.exponential(mean_segment) / _HELD_FRAMES))):
            nearest = np.argsort(((affect - target) ** 2).sum(axis=1))[:_NEAREST]
            faces += [int(members[rng.choice(nearest)])] * _HELD_FRAMES
            target += rng.normal(0, 0.05, 2)
    lost = np.zeros(n_frames, dtype=bool)
    for start in np.flatnonzero(rng.random(n_frames) < _LOST_STARTS):
        lost[start : start + rng.geometric(1 / _LOST_FRAMES)] = True
    lost[0] = False
    return PseudoVideo(np.array(faces[:n_frames]), lost)


def jitter(image: Image, rng: np.random.Generator) -> Image:
    """Rotate, zoom and shift an image slightly, as the box of a detector varies."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), rng.normal(0, 4), 1 + rng.normal(0, 0.05))
    matrix[:, 2] += rng.normal(0, 0.03, 2) * (width, height)
    turned = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, dtype=np.uint8)


@dataclass(frozen=True, eq=False)
class FramePredictions:
    """Predictions of a bundle for the frames of a video that have a face.

    Attributes:
        frames: (M,) frame numbers.
        expression: (M, 8) probabilities.
        affect: (M, 2) valence and arousal.
    """

    frames: Ints
    expression: Doubles
    affect: Doubles


def predict_frames(
    analyzer: Analyzer, samples: FaceSamples, video: PseudoVideo, rng: np.random.Generator
) -> FramePredictions:
    """Run the bundle on every frame that is not lost."""
    images = decode_pictures(samples)
    frames = np.flatnonzero(~video.lost)
    expression, affect = [], []
    for start in range(0, len(frames), _BATCH):
        rows = video.face[frames[start : start + _BATCH]]
        faces = analyzer.crops([jitter(images[row], rng) for row in rows])
        expression.append(expression_probabilities(faces))
        affect.append(np.stack([faces.valence, faces.arousal], axis=1))
    return FramePredictions(
        frames, np.concatenate(expression).astype(np.float64), np.concatenate(affect).astype(np.float64)
    )


@dataclass(frozen=True, kw_only=True)
class Point:
    """One point of the sweep.

    Attributes:
        half_width: half-width d of the box, in frames.
        f1: macro F1 of expressions over the classes that occur.
        ccc: mean CCC of valence and arousal.
    """

    half_width: int
    f1: float
    ccc: float


def sweep(samples: FaceSamples, video: PseudoVideo, predictions: FramePredictions) -> Iterator[Point]:
    """Fill the lost frames, smooth with each half-width, and score every frame, lost ones included."""
    timeline = np.arange(len(video.face))
    dense = fill_gaps(
        predictions.frames, np.concatenate([predictions.expression, predictions.affect], axis=1), timeline
    )
    label = samples.expression.argmax(axis=1)[video.face]
    truth = samples.valence_arousal[video.face]
    for half_width in HALF_WIDTHS:
        smooth = box_mean(dense, half_width)
        yield _score(half_width, label, truth, smooth[:, :-2].argmax(axis=1), smooth[:, -2:])


def without_interpolation(samples: FaceSamples, video: PseudoVideo, predictions: FramePredictions) -> Point:
    """Score the frames without interpolation: lost frames are neutral with valence and arousal 0, like absent rows."""
    n = len(video.face)
    predicted, affect = np.full(n, EXPRESSIONS.index("neutral")), np.zeros((n, 2))
    predicted[predictions.frames], affect[predictions.frames] = (
        predictions.expression.argmax(axis=1),
        predictions.affect,
    )
    label = samples.expression.argmax(axis=1)[video.face]
    return _score(-1, label, samples.valence_arousal[video.face], predicted, affect)


def _score(half_width: int, label: Ints, truth: npt.NDArray[np.floating], predicted: Ints, affect: Doubles) -> Point:
    present = np.unique(label)
    order = np.full(len(EXPRESSIONS), len(present))
    order[present] = np.arange(len(present))
    # Predictions of a class that no face of the video has are wrong in an extra class, which is left out of the mean.
    n_classes = len(present) + 1
    share = macro_f1(order[label], order[predicted], n_classes) * n_classes / len(present)
    agreement = float(np.mean([ccc(affect[:, column], truth[:, column]) for column in range(2)]))
    return Point(half_width=half_width, f1=share, ccc=agreement)

# SPDX-License-Identifier: Apache-2.0
"""`QualityModel`: how likely the affect of a face can be read at all, from what can be measured of its picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import ConfigError, ModelError
from mien.core.typed import read_typed
from mien.faces.alignment import Image
from mien.faces.detector import Detections

Floats = npt.NDArray[np.float32]
Complex = npt.NDArray[np.inexact]

SIGNALS = ("size", "sharpness", "sharpness_squared", "contrast", "turn", "nod", "roll", "outside", "doubt")
"""Columns of `quality_signals`, in order."""

DEFAULT_QUALITY = Path(__file__).with_name("quality.json")

# Sharpness is measured on gray crops of this side, whatever the side that a model wants.
_SIDE_PX = 56
# Noise of the sensor and rounding: a flat crop must not have an infinite sharpness or a logarithm of nothing.
_NOISE_GRAY = 1.0
# Where the nose of a frontal face lies on the way from the eyes to the mouth.
_NOSE_FRONTAL = 0.5
# Places on the part of a face that crops show, in eye-to-mouth distances from the middle of the eyes: down the face is
# the real axis.
_PLACES = np.add.outer(np.linspace(-1.0, 1.6, 8), -1j * np.linspace(-1.3, 1.3, 8)).ravel()
_SURE = 1e-4


def quality_signals(picture: tuple[int, int], faces: Detections, crops: Image) -> Floats:
    """What is measured of each face, on scales on which a linear model does well.

    Args:
        picture: height and width of the picture in pixels.
        faces: N faces in it.
        crops: (N, S, S) gray or (N, S, S, 3) uint8: the faces, aligned.

    Returns:
        (N, 9), columns as `SIGNALS` names them. ``size``: log2 of the larger of the distances between the eyes and from
        eyes to mouth, in pixels of the picture. ``sharpness``: log2 of the deviation of the crop's Laplacian over that
        of its gray values, and its square, because noise is sharp too. ``contrast``: log2 of the latter deviation
        (gray values of 0 to 255). ``turn``, ``nod``: how far the nose is from the middle line, and from half the way
        from eyes to mouth, over that size (0 for a frontal face, about .35 at 45 degrees). ``roll``: 1 - cosine of
        the angle by which the head is tilted. ``outside``: share of the face that the picture does not show.
        ``doubt``: minus the log odds of the detection's score.

    Raises:
        ConfigError: there are not as many crops as faces.
    """
    if len(crops) != len(faces):
        raise ConfigError(f"{len(faces)} faces need as many crops, got {len(crops)}")
    if not len(faces):
        return np.empty((0, len(SIGNALS)), np.float32)
    # Complex numbers turn and scale points of the plane with one multiplication.
    points = faces.keypoints[..., 0] + 1j * faces.keypoints[..., 1]
    left, right, nose, eyes = points[:, 0], points[:, 1], points[:, 2], (points[:, 0] + points[:, 1]) / 2
    across, down = right - left, (points[:, 3] + points[:, 4]) / 2 - eyes
    between_eyes, to_mouth = np.abs(across), np.abs(down)
    size = np.maximum(np.maximum(between_eyes, to_mouth), 1)
    # A turned head shortens the line of the eyes, a nodding one that of the face: the longer one is the surer axis.
    axis = np.where(between_eyes < to_mouth, down, 1j * across) / size
    turn_nod = (nose - eyes) * np.conj(axis) / size - (down / size * np.conj(axis)).imag * 0.5j
    sharpness, contrast = _texture(crops)
    score = np.clip(faces.confidence, _SURE, 1 - _SURE)
    signals = np.empty((len(faces), len(SIGNALS)), np.float32)
    signals[:, 0] = np.log2(size)
    signals[:, 1] = sharpness
    signals[:, 2] = sharpness**2
    signals[:, 3] = contrast
    signals[:, 4] = np.abs(turn_nod.imag)
    signals[:, 5] = np.abs(turn_nod.real - _NOSE_FRONTAL)
    signals[:, 6] = 1 - axis.imag
    signals[:, 7] = _outside(picture, eyes, axis * size)
    signals[:, 8] = np.log((1 - score) / score)
    return signals


@dataclass(frozen=True, kw_only=True)
class QualityModel:
    """A logistic model: quality is the chance that the expression read from a face is the one that people see.

    Attributes:
        intercept: log odds for a face of average signals.
        weights: signal -> log odds per deviation.
        mean: signal -> average over the faces it was fitted to.
        deviation: signal -> standard deviation over them.
        bundle: that read those faces.
        faces: what they were.
        n: how many.
        command: that fits it again.
    """

    intercept: float
    weights: Mapping[str, float]
    mean: Mapping[str, float]
    deviation: Mapping[str, float]
    bundle: str
    faces: str
    n: int
    command: str

    def __post_init__(self) -> None:
        for name in ("weights", "mean", "deviation"):
            if set(getattr(self, name)) != set(SIGNALS):
                raise ConfigError(f"{name} must name the signals {SIGNALS}, got {sorted(getattr(self, name))}")
        if min(self.deviation.values()) <= 0:
            raise ConfigError("a deviation must be above 0")

    @cached_property
    def _arrays(self) -> tuple[Floats, Floats, Floats]:
        columns = (self.weights, self.mean, self.deviation)
        weights, mean, deviation = (np.array([of[name] for name in SIGNALS], np.float32) for of in columns)
        return weights, mean, deviation

    def __call__(self, signals: Floats) -> Floats:
        """Quality (N,) in [0, 1] of faces with these signals (N, 9); NaN where a signal is not finite."""
        weights, mean, deviation = self._arrays
        # Beyond what was fitted a straight line means nothing: faces are no better than the best and no worse than
        # the worst that was seen.
        logits = np.clip((signals - mean) / deviation, -3, 3) @ weights + np.float32(self.intercept)
        return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


@cache
def load_quality_model(path: Path = DEFAULT_QUALITY) -> QualityModel:
    """The model of a JSON file, by default the one that mien was released with.

    Raises:
        ModelError: the file cannot be read, or is no quality model.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: no quality model can be read ({error}); install mien again") from error
    try:
        return read_typed(QualityModel, content, str(path))
    except ConfigError as error:
        raise ModelError(f"{error}; fit it again with `python -m benchmarks quality`") from error


def _texture(crops: Image) -> tuple[Floats, Floats]:
    """Logarithms of sharpness and contrast of each crop, (N,) and (N,)."""
    deviations = np.empty((len(crops), 2), np.float32)
    for crop, row in zip(crops, deviations, strict=True):
        gray = crop if crop.ndim == 2 else cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(gray, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
        row[:] = [float(cv2.meanStdDev(plane)[1][0, 0]) for plane in (cv2.Laplacian(small, cv2.CV_16S), small)]
    logarithms = np.log2(np.hypot(deviations, np.float32(_NOISE_GRAY)))
    return logarithms[:, 0] - logarithms[:, 1], logarithms[:, 1]


def _outside(picture: tuple[int, int], eyes: Complex, down: Complex) -> npt.NDArray[np.floating]:
    """Share (N,) of each face that lies beyond the picture, by a grid of places on it."""
    places = eyes[:, None] + down[:, None] * _PLACES
    x, y = places.real, places.imag
    inside = (x > -0.5) & (y > -0.5) & (x < picture[1] - 0.5) & (y < picture[0] - 0.5)
    return np.asarray(1 - inside.sum(axis=1) / _PLACES.size)

# SPDX-License-Identifier: Apache-2.0
"""Quality of faces: signals that are computed from an image, and the model of a bundle that weighs them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import ConfigError, Float32, Floats, Image, ModelError, QualitySpec, columns_by_name
from mien.faces.detector import Detections

Complex = npt.NDArray[np.inexact]

SIGNALS = ("size", "sharpness", "sharpness_squared", "contrast", "turn", "nod", "roll", "outside", "doubt")
"""Columns of `quality_signals`, in order."""

# Sharpness is computed on gray crops of this side, whatever the input size of the model.
_SIDE_PX = 56
# Noise of the sensor and rounding: a flat crop must not have an infinite sharpness or a logarithm of zero.
_NOISE_GRAY = 1.0
# Position of the nose of a frontal face on the way from the eyes to the mouth.
_NOSE_FRONTAL = 0.5
# Grid on the part of a face that crops show, in eye-to-mouth distances from the middle of the eyes; the real axis
# goes down the face.
_GRID = np.add.outer(np.linspace(-1.0, 1.6, 8), -1j * np.linspace(-1.3, 1.3, 8)).ravel()
_SURE = 1e-4


def quality_signals(shape: tuple[int, int], faces: Detections, crops: Image) -> Float32:
    """Signals of image quality of each face, on scales that suit a linear model.

    Args:
        shape: Height and width of the image in pixels.
        faces: N faces in the image.
        crops: (N, S, S) gray or (N, S, S, 3) uint8: the faces, aligned.

    Returns:
        (N, 9), columns as `SIGNALS` names them. ``size``: log2 of the larger of the distances between the eyes and from
        eyes to mouth, in pixels of the image. ``sharpness``: log2 of the deviation of the crop's Laplacian over that
        of its gray values, and its square, because noise is sharp too. ``contrast``: log2 of the latter deviation
        (gray values of 0 to 255). ``turn``, ``nod``: distance of the nose from the middle line, and from half the way
        from eyes to mouth, over that size (0 for a frontal face, about 0.35 at 45 degrees). ``roll``: 1 - cosine of
        the angle by which the head is tilted. ``outside``: share of the face outside the image. ``doubt``: minus the
        log odds of the detector's confidence.

    Raises:
        ConfigError: There are not as many crops as faces.

    Examples:
        >>> keypoints = np.array([[[30, 40], [70, 40], [50, 61], [34, 82], [66, 82]]])
        >>> face = Detections(np.array([[10, 10, 90, 100]]), np.array([0.9]), keypoints)
        >>> signals = quality_signals((120, 100), face, np.zeros((1, 80, 80), np.uint8))
        >>> print(SIGNALS[0], signals[0, 0].round(2))
        size 5.39
    """
    if len(crops) != len(faces):
        raise ConfigError(f"{len(faces)} faces need as many crops, got {len(crops)}")
    if not len(faces):
        return np.empty((0, len(SIGNALS)), np.float32)
    # Complex numbers turn and scale points of the plane with one multiplication.
    places = faces.keypoints[..., 0] + 1j * faces.keypoints[..., 1]
    left, right, nose, eyes = places[:, 0], places[:, 1], places[:, 2], (places[:, 0] + places[:, 1]) / 2
    across, down = right - left, (places[:, 3] + places[:, 4]) / 2 - eyes
    between_eyes, to_mouth = np.abs(across), np.abs(down)
    size = np.maximum(np.maximum(between_eyes, to_mouth), 1)
    # A turned head shortens the line of the eyes, a nodding one that of the face: the longer one is the surer axis.
    axis = np.where(between_eyes < to_mouth, down, 1j * across) / size
    turn_nod = (nose - eyes) * np.conj(axis) / size - (down / size * np.conj(axis)).imag * 0.5j
    sharpness, contrast = _texture(crops)
    confidence = np.clip(faces.confidence, _SURE, 1 - _SURE)
    signals = np.empty((len(faces), len(SIGNALS)), np.float32)
    signals[:, 0] = np.log2(size)
    signals[:, 1] = sharpness
    signals[:, 2] = sharpness**2
    signals[:, 3] = contrast
    signals[:, 4] = np.abs(turn_nod.imag)
    signals[:, 5] = np.abs(turn_nod.real - _NOSE_FRONTAL)
    signals[:, 6] = 1 - axis.imag
    signals[:, 7] = _outside(shape, eyes, axis * size)
    signals[:, 8] = np.log((1 - confidence) / confidence)
    return signals


class QualityModel:
    """The quality model of a bundle, ready to run.

    Args:
        spec: Coefficients, from the bundle's description.

    Raises:
        ModelError: The model uses a signal that is unknown.

    Examples:
        >>> spec = QualitySpec(
        ...     intercept=1.0, signals=("size",), weights=(0.5,), mean=(5.0,), deviation=(1.0,), data="", n=9,
        ...     command="",
        ... )
        >>> small, large = np.zeros((2, len(SIGNALS)), np.float32)
        >>> small[0], large[0] = 3, 7
        >>> print(QualityModel(spec)(np.stack([small, large])).round(2))
        [0.5  0.88]
    """

    def __init__(self, spec: QualitySpec) -> None:
        unknown = sorted(set(spec.signals) - set(SIGNALS))
        if unknown:
            raise ModelError(f"the quality model uses the unknown signals {unknown}; update mien")
        self._columns = columns_by_name(SIGNALS, spec.signals)
        self._weights, self._mean, self._deviation = (
            np.array(values, np.float32) for values in (spec.weights, spec.mean, spec.deviation)
        )
        self._intercept = np.float32(spec.intercept)

    def __call__(self, signals: Float32) -> Float32:
        """Quality (N,) in [0, 1] of faces with these signals (N, 9); NaN where a signal is not finite."""
        used = signals[:, self._columns]
        # A straight line means nothing beyond the data it was fitted to: faces are no better than the best and no
        # worse than the worst of them.
        logits = np.clip((used - self._mean) / self._deviation, -3, 3) @ self._weights + self._intercept
        return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def face_quality(model: QualityModel | None, shape: tuple[int, int], faces: Detections, crops: Image) -> Float32:
    """Quality (N,) in [0, 1] of the faces of an image; NaN without a model.

    Args:
        model: Quality model of the affect bundle, or None.
        shape: Height and width of the image in pixels.
        faces: N faces in the image.
        crops: (N, S, S) gray or (N, S, S, 3) uint8: the faces, aligned.

    Raises:
        ConfigError: There are not as many crops as faces.

    Examples:
        >>> face_quality(None, (90, 120), Detections.empty(), np.empty((0, 80, 80), np.uint8))
        array([], dtype=float32)
    """
    if model is None:
        return np.full(len(faces), np.nan, np.float32)
    return model(quality_signals(shape, faces, crops))


def _texture(crops: Image) -> tuple[Float32, Float32]:
    """Logarithms of sharpness and contrast of each crop, (N,) and (N,)."""
    deviations = np.empty((len(crops), 2), np.float32)
    for crop, row in zip(crops, deviations, strict=True):
        gray = crop if crop.ndim == 2 else cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(gray, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
        row[:] = [float(cv2.meanStdDev(plane)[1][0, 0]) for plane in (cv2.Laplacian(small, cv2.CV_16S), small)]
    logarithms = np.log2(np.hypot(deviations, np.float32(_NOISE_GRAY)))
    return logarithms[:, 0] - logarithms[:, 1], logarithms[:, 1]


def _outside(shape: tuple[int, int], eyes: Complex, down: Complex) -> Floats:
    """Share (N,) of each face outside the image, by a grid of places on it."""
    places = eyes[:, None] + down[:, None] * _GRID
    x, y = places.real, places.imag
    inside = (x > -0.5) & (y > -0.5) & (x < shape[1] - 0.5) & (y < shape[0] - 0.5)
    return np.asarray(1 - inside.sum(axis=1) / _GRID.size)

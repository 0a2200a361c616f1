# SPDX-License-Identifier: Apache-2.0
"""Quality of faces: signals that are computed from an image, and the model of a bundle that weighs them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import ConfigError, Float32, Floats, HidingSpec, Image, ModelError, QualitySpec, columns_by_name
from mien.faces.detector import Detections

Complex = npt.NDArray[np.inexact]

SIGNALS = (
    "size",
    "sharpness",
    "sharpness_squared",
    "contrast",
    "turn",
    "nod",
    "roll",
    "outside",
    "doubt",
    "eye_detail",
    "mouth_detail",
)
"""Columns of `quality_signals`, in order."""

SURENESS = "sureness"
"""Signal of the affect network itself: log odds of the probability of its top expression."""


# Sharpness is computed on gray crops of this side, whatever the input size of the model.
_SIDE_PX = 56
# Eyes and mouth in such a crop.
_EYES, _MOUTH = np.s_[14:28, 8:48], np.s_[36:50, 14:42]
# Noise of the sensor and rounding: a flat crop must not have an infinite sharpness or a logarithm of zero.
_NOISE_GRAY = 1.0
# Position of the nose of a frontal face on the way from the eyes to the mouth.
_NOSE_FRONTAL = 0.5
# Grid on the part of a face that crops show, in eye-to-mouth distances from the middle of the eyes; the real axis
# goes down the face.
_GRID = np.add.outer(np.linspace(-1.0, 1.6, 8), -1j * np.linspace(-1.3, 1.3, 8)).ravel()
# The same for brows, eyes, nose and mouth, of which a prediction is made.
_FEATURES = np.add.outer(np.linspace(-0.3, 1.2, 8), -1j * np.linspace(-0.8, 0.8, 8)).ravel()
_SURE = 1e-4
_TINY = 1e-6


def quality_signals(shape: tuple[int, int], faces: Detections, crops: Image) -> Float32:
    """Signals of image quality of each face, on scales that suit a linear model.

    Args:
        shape: Height and width of the image in pixels.
        faces: N faces in the image.
        crops: (N, S, S) gray or (N, S, S, 3) uint8: the faces, aligned.

    Returns:
        (N, 11), columns as `SIGNALS` names them. ``size``: log2 of the larger of the distances between the eyes and
        from eyes to mouth, in pixels of the image. ``sharpness``: log2 of the deviation of the crop's Laplacian over
        that of its gray values, and its square, because noise is sharp too. ``contrast``: log2 of the latter deviation
        (gray values of 0 to 255). ``turn``, ``nod``: distance of the nose from the middle line, and from half the way
        from eyes to mouth, over that size (0 for a frontal face, about 0.35 at 45 degrees). ``roll``: 1 - cosine of
        the angle by which the head is tilted. ``outside``: share of the face outside the image. ``doubt``: minus the
        log odds of the detector's confidence. ``eye_detail``, ``mouth_detail``: log2 of the deviation of the Laplacian
        about the eyes and about the mouth over that of the crop's gray values; a mask or a hand has little.

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
    places, eyes, down, axis, size = _axes(faces)
    nose = places[:, 2]
    turn_nod = (nose - eyes) * np.conj(axis) / size - (down / size * np.conj(axis)).imag * 0.5j
    sharpness, contrast, eye_detail, mouth_detail = _texture(crops)
    confidence = np.clip(faces.confidence, _SURE, 1 - _SURE)
    signals = np.empty((len(faces), len(SIGNALS)), np.float32)
    signals[:, 0] = np.log2(size)
    signals[:, 1] = sharpness
    signals[:, 2] = sharpness**2
    signals[:, 3] = contrast
    signals[:, 4] = np.abs(turn_nod.imag)
    signals[:, 5] = np.abs(turn_nod.real - _NOSE_FRONTAL)
    signals[:, 6] = 1 - axis.imag
    signals[:, 7] = _outside(shape, eyes, axis * size, _GRID)
    signals[:, 8] = np.log((1 - confidence) / confidence)
    signals[:, 9] = eye_detail
    signals[:, 10] = mouth_detail
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
        used = {*spec.signals, *(name for unit in spec.hiding for name in unit.signals)}
        unknown = sorted(used - {*SIGNALS, SURENESS})
        if unknown:
            raise ModelError(f"the quality model uses the unknown signals {unknown}; update mien")
        of_image = [place for place, name in enumerate(spec.signals) if name != SURENESS]
        self._columns = columns_by_name(SIGNALS, [spec.signals[place] for place in of_image])
        terms = np.array([spec.weights, spec.mean, spec.deviation], np.float32)
        self._weights, self._mean, self._deviation = terms[:, of_image]
        self._sureness = terms[:, spec.signals.index(SURENESS)] if SURENESS in spec.signals else None
        self._intercept = np.float32(spec.intercept)
        self._image_share = np.float32(spec.image_share)
        self._hiding = [HidingUnit(one) for one in spec.hiding]

    def __call__(self, signals: Float32) -> Float32:
        """Quality (N,) in [0, 1] of faces with these signals (N, 11), while nothing is known about the prediction.

        NaN where a signal is not finite.
        """
        used = signals[:, self._columns]
        # A straight line means nothing beyond the data it was fitted to: faces are no better than the best and no
        # worse than the worst of them.
        logits = np.clip((used - self._mean) / self._deviation, -3, 3) @ self._weights + self._intercept
        return np.asarray(1 / (1 + np.exp(-logits)), np.float32)

    def with_sureness(self, quality: Float32, top: Float32) -> Float32:
        """Quality (N,) of faces whose expressions are known, from the quality of the image.

        Args:
            quality: (N,) quality of the image alone, as calling the model gives it.
            top: (N,) probability of the top expression; the quality of a face stays where it is NaN.
        """
        if self._sureness is None:
            return quality
        weight, mean, deviation = self._sureness
        terms = weight * np.clip((sureness(top) - mean) / deviation, -3, 3)
        bounded = np.clip(quality, np.float32(_TINY), 1 - np.float32(_TINY))
        of_image = np.log(bounded / (1 - bounded)) - self._intercept
        moved = 1 / (1 + np.exp(-(self._intercept + self._image_share * of_image + terms)))
        return np.asarray(np.where(np.isnan(terms), quality, moved), np.float32)

    def hiding_factor(self, signals: Float32, features: Float32) -> Float32 | None:
        """Factor (N,) of the quality of faces that are hidden, see `mien.core.HidingSpec`.

        Args:
            signals: (N, 11) signals of the image.
            features: (N, D) embeddings.

        Returns:
            Factors in [0.5, 1], NaN where a number is not finite; None where the model knows nothing of hidden faces.
        """
        if not self._hiding:
            return None
        factors = [unit.factor(unit(signals, features)) for unit in self._hiding]
        return np.asarray(np.minimum.reduce(factors), np.float32)

    @staticmethod
    def with_hiding(quality: Float32, factor: Float32 | None) -> Float32:
        """Quality (N,) of faces with these factors (N,); it stays where the factor is NaN."""
        if factor is None:
            return quality
        return np.asarray(np.where(np.isnan(factor), quality, quality * (1 - (1 - factor) * quality)), np.float32)


class HidingUnit:
    """The unit of a `mien.core.HidingSpec`, ready to run.

    Args:
        spec: Coefficients, from the quality model of a bundle.
    """

    def __init__(self, spec: HidingSpec) -> None:
        self.spec = spec
        self._columns = columns_by_name(SIGNALS, spec.signals)
        self._weights = np.array(spec.weights, np.float32)
        self._terms = np.array([spec.signal_weights, spec.mean, spec.deviation], np.float32)
        self._bias = np.float32(spec.bias)

    def __call__(self, signals: Float32, features: Float32) -> Float32:
        """Share (N,) of the recall that is left, from signals (N, 11) and embeddings (N, D)."""
        weights, mean, deviation = self._terms
        held = np.minimum(np.maximum((signals[:, self._columns] - mean) / deviation, -3), 3)
        logits = features @ self._weights + held @ weights + self._bias
        # The logistic function: unlike exp, tanh needs no bounds.
        return np.asarray(0.5 + 0.5 * np.tanh(0.5 * logits), np.float32)

    def factor(self, share: Float32) -> Float32:
        """Factor (N,) of the quality of faces of whose recall this share (N,) is left."""
        return np.asarray(np.interp(share, self.spec.shares, self.spec.factors), np.float32)


def sureness(top: Floats) -> Float32:
    """Log odds (N,) of the probability of the top expression.

    Examples:
        >>> sureness(np.array([0.5, 0.75])).round(2).tolist()
        [0.0, 1.100000023841858]
    """
    held = np.clip(top, _SURE, 1 - _SURE)
    return np.asarray(np.log(held / (1 - held)), np.float32)


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


def _texture(crops: Image) -> tuple[Float32, Float32, Float32, Float32]:
    """Logarithms of sharpness and contrast of each crop, and of the detail about eyes and mouth, each (N,)."""
    deviations = np.empty((len(crops), 4), np.float32)
    for crop, row in zip(crops, deviations, strict=True):
        gray = crop if crop.ndim == 2 else cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(gray, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
        edges = cv2.Laplacian(small, cv2.CV_16S)
        row[:] = [float(cv2.meanStdDev(plane)[1][0, 0]) for plane in (edges, small, edges[_EYES], edges[_MOUTH])]
    logarithms = np.log2(np.hypot(deviations, np.float32(_NOISE_GRAY)))
    contrast = logarithms[:, 1]
    return logarithms[:, 0] - contrast, contrast, logarithms[:, 2] - contrast, logarithms[:, 3] - contrast


def _axes(faces: Detections) -> tuple[Complex, Complex, Complex, Complex, Floats]:
    """Keypoints (N, 5), middle of the eyes, way from there to the mouth, direction down the face, and size of faces."""
    # Complex numbers turn and scale points of the plane with one multiplication.
    places = faces.keypoints[..., 0] + 1j * faces.keypoints[..., 1]
    eyes = (places[:, 0] + places[:, 1]) / 2
    across, down = places[:, 1] - places[:, 0], (places[:, 3] + places[:, 4]) / 2 - eyes
    between_eyes, to_mouth = np.abs(across), np.abs(down)
    size = np.maximum(np.maximum(between_eyes, to_mouth), 1)
    # A turned head shortens the line of the eyes, a nodding one that of the face: the longer one is the surer axis.
    return places, eyes, down, np.where(between_eyes < to_mouth, down, 1j * across) / size, size


def share_inside(shape: tuple[int, int], faces: Detections) -> Float32:
    """Share (N,) of the brows, eyes, nose and mouth of each face that lies in the image, the bound of its quality.

    A model that was fitted to whole faces does not know faces that the edge of the image cuts off.

    Args:
        shape: Height and width of the image in pixels.
        faces: N faces in the image.

    Examples:
        >>> keypoints = np.array([[[-9, 40], [31, 40], [11, 61], [-5, 82], [27, 82]]])
        >>> face = Detections(np.array([[-30, 10, 50, 100]]), np.array([0.9]), keypoints)
        >>> print(share_inside((120, 100), face).round(2))
        [0.62]
    """
    _, eyes, _, axis, size = _axes(faces)
    return (1 - _outside(shape, eyes, axis * size, _FEATURES)).astype(np.float32)


def _outside(shape: tuple[int, int], eyes: Complex, down: Complex, grid: Complex) -> Floats:
    """Share (N,) of each face outside the image, by a grid of places on it."""
    places = eyes[:, None] + down[:, None] * grid
    x, y = places.real, places.imag
    inside = (x > -0.5) & (y > -0.5) & (x < shape[1] - 0.5) & (y < shape[0] - 0.5)
    return np.asarray(1 - inside.sum(axis=1) / grid.size)

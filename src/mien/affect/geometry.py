# SPDX-License-Identifier: Apache-2.0
"""Arousal, valence and intensity from 68 landmarks alone: distances between points, times weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mien.core import GEOMETRY_OUTPUTS, ConfigError, Float32, Floats, GeometrySpec, ModelSpec
from mien.faces import FACE_PARTS, distance_pairs, frontal_shapes, normalized_shapes, shape_distances
from mien.inference import DEFAULT_GEOMETRY, GeometryBundle, load_geometry


@dataclass(frozen=True)
class MovedDistance:
    """A distance between two landmarks of a face that is unlike that of the mean face.

    Attributes:
        landmarks: Numbers of the two landmarks in 300-W order, from 0.
        parts: Parts of the face that they belong to.
        length: Length in units of the face's size, after the face was turned to the front.
        usual: Mean length over the training faces.
        effects: Output -> what the difference adds to it.
    """

    landmarks: tuple[int, int]
    parts: tuple[str, str]
    length: float
    usual: float
    effects: Mapping[str, float]


class GeometryModel:
    """Predicts arousal, valence and intensity from landmarks.

    Args:
        bundle: Geometry bundle, see `mien.inference.load_geometry`; or its name or folder.

    Raises:
        ModelError: The bundle is missing or damaged, or of another version or kind.

    Examples:
        >>> model = GeometryModel()
        >>> model.outputs
        ('arousal', 'valence', 'intensity')
        >>> model.predict(np.zeros((0, 68, 2))).shape
        (0, 3)
    """

    outputs = GEOMETRY_OUTPUTS

    def __init__(self, bundle: GeometryBundle | str | Path = DEFAULT_GEOMETRY) -> None:
        self._bundle = bundle if isinstance(bundle, GeometryBundle) else load_geometry(bundle)
        self._points = self._bundle.spec.points

    @property
    def bundle(self) -> GeometryBundle:
        """The geometry bundle."""
        return self._bundle

    @property
    def spec(self) -> GeometrySpec:
        """Description of the geometry bundle."""
        return self._bundle.spec

    def predict(self, landmarks: Floats) -> Float32:
        """Arousal, valence and intensity of N faces.

        Args:
            landmarks: (N, 68, 2) in pixels. A row with NaN stays NaN.

        Returns:
            (N, 3) in the order of `outputs`: arousal and valence in [-1, 1], intensity in [0, 1].
        """
        points = np.asarray(landmarks)
        if len(points) <= _BLOCK:
            return self._values(points)
        return np.concatenate([self._values(points[start : start + _BLOCK]) for start in range(0, len(points), _BLOCK)])

    def _values(self, landmarks: Floats) -> Float32:
        values = self._moved(landmarks) @ self._bundle.weights.weights + self._bundle.weights.offset
        return np.asarray(np.minimum(np.maximum(values, _LOW), _HIGH), dtype=np.float32)

    def explain(self, landmarks: Floats, output: str = "valence", n: int = 5) -> tuple[MovedDistance, ...]:
        """The distances of one face that add most to an output, or take most from it.

        Neighbouring distances share their effects: read the largest ones as an illustration, and `part_effects` as the
        account.

        Args:
            landmarks: (68, 2) in pixels.
            output: Output whose effects are ordered.
            n: Number of distances.

        Returns:
            The distances, the one with the largest effect first; none for a face without landmarks.

        Raises:
            ConfigError: There is no such output.
        """
        if output not in self.outputs:
            raise ConfigError(f"a geometry bundle gives {', '.join(self.outputs)}, not {output!r}")
        moved = self._moved(np.asarray(landmarks)[None])[0]
        if np.isnan(moved).any():
            return ()
        effects = moved[:, None] * self._bundle.weights.weights
        order = np.argsort(-np.abs(effects[:, self.outputs.index(output)]), kind="stable")[:n]
        pairs, usual = distance_pairs(self._points), self._bundle.weights.mean
        return tuple(
            MovedDistance(
                landmarks=(int(pairs[row, 0]), int(pairs[row, 1])),
                parts=(_part(pairs[row, 0]), _part(pairs[row, 1])),
                length=float(usual[row] + moved[row]),
                usual=float(usual[row]),
                effects=dict(zip(self.outputs, map(float, effects[row]), strict=True)),
            )
            for row in order
        )

    def part_effects(self, landmarks: Floats) -> dict[tuple[str, str], dict[str, float]]:
        """What the distances within and between parts of a face add to each output.

        The effects of all parts and the outputs of the mean face together are the prediction, before it is clipped.

        Args:
            landmarks: (68, 2) in pixels.

        Returns:
            Two parts (or one part twice) -> output -> effect, the largest effect on valence first; empty for a face
            without landmarks.
        """
        moved = self._moved(np.asarray(landmarks)[None])[0]
        if np.isnan(moved).any():
            return {}
        effects = moved[:, None] * self._bundle.weights.weights
        found: dict[tuple[str, str], Float32] = {}
        for (first, second), effect in zip(distance_pairs(self._points), effects, strict=True):
            parts = _part(first), _part(second)
            found[parts] = found.get(parts, np.zeros(len(self.outputs), np.float32)) + effect
        ordered = sorted(found.items(), key=lambda one: -abs(float(one[1][self.outputs.index("valence")])))
        return {parts: dict(zip(self.outputs, map(float, effect), strict=True)) for parts, effect in ordered}

    def _moved(self, landmarks: Floats) -> Float32:
        """(N, P) differences of the distances from their means."""
        weights = self._bundle.weights
        shapes = frontal_shapes(normalized_shapes(landmarks), weights.frontal)
        return np.asarray(shape_distances(shapes, self._points) - weights.mean, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class GeometryShare:
    """A geometry model's share in the valence and arousal of an analyzer.

    Attributes:
        model: Geometry model.
        share: Weight of the geometry, above 0 and at most 1; the network has the rest.
    """

    model: GeometryModel
    share: float

    def apply(self, predicted: Mapping[str, Any], landmarks: Floats) -> dict[str, Any]:
        """Fields of `mien.Faces` with the valence and arousal of this blend.

        A face without landmarks has no geometry: alone it gives NaN, beside a network the network's own values.

        Args:
            predicted: Fields as the decoder of the network gives them, for N faces.
            landmarks: (N, 68, 2) in pixels.
        """
        values = self.model.predict(landmarks)
        fields = dict(predicted)
        for name in ("valence", "arousal"):
            own = values[:, self.model.outputs.index(name)]
            if self.share < 1:
                network = predicted[name]
                own = np.where(np.isnan(own), network, (1 - self.share) * network + self.share * own)
            fields[name] = np.asarray(own, np.float32)
        return fields


_SHARES = {"network": 0.0, "geometry": 1.0, "mean": 0.5}


def parse_va(text: str) -> tuple[float, str]:
    """Share of the geometry in valence and arousal, and its bundle (empty without one).

    Args:
        text: ``network``, ``geometry`` or ``mean``; the last two also with a bundle, ``geometry=FOLDER``.

    Raises:
        ConfigError: The text is none of these.

    Examples:
        >>> parse_va("network"), parse_va("mean=my/bundle")
        ((0.0, ''), (0.5, 'my/bundle'))
        >>> parse_va("landmarks")
        Traceback (most recent call last):
        mien.core.errors.ConfigError: va is network, geometry or mean (or geometry=DIR, mean=DIR), got 'landmarks'
    """
    name, separator, bundle = text.partition("=")
    if name not in _SHARES or bool(separator) != bool(bundle) or (bundle and not _SHARES[name]):
        raise ConfigError(f"va is network, geometry or mean (or geometry=DIR, mean=DIR), got {text!r}")
    return _SHARES[name], bundle or (DEFAULT_GEOMETRY if _SHARES[name] else "")


def create_geometry_share(text: str, spec: ModelSpec, *, reads_landmarks: bool) -> GeometryShare | None:
    """The geometry model that an option ``va`` asks for, with its share; None for the network alone.

    Args:
        text: The option, see `parse_va`.
        spec: Description of the affect bundle beside it.
        reads_landmarks: Whether the analyzer has a landmark model.

    Raises:
        ConfigError: The text is no such option, there are no landmarks, or the bundle has nothing to blend with.
        ModelError: The geometry bundle is missing or damaged.
    """
    share, bundle = parse_va(text)
    if not share:
        return None
    if not reads_landmarks:
        raise ConfigError(f"va={text} reads 68 landmarks; leave landmark_model='none' out")
    if share < 1 and spec.task("valence_arousal") is None:
        raise ConfigError(f"{spec.name} has no valence and arousal to blend with; write va=geometry")
    return GeometryShare(GeometryModel(bundle), share)


# Rows per product: from about 30 on, OpenBLAS wakes its threads, which cost more than the product on a busy machine.
_BLOCK = 16
_LOW, _HIGH = np.array([-1, -1, 0], np.float32), np.ones(3, np.float32)


def _part(landmark: int) -> str:
    return next(name for name, numbers in FACE_PARTS.items() if landmark in numbers)

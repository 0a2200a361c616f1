# SPDX-License-Identifier: Apache-2.0
"""Calibrated uncertainty of a bundle: prediction sets, intervals, and the reasons to abstain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mien.core.arrays import Bools, Float32, Floats
from mien.core.errors import ConfigError
from mien.core.labels import ACTION_UNITS, DIMENSIONS
from mien.core.typed import check_finite

ABSTAIN_REASONS = ("small", "turned", "covered", "unfamiliar")
"""Reasons to abstain, in order: the face has too few pixels, it is turned away, parts of it are covered, or it is
unlike the faces that the bundle was trained on (a drawing, a statue, an animal, a mask, a pattern)."""

EVERY_CLASS = "any"
"""Key of the half-width where the predicted expression has none of its own."""

_MAX_FEATURES = 65_536


@dataclass(frozen=True, kw_only=True)
class ProbeSpec:
    """A logistic unit on the embedding of a bundle.

    Attributes:
        weights: Log odds per unit of each feature.
        bias: Log odds at an embedding of zeros.
        limit: Probability from which a face is flagged.
        data: Description of the faces and images that it was fitted to.

    Examples:
        >>> probe = ProbeSpec(weights=(2.0, 0.0), bias=-1.0, limit=0.5)
        >>> probe(np.array([[0.5, 9.0], [2.0, 9.0]])).round(2).tolist()
        [0.5, 0.949999988079071]
    """

    weights: tuple[float, ...]
    bias: float
    limit: float
    data: str = ""

    def __post_init__(self) -> None:
        check_finite(self)
        if not 0 < len(self.weights) <= _MAX_FEATURES:
            raise ConfigError(f"a probe has 1 to {_MAX_FEATURES} weights, got {len(self.weights)}")
        if not 0 <= self.limit <= 1:
            raise ConfigError(f"the limit of a probe must be within [0, 1], got {self.limit}")

    def __call__(self, features: Floats) -> Float32:
        """Probabilities (N,) for embeddings (N, D)."""
        logits = features.astype(np.float64) @ np.array(self.weights) + self.bias
        return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))), np.float32)


@dataclass(frozen=True, kw_only=True)
class UncertaintySpec:
    """Calibration of one bundle's weights by split-conformal prediction, and its reasons to abstain.

    Attributes:
        coverage: Share of faces, of each true expression, whose prediction set holds that expression.
        expression_limits: Expression -> smallest probability with which it is in the prediction set.
        half_widths: ``"valence"`` and ``"arousal"`` -> predicted expression, or `EVERY_CLASS` -> half-width of the
            interval.
        unit_offsets: Action unit -> what the interval reaches below and above a probability under 0.5, then below and
            above a higher one.
        unfamiliar: Probe that tells drawings, statues, animals, masks and patterns from faces; None for none.
        covered: Probe that tells covered faces from others; None for none.
        min_size_px: Larger one of the distances between the eyes and from eyes to mouth, below which a face is small.
        max_turn_rad: Absolute yaw or pitch from which a face is turned.
        neutral_levels: Expression, value or action unit -> mean over people of its logit (or value) on their neutral
            faces, standard deviation between people, and within a person; `mien adapt` needs it for neutral examples.
        sha256: SHA-256 of the weights that it was fitted to; it is not used with others.
        data: Description of the faces that the sets and intervals were fitted to, and of their labels.
        n: Number of these faces.
        command: Command that fits the calibration again.
    """

    coverage: float
    expression_limits: Mapping[str, float]
    half_widths: Mapping[str, Mapping[str, float]]
    unit_offsets: Mapping[str, tuple[float, ...]]
    unfamiliar: ProbeSpec | None = None
    covered: ProbeSpec | None = None
    min_size_px: float = 12.0
    max_turn_rad: float = 0.7
    neutral_levels: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    sha256: str = ""
    data: str = ""
    n: int = 0
    command: str = ""

    def __post_init__(self) -> None:
        check_finite(self)
        if not 0 < self.coverage < 1:
            raise ConfigError(f"coverage must be between 0 and 1, got {self.coverage}")
        if not all(0 <= limit <= 1 for limit in self.expression_limits.values()):
            raise ConfigError("expression_limits are probabilities from 0 to 1")
        unknown = sorted(set(self.half_widths) - set(DIMENSIONS))
        if unknown:
            raise ConfigError(f"half_widths are of {' and '.join(DIMENSIONS)}, not of {unknown}")
        for label, level in self.neutral_levels.items():
            if len(level) != 3 or min(level[1:]) < 0:
                raise ConfigError(f"neutral_levels have a mean and two deviations from 0, got {label}: {level}")
        for name, widths in self.half_widths.items():
            if EVERY_CLASS not in widths or min(widths.values()) < 0:
                raise ConfigError(f"half_widths of {name} need the key {EVERY_CLASS!r} and numbers from 0")
        for label, offsets in self.unit_offsets.items():
            if label not in ACTION_UNITS or len(offsets) != 4 or min(offsets) < 0:
                raise ConfigError(f"unit_offsets have four numbers from 0 for an action unit, got {label}: {offsets}")


def prediction_sets(probabilities: Floats, labels: Sequence[str], limits: Mapping[str, float]) -> Bools:
    """The expressions (N, E) that stay possible; the most probable one always does.

    Args:
        probabilities: (N, E) probabilities; a row of NaN has an empty set.
        labels: Names of the E expressions.
        limits: Expression -> smallest probability with which it is in the set; 0 for others.

    Examples:
        >>> prediction_sets(np.array([[0.7, 0.3], [0.95, 0.05]]), ("neutral", "fear"), {"neutral": 0.4, "fear": 0.1})
        array([[ True,  True],
               [ True, False]])
    """
    values = np.asarray(probabilities, np.float64)
    known = np.isfinite(values)
    least = np.array([limits.get(label, 0.0) for label in labels])
    top = np.where(known, values, -np.inf).max(axis=1, initial=-np.inf, keepdims=True)
    return np.asarray(known & ((values >= least) | (values == top)), np.bool_)


def affect_interval(
    values: Floats, tops: Sequence[str | None], widths: Mapping[str, float], low: float = -1.0, high: float = 1.0
) -> Float32:
    """Interval (N, 2) about each value, by the predicted expression.

    Args:
        values: (N,) valence or arousal; NaN has an interval of NaN.
        tops: N predicted expressions, None where unknown.
        widths: Predicted expression, or `EVERY_CLASS` -> half-width.
        low: Smallest possible value.
        high: Largest possible value.

    Examples:
        >>> affect_interval(np.array([0.5, 0.9]), ["fear", None], {"fear": 0.25, "any": 0.5}).round(2).tolist()
        [[0.25, 0.75], [0.4000000059604645, 1.0]]
    """
    half = np.array([widths.get(top or EVERY_CLASS, widths[EVERY_CLASS]) for top in tops], np.float64)
    middle = np.asarray(values, np.float64)
    return np.asarray(np.clip(np.stack([middle - half, middle + half], axis=1), low, high), np.float32)


def unit_intervals(probabilities: Floats, labels: Sequence[str], offsets: Mapping[str, Sequence[float]]) -> Float32:
    """Intervals (N, A, 2) of action unit probabilities; NaN for units without offsets.

    Args:
        probabilities: (N, A) probabilities.
        labels: Names of the A action units.
        offsets: `UncertaintySpec.unit_offsets`.

    Examples:
        >>> unit_intervals(np.array([[0.75]]), ("AU12",), {"AU12": (0, 0.5, 0.25, 0.5)}).tolist()
        [[[0.5, 1.0]]]
    """
    values = np.asarray(probabilities, np.float64)
    table = np.array([offsets.get(label, (np.nan,) * 4) for label in labels], np.float64).reshape(len(labels), 4)
    present = values >= 0.5
    below = np.where(present, table[:, 2], table[:, 0])
    above = np.where(present, table[:, 3], table[:, 1])
    return np.asarray(np.clip(np.stack([values - below, values + above], axis=2), 0, 1), np.float32)


def abstain_reasons(
    spec: UncertaintySpec, keypoints: Floats, pose_rad: Floats, covered: Floats, unfamiliar: Floats
) -> Bools:
    """Which of `ABSTAIN_REASONS` apply to each face (N, 4); what is unknown (NaN) gives no reason.

    Args:
        spec: Calibration of the bundle.
        keypoints: (N, 5, 2) pixels.
        pose_rad: (N, 3) pitch, yaw, roll.
        covered: (N,) probability of the probe ``covered``.
        unfamiliar: (N,) probability of the probe ``unfamiliar``.
    """
    eyes, mouth = keypoints[:, :2].mean(axis=1), keypoints[:, 3:].mean(axis=1)
    size = np.maximum(np.linalg.norm(keypoints[:, 1] - keypoints[:, 0], axis=1), np.linalg.norm(mouth - eyes, axis=1))
    never: npt.NDArray[np.bool_] = np.zeros(len(keypoints), np.bool_)
    with np.errstate(invalid="ignore"):
        columns = [
            size < spec.min_size_px,
            (np.abs(pose_rad[:, :2]) >= spec.max_turn_rad).any(axis=1),
            never if spec.covered is None else covered >= spec.covered.limit,
            never if spec.unfamiliar is None else unfamiliar >= spec.unfamiliar.limit,
        ]
    return np.stack(columns, axis=1)

# SPDX-License-Identifier: Apache-2.0
"""Labels without annotators: votes to valence and arousal, a teacher's blendshapes to action units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mien.core import EXPRESSIONS, Float32, Float64, Floats, Integers
from mien.datasets.open_sets.face_parquet import TeacherOutputs
from mien.faces import unit_geometry


@dataclass(frozen=True, eq=False)
class AffectMap:
    """Quadratic ridge regression from vote shares of the eight expressions to mean valence and arousal.

    Attributes:
        centre: (44,) mean of the 8 shares and their 36 products.
        weights: (44, 2) regression weights.
        mean: (2,) mean rating.

    Examples:
        >>> shares = np.eye(8)
        >>> ratings = np.stack([shares[:, 1] - shares[:, 3], shares[:, 2]], axis=1)
        >>> fitted = AffectMap.fit(shares, ratings, ridge=1e-9)
        >>> fitted(shares[[1, 3]]).round(3).tolist()
        [[1.0, 0.0], [-1.0, 0.0]]
    """

    centre: Float64
    weights: Float64
    mean: Float64

    @classmethod
    def fit(cls, shares: Float64, ratings: Float64, ridge: float = 0.1) -> AffectMap:
        """Fit the map.

        Args:
            shares: (N, 8) vote shares that sum to 1.
            ratings: (N, 2) mean valence and arousal in [-1, 1].
            ridge: Weight of the squared regression weights, >= 0.
        """
        terms = _quadratic(shares)
        centre, mean = terms.mean(axis=0), ratings.mean(axis=0)
        moved = terms - centre
        gram = moved.T @ moved + ridge * np.eye(moved.shape[1])
        return cls(centre, np.linalg.solve(gram, moved.T @ (ratings - mean)), mean)

    def __call__(self, shares: Floats) -> Float64:
        """Valence and arousal (N, 2) of vote shares or expression probabilities (N, 8)."""
        return np.clip((_quadratic(shares) - self.centre) @ self.weights + self.mean, -1.0, 1.0)


def _quadratic(shares: Floats) -> Float64:
    shares = np.asarray(shares, dtype=np.float64)
    first, second = np.triu_indices(shares.shape[1])
    return np.concatenate([shares, shares[:, first] * shares[:, second]], axis=1)


def expression_shares(votes: Integers) -> Float32:
    """Soft expression targets (N, 8) of FER+ votes (N, 10), NaN where "unknown" or "not a face" has most votes.

    Single votes are noise and are dropped, as the FER+ authors do; the rest is normalised over the eight expressions.

    Examples:
        >>> votes = [[6, 3, 1, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0, 7, 3]]
        >>> [round(float(share), 2) for share in expression_shares(votes)[0, :3]]
        [0.67, 0.33, 0.0]
        >>> bool(np.isnan(expression_shares(votes)[1]).all())
        True
    """
    votes = np.asarray(votes)
    kept = np.where(votes > 1, votes, 0)[:, : len(EXPRESSIONS)].astype(np.float32)
    total = kept.sum(axis=1, keepdims=True)
    usable = (votes.argmax(axis=1) < len(EXPRESSIONS)) & (total[:, 0] > 0)
    return np.where(usable[:, None], kept / np.maximum(total, 1), np.nan).astype(np.float32)


@dataclass(frozen=True)
class AuRule:
    """Rule that derives an action unit from the teacher: absent below ``low``, present above ``high``, linear between.

    Attributes:
        signal: Function that returns the evidence (N,) from `Evidence`.
        low: Evidence at which the probability is 0.
        high: Evidence at which the probability is 1.
        observed: False where the action unit is inferred from other signals because the teacher has none of its own.

    Examples:
        >>> open_mouths = np.array([[0.0], [0.4]], np.float32)
        >>> outputs = TeacherOutputs(np.ones(2, bool), open_mouths, ("jawOpen",), np.zeros((2, 68, 2), np.float32))
        >>> AU_RULES["AU26"](Evidence(outputs)).round(2).tolist()
        [0.0, 1.0]
    """

    signal: Callable[[Evidence], Float64]
    low: float
    high: float
    observed: bool = True

    def __call__(self, evidence: Evidence) -> Float64:
        """Probability (N,) that the action unit is present."""
        share = (self.signal(evidence) - self.low) / (self.high - self.low)
        return np.asarray(np.clip(share, 0.0, 1.0), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Evidence:
    """Signals of the teacher: blendshapes by name (left and right averaged) and distances in eye distances."""

    teacher: TeacherOutputs

    def shape(self, name: str) -> Float64:
        """(N,) activation of a blendshape in [0, 1]; the mean of both sides where it has sides."""
        names = self.teacher.blendshape_names
        columns = [names.index(side) for side in (name, f"{name}Left", f"{name}Right") if side in names]
        mean: Float64 = self.teacher.blendshapes[:, columns].astype(np.float64).mean(axis=1)
        return mean

    def lip_gap(self) -> Float64:
        """(N,) height of the opening between the inner lips, in eye distances."""
        return unit_geometry(self.teacher.landmarks)["AU25"]


# The ranges come from percentiles of the FER+ training faces, so that each action unit is present at a plausible rate.
# AU09 and AU23 are left out: the teacher's nose wrinkle is constant and it has no signal for a tightened lip.
AU_RULES: dict[str, AuRule] = {
    "AU01": AuRule(lambda e: e.shape("browInnerUp"), 0.20, 0.70),
    "AU02": AuRule(lambda e: e.shape("browOuterUp"), 0.30, 0.75),
    "AU04": AuRule(lambda e: e.shape("browDown"), 0.08, 0.40),
    "AU05": AuRule(lambda e: e.shape("eyeWide"), 0.03, 0.20),
    "AU06": AuRule(lambda e: np.minimum(e.shape("mouthSmile") / 0.6, e.shape("eyeSquint") / 0.5), 0.30, 0.90, False),
    "AU07": AuRule(lambda e: e.shape("eyeSquint") - 0.5 * e.shape("eyeBlink"), 0.20, 0.55),
    "AU10": AuRule(lambda e: e.shape("mouthUpperUp"), 0.08, 0.50),
    "AU12": AuRule(lambda e: e.shape("mouthSmile"), 0.12, 0.55),
    "AU15": AuRule(lambda e: e.shape("mouthFrown"), 0.03, 0.25),
    "AU17": AuRule(lambda e: e.shape("mouthShrugLower"), 0.03, 0.30),
    "AU20": AuRule(lambda e: e.shape("mouthStretch") - 0.5 * e.shape("mouthSmile"), 0.05, 0.35),
    "AU24": AuRule(lambda e: e.shape("mouthRollLower") + e.shape("mouthRollUpper"), 0.05, 0.35),
    "AU25": AuRule(lambda e: e.lip_gap(), 0.04, 0.12),
    "AU26": AuRule(lambda e: e.shape("jawOpen"), 0.06, 0.40),
    "AU45": AuRule(lambda e: e.shape("eyeBlink"), 0.35, 0.70),
}


def action_unit_probabilities(teacher: TeacherOutputs, expression: Floats) -> Float32:
    """Pseudo-labels (N, A) of `AU_RULES` in [0, 1], NaN where the teacher found no face or contradicts annotators.

    The teacher confuses a crying mouth with a smile. Where annotators see sadness, anger, disgust or fear and hardly
    any happiness, AU12 and AU06 become 0 (sadness) or unknown (the others).

    Args:
        teacher: Outputs for N pictures.
        expression: (N, 8) vote shares or probabilities of the same pictures; NaN rows change nothing.
    """
    evidence = Evidence(teacher)
    probabilities = np.stack([rule(evidence) for rule in AU_RULES.values()], axis=1)
    share = {name: np.nan_to_num(expression[:, i]) for i, name in enumerate(EXPRESSIONS)}
    negative = share["sadness"] + share["anger"] + share["disgust"] + share["fear"]
    doubted = (negative > 0.5) & (share["happiness"] < 0.1)
    for name in ("AU06", "AU12"):
        column = list(AU_RULES).index(name)
        claimed = probabilities[:, column] > 0
        probabilities[doubted & claimed, column] = np.nan
        probabilities[(share["sadness"] > 0.5) & doubted & claimed, column] = 0.0
    probabilities[~teacher.found] = np.nan
    return probabilities.astype(np.float32)

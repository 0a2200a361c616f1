# SPDX-License-Identifier: Apache-2.0
"""Where labels come from that no one annotated: votes to valence and arousal, blendshapes to action units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.core import EXPRESSIONS
from mien.datasets.open_sets.face_parquet import TeacherOutputs

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AffectMap:
    """Quadratic ridge regression from vote shares of the eight expressions to mean valence and arousal.

    Attributes:
        centre: (44,) mean of the 8 shares and their 36 products.
        weights: (44, 2).
        mean: (2,) mean rating.
    """

    centre: Doubles
    weights: Doubles
    mean: Doubles

    @classmethod
    def fit(cls, shares: Doubles, ratings: Doubles, ridge: float = 0.1) -> AffectMap:
        """Fit on (N, 8) vote shares and (N, 2) ratings."""
        terms = _quadratic(shares)
        centre, mean = terms.mean(axis=0), ratings.mean(axis=0)
        moved = terms - centre
        gram = moved.T @ moved + ridge * np.eye(moved.shape[1])
        return cls(centre, np.linalg.solve(gram, moved.T @ (ratings - mean)), mean)

    def __call__(self, shares: npt.NDArray[np.floating]) -> Doubles:
        """Valence and arousal (N, 2) of vote shares or expression probabilities (N, 8)."""
        return np.clip((_quadratic(shares) - self.centre) @ self.weights + self.mean, -1.0, 1.0)


def _quadratic(shares: npt.NDArray[np.floating]) -> Doubles:
    shares = np.asarray(shares, dtype=np.float64)
    first, second = np.triu_indices(shares.shape[1])
    return np.concatenate([shares, shares[:, first] * shares[:, second]], axis=1)


def expression_shares(votes: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
    """Soft expression targets (N, 8) of FER+ votes (N, 10), NaN where most people saw no face or could not say.

    Single votes are noise of the crowd and are dropped, as the FER+ authors do; the rest is normalised over the
    eight expressions.
    """
    votes = np.asarray(votes)
    kept = np.where(votes > 1, votes, 0)[:, : len(EXPRESSIONS)].astype(np.float32)
    total = kept.sum(axis=1, keepdims=True)
    usable = (votes.argmax(axis=1) < len(EXPRESSIONS)) & (total[:, 0] > 0)
    return np.where(usable[:, None], kept / np.maximum(total, 1), np.nan).astype(np.float32)


@dataclass(frozen=True)
class AuRule:
    """How one action unit is read from the teacher: below ``low`` absent, above ``high`` present, a chance between.

    Attributes:
        signal: the evidence (N,) from `Evidence`.
        low: evidence at which the chance is 0.
        high: evidence at which the chance is 1.
        observed: False where the action is inferred from others rather than seen by the teacher.
    """

    signal: Callable[[Evidence], Doubles]
    low: float
    high: float
    observed: bool = True

    def __call__(self, evidence: Evidence) -> Doubles:
        """The chance (N,) that the action is present."""
        share = (self.signal(evidence) - self.low) / (self.high - self.low)
        return np.asarray(np.clip(share, 0.0, 1.0), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Evidence:
    """Blendshapes by name (left and right averaged) and distances on the face in units of the eye distance."""

    teacher: TeacherOutputs

    def shape(self, name: str) -> Doubles:
        """(N,) activation of a blendshape; the mean of both sides where it has sides."""
        names = self.teacher.blendshape_names
        columns = [names.index(side) for side in (name, f"{name}Left", f"{name}Right") if side in names]
        mean: Doubles = self.teacher.blendshapes[:, columns].astype(np.float64).mean(axis=1)
        return mean

    def lip_gap(self) -> Doubles:
        """(N,) height of the opening between the inner lips."""
        points = self.teacher.landmarks.astype(np.float64)
        eyes = np.linalg.norm(points[:, 36:42].mean(axis=1) - points[:, 42:48].mean(axis=1), axis=1)
        return np.asarray(np.linalg.norm(points[:, 61:64] - points[:, 67:64:-1], axis=2).mean(axis=1) / eyes)


# Ranges were set from the percentiles of the FER+ training faces, so that an action is present at a plausible rate.
# AU09 and AU23 are left out: the teacher's nose wrinkle is constant and it has nothing for a tightened lip.
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


def action_unit_probabilities(teacher: TeacherOutputs, expression: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Pseudo-labels (N, A) of `AU_RULES` in [0, 1], NaN where the teacher saw no face or cannot be believed.

    The teacher takes a crying mouth for a smile. So where people see sadness, anger, disgust or fear and hardly any
    happiness, a smile is denied (sadness) or unknown (the others), and AU06 with it.

    Args:
        teacher: answers for N pictures.
        expression: (N, 8) vote shares or probabilities of the same pictures; NaN rows veto nothing.
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

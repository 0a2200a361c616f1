# SPDX-License-Identifier: Apache-2.0
"""Draws expressions: prototypes, compounds, independent action units, speech, and what a face does besides."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mien.core import ACTION_UNITS, ConfigError
from mien.synthesis.expressions import BASIC_EXPRESSIONS, COMPOUND_PROTOTYPES, PROTOTYPES, valence_arousal
from mien.synthesis.head.actions import COLLINEAR_UNITS, UNIT_ACTIONS, UnitVector
from mien.synthesis.synthesis_recipe import ExpressionMix

KINDS = ("neutral", "basic", "compound", "units", "speech")
"""Kinds of expressions in the order of the shares of `ExpressionMix`."""

_MOUTHS: tuple[dict[str, float], ...] = (
    {"AU26": 0.45, "AU25": 0.6},  # a
    {"AU25": 0.6, "AU20": 0.35, "AU26": 0.1},  # e, i
    {"AU22": 0.7, "AU26": 0.25},  # o, sh
    {"AU18": 0.8, "AU25": 0.15},  # u, w
    {"AU24": 0.5},  # m, b, p
    {"AU28": 0.35, "AU25": 0.2},  # f, v
    {"AU25": 0.4, "AU26": 0.15},  # s, t, d
)
_INDEPENDENT = (*ACTION_UNITS.labels, "AU16", "AU18", "AU22", "AU27", "AU28", "AU34")
_MEAN_INDEPENDENT = 3.0


@dataclass(frozen=True, eq=False)
class Expression:
    """A drawn expression.

    Attributes:
        kind: One of `KINDS`.
        name: Canonical expression, name of a compound, or ``"neutral"`` where units or speech were drawn.
        strength: Strength of the named expression in [0, 1]; 0 for units and speech.
        units: Intensities of the action units.
        gaze: Direction of the eyes: to the image's right and up, each in [-1, 1] of the facial action.
        extra: Facial actions without an action unit -> weight.
    """

    kind: str
    name: str
    strength: float
    units: UnitVector
    gaze: tuple[float, float] = (0.0, 0.0)
    extra: dict[str, float] = field(default_factory=dict)

    @property
    def valence_arousal(self) -> tuple[float, float] | None:
        """Valence and arousal by the name of the expression; None where units or speech were drawn."""
        if self.kind in ("units", "speech"):
            return None
        return valence_arousal(self.name, self.strength)

    def actions(self) -> dict[str, float]:
        """Facial action -> weight of everything that the face does."""
        right, up = self.gaze
        turned = {"AU61": max(0.0, right), "AU62": max(0.0, -right), "AU63": max(0.0, up), "AU64": max(0.0, -up)}
        total = self.units.actions()
        for actions in (UnitVector(turned).actions(), self.extra):
            for name, weight in actions.items():
                total[name] = total.get(name, 0.0) + weight
        return total


def sample_expression(mix: ExpressionMix, rng: np.random.Generator, kind: str | None = None) -> Expression:
    """Draw an expression.

    Args:
        mix: Shares and ranges.
        rng: Generator of this face alone.
        kind: Kind to draw; by its shares if None.

    Raises:
        ConfigError: The recipe names an expression without a prototype.
    """
    shares = (mix.neutral, mix.basic, mix.compound, mix.units, mix.speech)
    kind = kind or KINDS[rng.choice(len(KINDS), p=np.array(shares) / sum(shares))]
    strength = float(rng.uniform(*mix.strength))
    extra: dict[str, float] = {}
    name = "neutral"
    if kind == "neutral":
        intensity: dict[str, float] = {}
        strength = 0.0
    elif kind in ("basic", "compound"):
        names = COMPOUND_PROTOTYPES if kind == "compound" else mix.only or BASIC_EXPRESSIONS
        name = names[rng.integers(len(names))]
        if name not in PROTOTYPES:
            raise ConfigError(f"{name!r} has no prototype; known are {', '.join(PROTOTYPES)}")
        intensity = _prototype_units(name, strength, rng)
    elif kind == "units":
        intensity = _independent_units(rng)
    else:
        intensity, extra = _speech(rng)
    if kind in ("units", "speech"):
        strength = 0.0
    if rng.random() < mix.blink_share and "AU05" not in intensity:
        intensity["AU45"] = float(rng.uniform(0.3, 1.0))
    asymmetry = float(rng.uniform(0.0, 0.5)) if rng.random() < mix.asymmetry else 0.0
    gaze = (0.0, 0.0)
    if rng.random() < mix.gaze_share:
        # Lids follow the eyes down: with wide or closed lids the actions would cancel.
        down = 0.0 if {"AU05", "AU45"} & set(intensity) else 0.6
        gaze = (float(rng.uniform(-0.8, 0.8)), float(rng.uniform(-down, 0.6)))
    if mix.one_sided and rng.random() < mix.one_sided:
        units = _with_own_sides(intensity, rng)
    else:
        units = _with_sides(intensity, asymmetry, one_sided=name == "contempt", rng=rng)
    return Expression(kind, name, strength, units, gaze, extra)


def _prototype_units(name: str, strength: float, rng: np.random.Generator) -> dict[str, float]:
    prototype = PROTOTYPES[name]
    shown = list(prototype.units)
    for unit, share in prototype.optional.items():
        if rng.random() < share and not _clashing(unit) & set(shown):
            shown.append(unit)
    return {unit: float(np.clip(strength * rng.uniform(0.75, 1.25), 0, 1)) for unit in shown}


def _clashing(unit: str) -> set[str]:
    """Units that may not be drawn beside a unit."""
    return {other for pair in COLLINEAR_UNITS if unit in pair for other in pair} - {unit}


def _independent_units(rng: np.random.Generator) -> dict[str, float]:
    """Action units that are drawn one by one, at most one of each collinear pair."""
    n = 1 + rng.poisson(_MEAN_INDEPENDENT - 1)
    intensity: dict[str, float] = {}
    for unit in rng.permutation(_INDEPENDENT):
        name = str(unit)
        if len(intensity) >= n:
            break
        if not _clashing(name) & set(intensity):
            intensity[name] = float(rng.uniform(0.1, 1.0))
    return intensity


def _speech(rng: np.random.Generator) -> tuple[dict[str, float], dict[str, float]]:
    """A mouth between two sounds, with small brow movements."""
    first, second = (_MOUTHS[rng.integers(len(_MOUTHS))] for _ in range(2))
    loud = float(rng.uniform(0.5, 1.2))
    mouth = UnitVector(first).blend(UnitVector(second), float(rng.random()))
    intensity = {unit: min(1.0, loud * mouth[unit]) for unit in mouth.sides()}
    if rng.random() < 0.3:
        intensity["AU01"] = intensity["AU02"] = float(rng.uniform(0.1, 0.6))
    sideways = str(rng.choice(["mouthLeft", "mouthRight"]))
    return intensity, {sideways: float(rng.uniform(0.0, 0.25))}


def _with_sides(
    intensity: dict[str, float], asymmetry: float, *, one_sided: bool, rng: np.random.Generator
) -> UnitVector:
    """The units with sides: one side weaker by ``asymmetry``, or all on one side."""
    weaker = int(rng.random() < 0.5)
    share = 0.05 if one_sided else 1.0 - asymmetry
    sides: dict[str, float | tuple[float, float]] = {}
    for unit, value in intensity.items():
        if UNIT_ACTIONS[unit].sided and (one_sided or unit != "AU45"):
            sides[unit] = (value * share, value) if weaker == 0 else (value, value * share)
        else:
            sides[unit] = value
    return UnitVector(sides)


def _with_own_sides(intensity: dict[str, float], rng: np.random.Generator) -> UnitVector:
    """The units, each with a side of its own: half of them on one side alone, a quarter uneven, a quarter even."""
    sides: dict[str, float | tuple[float, float]] = {}
    for unit, value in intensity.items():
        other = value * float(rng.choice((0.0, 0.0, rng.uniform(0.1, 0.9), 1.0)))
        pair = (value, other) if rng.random() < 0.5 else (other, value)
        sides[unit] = pair if UNIT_ACTIONS[unit].sided else value
    return UnitVector(sides)

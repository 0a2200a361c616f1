# SPDX-License-Identifier: Apache-2.0
"""Prototypes of basic and compound expressions as action units, and valence and arousal of expressions.

Action units: S. Du, Y. Tao, A. M. Martinez, "Compound facial expressions of emotion", PNAS 111 (2014), table of
prototypical units and of units that a share of people adds. Contempt, which that study leaves out, is the one-sided
AU12 + AU14 of P. Ekman and W. V. Friesen, Motivation and Emotion 10 (1986).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mien.core import EXPRESSIONS


@dataclass(frozen=True)
class Prototype:
    """Action units of an expression.

    Attributes:
        units: Units that all people show.
        optional: Unit -> share of people who add it.
        parts: Canonical expressions that it consists of; one for a basic expression.
    """

    units: tuple[str, ...]
    optional: Mapping[str, float]
    parts: tuple[str, ...]


def _prototype(parts: str, units: str, **optional: float) -> Prototype:
    return Prototype(tuple(f"AU{unit}" for unit in units.split()), MappingProxyType(optional), tuple(parts.split()))


PROTOTYPES: Mapping[str, Prototype] = MappingProxyType(
    {
        "happiness": _prototype("happiness", "12 25", AU06=0.51),
        "sadness": _prototype("sadness", "04 15", AU01=0.60, AU06=0.50, AU17=0.67),
        "fear": _prototype("fear", "01 04 20 25", AU02=0.57, AU05=0.63, AU26=0.33),
        "anger": _prototype("anger", "04 07 24", AU10=0.26, AU17=0.52, AU23=0.29),
        "surprise": _prototype("surprise", "01 02 25 26", AU05=0.66),
        "disgust": _prototype("disgust", "09 10 17", AU04=0.31, AU24=0.26),
        "contempt": _prototype("contempt", "12 14"),
        "happily surprised": _prototype("happiness surprise", "01 02 12 25", AU05=0.64, AU26=0.67),
        "happily disgusted": _prototype("happiness disgust", "10 12 25", AU04=0.32, AU06=0.61, AU09=0.59),
        "sadly fearful": _prototype("sadness fear", "01 04 20 25", AU02=0.46, AU05=0.24, AU06=0.34, AU15=0.30),
        "sadly angry": _prototype("sadness anger", "04 15", AU06=0.26, AU07=0.48, AU17=0.50),
        "sadly surprised": _prototype("sadness surprise", "01 04 25 26", AU02=0.27, AU06=0.31),
        "sadly disgusted": _prototype(
            "sadness disgust", "04 10", AU01=0.49, AU06=0.61, AU15=0.54, AU17=0.47, AU25=0.43
        ),
        "fearfully angry": _prototype("fear anger", "04 20 25", AU05=0.40, AU07=0.39, AU10=0.30),
        "fearfully surprised": _prototype("fear surprise", "01 02 05 20 25", AU04=0.47, AU10=0.35, AU26=0.51),
        "fearfully disgusted": _prototype("fear disgust", "01 04 10 20 25", AU02=0.64, AU05=0.50, AU09=0.28, AU15=0.33),
        "angrily surprised": _prototype("anger surprise", "04 25 26", AU05=0.35, AU07=0.50, AU10=0.34),
        "angrily disgusted": _prototype("anger disgust", "04 10 17", AU07=0.60, AU09=0.57, AU24=0.36),
        "disgustedly surprised": _prototype("disgust surprise", "01 02 05 10", AU04=0.45, AU09=0.37, AU17=0.66),
        "appalled": _prototype("disgust fear", "04 10", AU06=0.25, AU09=0.56, AU17=0.67, AU24=0.36),
        "hatred": _prototype("anger disgust", "04 10", AU06=0.22, AU07=0.57, AU09=0.27, AU17=0.63, AU24=0.37),
        "awed": _prototype("fear surprise", "01 02 05 25", AU04=0.21, AU20=0.62, AU26=0.56),
    }
)
"""Expression -> its action units; the first seven are basic."""

BASIC_EXPRESSIONS = tuple(name for name in EXPRESSIONS if name in PROTOTYPES)
"""Canonical expressions with a prototype (all but neutral)."""

COMPOUND_PROTOTYPES = tuple(name for name, prototype in PROTOTYPES.items() if len(prototype.parts) > 1)
"""Names of the compound expressions."""

# Pleasure and arousal of the emotion words happy, surprised, sad, angry, disgusted, fearful (J. A. Russell,
# A. Mehrabian, Journal of Research in Personality 11, 1977). That of contempt is an assumption of mien.
EXPRESSION_VA: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "neutral": (0.0, 0.0),
        "happiness": (0.81, 0.51),
        "surprise": (0.40, 0.67),
        "sadness": (-0.63, -0.27),
        "anger": (-0.51, 0.59),
        "disgust": (-0.60, 0.35),
        "fear": (-0.64, 0.60),
        "contempt": (-0.45, 0.20),
    }
)
"""Valence and arousal of each canonical expression at full strength."""


def valence_arousal(expression: str, strength: float) -> tuple[float, float]:
    """Valence and arousal of an expression: the mean of its parts in `EXPRESSION_VA`, scaled by its strength.

    This is a route by name, not a rating: no one has seen the face. It says nothing about single action units.

    Args:
        expression: Canonical expression or the name of a compound.
        strength: Strength of the expression in [0, 1].

    Examples:
        >>> valence_arousal("happiness", 0.5)
        (0.405, 0.255)
        >>> [round(value, 3) for value in valence_arousal("happily surprised", 1.0)]
        [0.605, 0.59]
    """
    parts = PROTOTYPES[expression].parts if expression in PROTOTYPES else (expression,)
    values = [EXPRESSION_VA[part] for part in parts]
    return (
        strength * sum(valence for valence, _ in values) / len(values),
        strength * sum(arousal for _, arousal in values) / len(values),
    )

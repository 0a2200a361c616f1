# SPDX-License-Identifier: Apache-2.0
"""The table that ties action units (FACS) to the facial actions of the head basis, and the actions of an AU vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mien.core import ACTION_UNITS, ConfigError


@dataclass(frozen=True)
class UnitActions:
    """Facial actions of one action unit.

    Attributes:
        facs: FACS name.
        actions: Facial action -> weight at intensity 1. A name of a sided unit stands for its ``Left`` and ``Right``
            action.
        sided: Whether left and right sides move independently.
    """

    facs: str
    actions: Mapping[str, float]
    sided: bool = False


def _unit(facs: str, *, sided: bool = False, **actions: float) -> UnitActions:
    return UnitActions(facs, MappingProxyType(actions), sided)


# Weights above 1 amplify actions that are only 2 to 4 mm deep in the data. AU24 is built from rolled lips: the action
# mouthPress widens the mouth like a smile. AU14 leaves out what the dimple's action has of a smile, the raised corners,
# and presses the lips, which less than no smile would part.
UNIT_ACTIONS: Mapping[str, UnitActions] = MappingProxyType(
    {
        "AU01": _unit(ACTION_UNITS["AU01"], browInnerUp=1.8),
        "AU02": _unit(ACTION_UNITS["AU02"], sided=True, browOuterUp=2.4),
        "AU04": _unit(ACTION_UNITS["AU04"], sided=True, browDown=2.0),
        "AU05": _unit(ACTION_UNITS["AU05"], sided=True, eyeWide=1.4),
        "AU06": _unit(ACTION_UNITS["AU06"], sided=True, cheekSquint=1.8, eyeSquint=0.5),
        "AU07": _unit(ACTION_UNITS["AU07"], sided=True, eyeSquint=1.5),
        "AU09": _unit(ACTION_UNITS["AU09"], sided=True, noseSneer=1.8),
        "AU10": _unit(ACTION_UNITS["AU10"], sided=True, mouthUpperUp=1.4),
        "AU12": _unit(ACTION_UNITS["AU12"], sided=True, mouthSmile=1.2),
        "AU14": _unit(ACTION_UNITS["AU14"], sided=True, mouthDimple=1.6, mouthSmile=-0.45, mouthPress=0.55),
        "AU15": _unit(ACTION_UNITS["AU15"], sided=True, mouthFrown=1.7),
        "AU16": _unit("lower lip depressor", sided=True, mouthLowerDown=1.0),
        "AU17": _unit(ACTION_UNITS["AU17"], mouthShrugLower=1.3, mouthShrugUpper=0.3),
        "AU18": _unit("lip puckerer", mouthPucker=1.0),
        "AU19": _unit("tongue show", tongueOut=1.0, jawOpen=0.35),
        "AU20": _unit(ACTION_UNITS["AU20"], sided=True, mouthStretch=1.5),
        "AU22": _unit("lip funneler", mouthFunnel=1.0),
        "AU23": _unit(ACTION_UNITS["AU23"], mouthRollLower=0.75, mouthRollUpper=0.75, mouthPucker=0.55),
        "AU24": _unit(ACTION_UNITS["AU24"], mouthRollLower=0.8, mouthRollUpper=0.8, mouthShrugLower=0.3),
        "AU25": _unit(
            ACTION_UNITS["AU25"],
            mouthLowerDownLeft=0.65,
            mouthLowerDownRight=0.65,
            mouthUpperUpLeft=0.5,
            mouthUpperUpRight=0.5,
            jawOpen=0.08,
        ),
        "AU26": _unit(ACTION_UNITS["AU26"], jawOpen=0.55),
        "AU27": _unit("mouth stretch", jawOpen=1.0),
        "AU28": _unit("lip suck", mouthRollLower=1.2, mouthRollUpper=1.2, jawOpen=0.12),
        "AU29": _unit("jaw thrust", jawForward=1.0),
        "AU30": _unit("jaw sideways", jawLeft=1.0),
        "AU34": _unit("cheek puff", cheekPuff=1.0),
        "AU45": _unit(ACTION_UNITS["AU45"], sided=True, eyeBlink=1.0),
        "AU61": _unit("eyes turn left", eyeLookOutLeft=1.0, eyeLookInRight=1.0),
        "AU62": _unit("eyes turn right", eyeLookInLeft=1.0, eyeLookOutRight=1.0),
        "AU63": _unit("eyes up", eyeLookUpLeft=1.0, eyeLookUpRight=1.0),
        "AU64": _unit("eyes down", eyeLookDownLeft=1.0, eyeLookDownRight=1.0),
    }
)
"""Action unit -> its facial actions. Left and right are the person's."""

SPEECH_ACTIONS = ("mouthClose", "mouthLeft", "mouthRight", "jawRight", "mouthPressLeft", "mouthPressRight")
"""Facial actions without an action unit of their own; speech and asymmetry use them."""

COLLINEAR_UNITS = (
    ("AU12", "AU14"),
    ("AU12", "AU15"),
    ("AU12", "AU20"),
    ("AU12", "AU24"),
    ("AU18", "AU22"),
    ("AU18", "AU34"),
    ("AU18", "AU20"),
    ("AU22", "AU20"),
    ("AU23", "AU24"),
    ("AU05", "AU45"),
    ("AU05", "AU07"),
    ("AU05", "AU64"),
    ("AU45", "AU64"),
    ("AU10", "AU24"),
    ("AU24", "AU25"),
    ("AU24", "AU26"),
    ("AU23", "AU25"),
    ("AU23", "AU26"),
    ("AU26", "AU27"),
    ("AU17", "AU26"),
    ("AU17", "AU27"),
    ("AU28", "AU25"),
)
"""Pairs of action units whose shapes are alike or opposed; independent sampling draws at most one of each pair."""

_MAX_JAW_OPEN = 1.0
# A smile stretches the lips over the gap of AU25, which then needs more.
_PARTED_SMILE = 0.9
_MAX_BLINK = 0.95


class UnitVector:
    """Intensities of action units for the left and right side of the person, in [0, 1].

    Args:
        units: Action unit -> intensity, or (left, right) for one that is sided.

    Raises:
        ConfigError: An action unit is unknown, not sided but given by side, or out of range.

    Examples:
        >>> smile = UnitVector({"AU12": (0.8, 0.4), "AU01": 0.5})
        >>> smile["AU12"], smile.side("AU12", "left"), smile["AU04"]
        (0.6000000000000001, 0.8, 0.0)
    """

    def __init__(self, units: Mapping[str, float | tuple[float, float]] | None = None) -> None:
        self._sides: dict[str, tuple[float, float]] = {}
        for name, value in (units or {}).items():
            if name not in UNIT_ACTIONS:
                raise ConfigError(f"{name!r} is no action unit of the table; known are {', '.join(UNIT_ACTIONS)}")
            left, right = value if isinstance(value, tuple) else (value, value)
            if left != right and not UNIT_ACTIONS[name].sided:
                raise ConfigError(f"{name} has no sides; give one intensity")
            if not (0 <= left <= 1 and 0 <= right <= 1):
                raise ConfigError(f"the intensity of {name} must be in [0, 1], got {value}")
            self._sides[name] = (float(left), float(right))

    def __getitem__(self, name: str) -> float:
        return float(np.mean(self._sides.get(name, (0.0, 0.0))))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnitVector) and self.sides() == other.sides()

    __hash__ = None  # type: ignore[assignment]  # equal vectors may be written differently

    def side(self, name: str, side: str) -> float:
        """Intensity of one side, ``"left"`` or ``"right"`` of the person."""
        return self._sides.get(name, (0.0, 0.0))[side == "right"]

    def sides(self) -> dict[str, tuple[float, float]]:
        """Action unit -> (left, right) of all units above 0."""
        return {name: pair for name, pair in self._sides.items() if max(pair) > 0}

    def blend(self, other: UnitVector, share: float) -> UnitVector:
        """Linear blend; ``share`` 0 is this vector, 1 the other one."""
        names = {**self._sides, **other._sides}
        mixed = {
            name: (
                (1 - share) * self.side(name, "left") + share * other.side(name, "left"),
                (1 - share) * self.side(name, "right") + share * other.side(name, "right"),
            )
            for name in names
        }
        return UnitVector({name: (min(left, 1.0), min(right, 1.0)) for name, (left, right) in mixed.items()})

    def actions(self) -> dict[str, float]:
        """Facial action -> weight of the vector.

        Examples:
            >>> UnitVector({"AU12": (1.0, 0.0)}).actions()
            {'mouthSmileLeft': 1.2}
        """
        total: dict[str, float] = {}
        for name, (left, right) in self.sides().items():
            unit = UNIT_ACTIONS[name]
            more = 1 + _PARTED_SMILE * self["AU12"] if name == "AU25" else 1.0
            for action, weight in unit.actions.items():
                parts = ((f"{action}Left", left), (f"{action}Right", right)) if unit.sided else ((action, left),)
                for full_name, intensity in parts:
                    if intensity > 0:
                        total[full_name] = total.get(full_name, 0.0) + more * weight * intensity
        limits = {"jawOpen": _MAX_JAW_OPEN, "eyeBlinkLeft": _MAX_BLINK, "eyeBlinkRight": _MAX_BLINK}
        for action, limit in limits.items():
            if action in total:
                total[action] = min(total[action], limit)
        return total

# SPDX-License-Identifier: Apache-2.0
"""Label orders: the canonical one, which mien uses everywhere, and those of data sets, which are mapped by name.

Examples:
    >>> EXPRESSIONS[:3]
    ('neutral', 'happiness', 'surprise')
    >>> ACTION_UNITS["AU12"]
    'lip corner puller'
    >>> len(LANDMARK_COLUMNS), LANDMARK_COLUMNS[:4]
    (136, ('x00', 'y00', 'x01', 'y01'))
    >>> MIRRORED_LANDMARKS[36], MIRRORED_LANDMARKS[MIRRORED_LANDMARKS[36]]
    (45, 36)
"""

import math
from collections.abc import ItemsView, KeysView, Mapping, Sequence, ValuesView
from types import MappingProxyType
from typing import NoReturn

import numpy as np

from mien.core.arrays import Indices
from mien.core.errors import ConfigError, InputError


class ActionUnitNames(Mapping[str, str]):
    """Action unit -> name, of every unit that mien knows.

    It cannot be iterated or zipped directly: a bundle predicts some of the units, so their values belong to
    ``faces.action_unit_labels`` and a pair with these names would be wrong without a word.

    Examples:
        >>> ACTION_UNITS["AU12"], "AU12" in ACTION_UNITS, len(ACTION_UNITS.labels)
        ('lip corner puller', True, 18)
        >>> dict(zip(ACTION_UNITS, [0.1, 0.9]))
        Traceback (most recent call last):
        TypeError: pair values with faces.action_unit_labels, which a bundle decides; all names: ACTION_UNITS.labels
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = dict(names)

    def __getitem__(self, unit: str) -> str:
        return self._names[unit]

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, unit: object) -> bool:
        return unit in self._names

    def __iter__(self) -> NoReturn:
        raise TypeError(
            "pair values with faces.action_unit_labels, which a bundle decides; all names: ACTION_UNITS.labels"
        )

    def full(self, unit: str) -> str:
        """A unit with its name; a unit that mien does not know alone.

        Examples:
            >>> ACTION_UNITS.full("AU12"), ACTION_UNITS.full("AU99")
            ('AU12 lip corner puller', 'AU99')
        """
        return f"{unit} {self._names[unit]}" if unit in self._names else unit

    @property
    def labels(self) -> tuple[str, ...]:
        """All known action units, ascending."""
        return tuple(self._names)

    def items(self) -> ItemsView[str, str]:
        """Pairs of an action unit and its name."""
        return self._names.items()

    def keys(self) -> KeysView[str]:
        """All known action units."""
        return self._names.keys()

    def values(self) -> ValuesView[str]:
        """The names of all known action units."""
        return self._names.values()

    def __repr__(self) -> str:
        return f"ActionUnitNames({self._names!r})"


EXPRESSIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
"""The canonical eight expressions, in the order of every table column and array."""

EXPRESSION_COLOURS = MappingProxyType(
    {
        "neutral": "#999999",
        "happiness": "#e69f00",
        "surprise": "#56b4e9",
        "sadness": "#0072b2",
        "anger": "#d55e00",
        "disgust": "#009e73",
        "fear": "#cc79a7",
        "contempt": "#f0e442",
    }
)
"""The colour of each expression wherever one is drawn: Okabe and Ito's palette for all kinds of colour vision (2008),
with grey for its black, so that it holds on light and on dark grounds."""

DEFAULT_THRESHOLD = 0.5
"""Probability from which an action unit counts as present where its bundle names no threshold."""

DOUBTFUL_QUALITY = 0.5
"""Quality below which overlays and reports show a face as doubtful: its expression is more likely wrong than right."""

DIMENSIONS = ("valence", "arousal")
"""Columns of a valence-arousal array; both in [-1, 1]."""

LANDMARK_COLUMNS = tuple(f"{axis}{index:02d}" for index in range(68) for axis in "xy")
"""Columns of 68 landmarks in 300-W order: x and y of each in turn."""

MIRRORED_LANDMARKS: tuple[int, ...] = (
    *range(16, -1, -1),  # jaw
    *range(26, 16, -1),  # brows
    *(27, 28, 29, 30, 35, 34, 33, 32, 31),  # nose
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),  # eyes
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),  # outer lips
    *(64, 63, 62, 61, 60, 67, 66, 65),  # inner lips
)
"""300-W landmarks of a mirrored face: its landmark i is landmark ``MIRRORED_LANDMARKS[i]`` of the face."""

BODY_JOINTS = (
    *("head", "neck", "pelvis"),
    *("left_shoulder", "left_elbow", "left_wrist", "left_hip", "left_knee", "left_ankle"),
    *("right_shoulder", "right_elbow", "right_wrist", "right_hip", "right_knee", "right_ankle"),
)
"""Joints of a body that faces the camera; sides are the image's, and the head is its crown."""

BODY_LIMBS = MappingProxyType(
    {
        "head": ("head", "neck"),
        "torso": ("neck", "pelvis"),
        "left_upper_arm": ("left_shoulder", "left_elbow"),
        "left_lower_arm": ("left_elbow", "left_wrist"),
        "left_upper_leg": ("left_hip", "left_knee"),
        "left_lower_leg": ("left_knee", "left_ankle"),
        "right_upper_arm": ("right_shoulder", "right_elbow"),
        "right_lower_arm": ("right_elbow", "right_wrist"),
        "right_upper_leg": ("right_hip", "right_knee"),
        "right_lower_leg": ("right_knee", "right_ankle"),
    }
)
"""Limb of a body -> the two joints at its ends; its centre is their mean."""

LIMB_ENDS = tuple((BODY_JOINTS.index(first), BODY_JOINTS.index(last)) for first, last in BODY_LIMBS.values())
"""Numbers of the two joints of each limb."""


def point_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Columns of named points: x and y of each in turn.

    Examples:
        >>> point_columns(["nose", "mouth"])
        ('nose_x', 'nose_y', 'mouth_x', 'mouth_y')
    """
    return tuple(f"{name}_{axis}" for name in names for axis in "xy")


def mirrored_names(names: Sequence[str]) -> tuple[int, ...]:
    """Index of the name of the other side for each name; of the name itself where there is no other side.

    Args:
        names: Distinct names, with ``left`` or ``right`` as a part between underscores where they have a side.

    Examples:
        >>> mirrored_names(["left_eye", "right_eye", "nose"]), mirrored_names(["AU12_left", "AU12_right", "AU25"])
        ((1, 0, 2), (1, 0, 2))
    """
    other = {"left": "right", "right": "left"}
    place = {name: row for row, name in enumerate(names)}
    swapped = ["_".join(other.get(part, part) for part in name.split("_")) for name in names]
    return tuple(place.get(mirrored, row) for row, mirrored in enumerate(swapped))


ACTION_UNITS = ActionUnitNames(
    {
        "AU01": "inner brow raiser",
        "AU02": "outer brow raiser",
        "AU04": "brow lowerer",
        "AU05": "upper lid raiser",
        "AU06": "cheek raiser",
        "AU07": "lid tightener",
        "AU09": "nose wrinkler",
        "AU10": "upper lip raiser",
        "AU12": "lip corner puller",
        "AU14": "dimpler",
        "AU15": "lip corner depressor",
        "AU17": "chin raiser",
        "AU20": "lip stretcher",
        "AU23": "lip tightener",
        "AU24": "lip pressor",
        "AU25": "lips part",
        "AU26": "jaw drop",
        "AU45": "blink",
    }
)
"""Action units (FACS) that mien knows, with their FACS names."""

ACTION_UNIT_SIDES = tuple(
    f"AU{number}_{side}"
    for number in ("02", "04", "05", "06", "07", "09", "10", "12", "14", "15", "20", "45")
    for side in ("left", "right")
)
"""Sides of action units that mien knows: the person's own left and right, of the units whose sides move apart."""

# Spellings and orders of the literature (index 0 first).
EXPRESSION_ORDERS = MappingProxyType(
    {
        "canonical": EXPRESSIONS,
        "ferplus": EXPRESSIONS,
        "affwild2_8": ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise", "other"),
        "affwild2_7": ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise"),
        "hse_8": ("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"),
        "hse_7": ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"),
        "affectnet": ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"),
        "lsd_6": ("anger", "disgust", "fear", "happiness", "sadness", "surprise"),
        "fer2013": ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"),
        "raf_basic": ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"),
    }
)
"""Named expression orders of data sets and published models, spelled with canonical names."""

ACTION_UNITS_12 = ("AU01", "AU02", "AU04", "AU06", "AU07", "AU10", "AU12", "AU15", "AU23", "AU24", "AU25", "AU26")
"""Action units of Aff-Wild2 since 2021, in file order."""

ACTION_UNITS_8 = ("AU01", "AU02", "AU04", "AU06", "AU12", "AU15", "AU20", "AU25")
"""Action units of the 2020 edition, in file order."""

COMPOUND_EXPRESSIONS = (
    "fearfully surprised",
    "happily surprised",
    "sadly surprised",
    "disgustedly surprised",
    "angrily surprised",
    "sadly fearful",
    "sadly angry",
)
"""The seven compound expressions, in the order of submissions."""

EMI_EMOTIONS = ("admiration", "amusement", "determination", "empathic pain", "excitement", "joy")
"""Emotions of Hume-Vidmimic2, in file order."""

ERI_EMOTIONS = ("adoration", "amusement", "anxiety", "disgust", "empathic pain", "fear", "surprise")
"""Emotions of Hume-Reaction, in file order."""


def columns_by_name(source: Sequence[str], target: Sequence[str]) -> Indices:
    """Index into ``source`` of every name in ``target``, so that ``array[..., index]`` is in target order.

    Raises:
        ConfigError: A target name does not occur in the source (a class is never invented).

    Examples:
        >>> order = columns_by_name(EXPRESSION_ORDERS["raf_basic"], ("anger", "neutral"))
        >>> order.tolist()
        [5, 6]
        >>> columns_by_name(("happiness", "anger"), ("contempt",))
        Traceback (most recent call last):
        mien.core.errors.ConfigError: labels ['contempt'] do not occur in ['happiness', 'anger']
    """
    position = {name: index for index, name in enumerate(source)}
    missing = [name for name in target if name not in position]
    if missing:
        raise ConfigError(f"labels {missing} do not occur in {list(source)}")
    return np.array([position[name] for name in target], dtype=np.intp)


def is_value_name(name: str) -> bool:
    """Whether a column holds labels that are numbers: valence, arousal or an action unit.

    Examples:
        >>> is_value_name("AU12"), is_value_name("valence"), is_value_name("AUdio")
        (True, True, False)
    """
    return name in DIMENSIONS or (name.startswith("AU") and name[2:].isdecimal())


def label_value(place: str, name: str, text: str | None) -> float:
    """The number in a cell of labels; NaN where the cell is empty.

    Args:
        place: File and line, for the message.
        name: Column: valence or arousal (-1 to 1), or an action unit (0 to 1).
        text: Content of the cell.

    Raises:
        InputError: It is no number, or out of range.

    Examples:
        >>> label_value("faces.csv: line 2", "AU12", "0.5")
        0.5
        >>> label_value("faces.csv: line 2", "AU12", "2")
        Traceback (most recent call last):
        mien.core.errors.InputError: faces.csv: line 2: AU12 must be from 0 to 1, got '2'
    """
    if not text or not text.strip():
        return math.nan
    low = -1 if name in DIMENSIONS else 0
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not low <= value <= 1:
        raise InputError(f"{place}: {name} must be from {low} to 1, got {text!r}")
    return value

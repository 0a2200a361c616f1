# SPDX-License-Identifier: Apache-2.0
"""The single columns of the affect table, with unit, range and meaning."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from mien.core import ABSTAIN_REASONS, ACTION_UNITS, NAME_SEPARATOR


@dataclass(frozen=True, kw_only=True)
class Column:
    """The description of one column.

    Attributes:
        name: Name of the column in every format.
        type: Arrow type.
        unit: Unit of the values, ``"1"`` for pure numbers and empty for names and flags.
        range: Range of the values, in words or as an interval.
        meaning: Meaning in one sentence.
    """

    name: str
    type: pa.DataType
    unit: str
    range: str
    meaning: str

    @property
    def field(self) -> pa.Field:
        """The Arrow field, with unit, range and meaning as its metadata."""
        about = {"unit": self.unit, "range": self.range, "meaning": self.meaning}
        return pa.field(self.name, self.type, metadata=about)

    @classmethod
    def from_field(cls, field: pa.Field) -> Column:
        """The description that the metadata of a field hold; empty strings for a column that is not mien's."""
        about = {
            key.decode("utf-8", "replace"): value.decode("utf-8", "replace")
            for key, value in (field.metadata or {}).items()
        }
        texts = {key: about.get(key, "") for key in ("unit", "range", "meaning")}
        return cls(name=field.name, type=field.type, **texts)


def _real(name: str, unit: str, range_: str, meaning: str) -> Column:
    return Column(name=name, type=pa.float32(), unit=unit, range=range_, meaning=meaning)


HEAD_COLUMNS = (
    Column(name="source", type=pa.string(), unit="", range="any text", meaning="The input as the caller gave it."),
    Column(name="frame", type=pa.int64(), unit="frames", range=">= 0", meaning="Position in the stream, from 0."),
    Column(
        name="time_s",
        type=pa.float64(),
        unit="s",
        range="any",
        meaning="Presentation time since the start of the stream, from the file's timestamps.",
    ),
    Column(
        name="track_id",
        type=pa.int64(),
        unit="",
        range=">= 0",
        meaning="The same number for the same face through a video; null where nothing is tracked.",
    ),
    Column(
        name="success",
        type=pa.bool_(),
        unit="",
        range="true, false",
        meaning="Whether the row holds a face; false is the single row of a frame without one.",
    ),
    _real(
        "confidence",
        "1",
        "[0, 1]",
        "Confidence of the detector, or of the landmark net where it follows the face; null where nothing was found.",
    ),
    _real("x0", "px", "any", "Left edge of the face box in the image as shown; may lie outside the image."),
    _real("y0", "px", "any", "Top edge of the face box in the image as shown; may lie outside the image."),
    _real("x1", "px", "> x0", "Right edge of the face box in the image as shown; may lie outside the image."),
    _real("y1", "px", "> y0", "Bottom edge of the face box in the image as shown; may lie outside the image."),
    _real("pitch_rad", "rad", "[-pi, pi]", "Head rotation, seen by the viewer: positive lifts the nose."),
    _real("yaw_rad", "rad", "[-pi, pi]", "Head rotation, seen by the viewer: positive turns the nose to the right."),
    _real("roll_rad", "rad", "[-pi, pi]", "Head rotation, seen by the viewer: positive tilts the crown to the right."),
    _real(
        "quality",
        "1",
        "[0, 1]",
        "Probability that the predicted expression is right, from the image and from how sure the network is; lowered "
        "where the face is behind a mosaic, a blur or a cover.",
    ),
    Column(
        name="expression",
        type=pa.string(),
        unit="",
        range="an expression label",
        meaning="The most probable expression.",
    ),
)
PERSON_COLUMN = Column(
    name="person",
    type=pa.string(),
    unit="",
    range="any text",
    meaning="Name that a user gave to the track, see `mien tracks`; null without one.",
)
"""The column that naming persons adds after ``track_id``."""

TAIL_COLUMNS = (
    _real("valence", "1", "[-1, 1]", "Unpleasant (-1) to pleasant (1)."),
    _real("arousal", "1", "[-1, 1]", "Calm (-1) to excited (1)."),
)

EYE_OPENNESS = tuple(
    _real(
        f"eye_open_image_{side}",
        "1",
        "[0, 1]",
        f"Openness of the eye at the image's {side}, 0 closed to 1 wide open; null without a landmark net.",
    )
    for side in ("left", "right")
)
UNCERTAIN_COLUMNS = (
    Column(
        name="possible_expressions",
        type=pa.string(),
        unit="",
        range=f"labels, {NAME_SEPARATOR} between them",
        meaning="Expressions that stay possible: of each true expression, the bundle's coverage (0.9) is in the set.",
    ),
    _real("valence_low", "1", "[-1, 1]", "Lower end of the interval that holds valence with the bundle's coverage."),
    _real("valence_high", "1", "[-1, 1]", "Upper end of the interval that holds valence with the bundle's coverage."),
    _real("arousal_low", "1", "[-1, 1]", "Lower end of the interval that holds arousal with the bundle's coverage."),
    _real("arousal_high", "1", "[-1, 1]", "Upper end of the interval that holds arousal with the bundle's coverage."),
    _real("covered", "1", "[0, 1]", "Probability that a hand, a mask or glasses cover parts of the face."),
    _real("unfamiliar", "1", "[0, 1]", "Probability of a drawing, a statue, an animal, a mask or a pattern."),
    _real("view_spread", "1", "[0, 1]", "Mean change of the expression probabilities in further views; see --views."),
    Column(
        name="abstain",
        type=pa.string(),
        unit="",
        range=f"names, {NAME_SEPARATOR} between them",
        meaning=f"Reasons not to use the predictions, which are there all the same; null for none: "
        f"{', '.join(ABSTAIN_REASONS)}.",
    ),
)
"""Columns that a calibrated bundle adds at the end of the table."""

INTERVAL_SUFFIXES = ("_low", "_high")
"""Endings of the columns of the intervals of action units."""

INTENSITY_SUFFIX = "_intensity"
"""Ending of the columns of intensities, after the name of the action unit."""
STREAM_OFFSET_COLUMN = Column(
    name="stream_offset_s",
    type=pa.float64(),
    unit="s",
    range="any",
    meaning="Time on the file's own clock where time_s is 0, such as for its sound; null for photos and cameras.",
)
"""The column of a table of media files that follows those of the face."""

EYE_COLUMNS = tuple(column.name for column in EYE_OPENNESS)
"""Columns that follow the landmarks, in the order of `mien.core.Faces.eyes_open`."""

FACE_COLUMN = Column(
    name="face",
    type=pa.int64(),
    unit="",
    range=">= 1",
    meaning="Number of the face in its photo or frame, counted from the left, as overlays and reports show it.",
)
"""The column that numbers the faces of one photo or frame; tables of mien before 0.2 lack it."""


def expression_column(label: str) -> Column:
    """The column of an expression's probability."""
    meaning = f"Probability of {label} among the bundle's expressions; null where it has no such class."
    return _real(f"expression_{label}", "1", "[0, 1]", meaning)


def action_unit_column(label: str) -> Column:
    """The column of an action unit's probability."""
    name = f" ({ACTION_UNITS[label]})" if label in ACTION_UNITS else ""
    return _real(label, "1", "[0, 1]", f"Probability that action unit {label}{name} is active, on its own.")


def intensity_column(label: str) -> Column:
    """The column of an action unit's intensity."""
    name = f" ({ACTION_UNITS[label]})" if label in ACTION_UNITS else ""
    return _real(
        f"{label}{INTENSITY_SUFFIX}", "1", "[0, 5]", f"Intensity of action unit {label}{name}, 0 absent to 5 maximum."
    )


def side_column(label: str) -> Column:
    """The column of the intensity of one side of an action unit, such as ``"AU12_left"``."""
    unit, _, side = label.partition("_")
    name = f" ({ACTION_UNITS[unit]})" if unit in ACTION_UNITS else ""
    meaning = f"Intensity of action unit {unit}{name} on the person's own {side} side, 0 absent to 5 maximum."
    return _real(f"{label}{INTENSITY_SUFFIX}", "1", "[0, 5]", meaning)


def interval_columns(label: str) -> tuple[Column, Column]:
    """The columns of both ends of an action unit's interval."""
    low, high = (
        _real(
            f"{label}{suffix}",
            "1",
            "[0, 1]",
            f"{end} end of the interval that holds the reference's probability of {label} with the bundle's coverage.",
        )
        for suffix, end in zip(INTERVAL_SUFFIXES, ("Lower", "Upper"), strict=True)
    )
    return low, high


def landmark_column(axis: str, index: int) -> Column:
    """The column of one coordinate of a landmark."""
    way = "to the right" if axis == "x" else "downwards"
    return _real(f"lm_{axis}{index:02d}", "px", "any", f"Landmark {index}, from the image's top left corner {way}.")

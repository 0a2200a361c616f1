# SPDX-License-Identifier: Apache-2.0
"""The columns of the affect table: their order, types, units and meanings, written once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TypeVar

import numpy as np
import pyarrow as pa

from mien._version import __version__
from mien.core import ACTION_UNITS, DEFAULT_THRESHOLD, EXPRESSIONS, ConfigError, Float64, InputError

SCHEMA_VERSION = 1
"""Version of the column contract; tables of a higher version are refused."""

T = TypeVar("T")

PREFIX = "mien."
"""Begin of the keys of mien's own facts in the metadata of a schema."""

# Keys that earlier versions wrote in table metadata, the arguments of a manifest and the settings of feature shards.
_FORMERLY = {
    "points": "landmark_model",
    "points_name": "landmark_model_name",
    "points_sha256": "landmark_model_sha256",
}
THRESHOLDS_KEY = "action_unit_thresholds"
"""Key of the thresholds of the bundle in `table_metadata`."""

_NO_THRESHOLDS: Mapping[str, float] = MappingProxyType({})
_INTENSITY_KEY = "intensity_labels"
_OWN_KEYS = ("schema_version", "version", "expression_labels", "action_unit_labels", "n_landmarks")


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


_HEAD = (
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
        "Probability that the predicted expression is right, from the image and from how sure the network is.",
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

_TAIL = (
    _real("valence", "1", "[-1, 1]", "Unpleasant (-1) to pleasant (1)."),
    _real("arousal", "1", "[-1, 1]", "Calm (-1) to excited (1)."),
)

_EYES = tuple(
    _real(
        f"eye_open_image_{side}",
        "1",
        "[0, 1]",
        f"Openness of the eye at the image's {side}, 0 closed to 1 wide open; null without a landmark net.",
    )
    for side in ("left", "right")
)
INTENSITY_SUFFIX = "_intensity"
"""Ending of the columns of intensities, after the name of the action unit."""
STREAM_OFFSET_COLUMN = Column(
    name="stream_offset_s",
    type=pa.float64(),
    unit="s",
    range="any",
    meaning="Time on the file's own clock where time_s is 0, such as for its sound; null for photos and cameras.",
)
"""The last column of a table of media files."""

EYE_COLUMNS = tuple(column.name for column in _EYES)
"""Columns that follow the landmarks, in the order of `mien.core.Faces.eyes_open`."""

FACE_COLUMN = Column(
    name="face",
    type=pa.int64(),
    unit="",
    range=">= 1",
    meaning="Number of the face in its photo or frame, counted from the left, as overlays and reports show it.",
)
"""The column that numbers the faces of one photo or frame; tables of mien before 0.2 lack it."""


def _expression(label: str) -> Column:
    meaning = f"Probability of {label} among the bundle's expressions; null where it has no such class."
    return _real(f"expression_{label}", "1", "[0, 1]", meaning)


def _action_unit(label: str) -> Column:
    name = f" ({ACTION_UNITS[label]})" if label in ACTION_UNITS else ""
    return _real(label, "1", "[0, 1]", f"Probability that action unit {label}{name} is active, on its own.")


def _intensity(label: str) -> Column:
    name = f" ({ACTION_UNITS[label]})" if label in ACTION_UNITS else ""
    return _real(
        f"{label}{INTENSITY_SUFFIX}", "1", "[0, 5]", f"Intensity of action unit {label}{name}, 0 absent to 5 maximum."
    )


def _landmark(axis: str, index: int) -> Column:
    way = "to the right" if axis == "x" else "downwards"
    return _real(f"lm_{axis}{index:02d}", "px", "any", f"Landmark {index}, from the image's top left corner {way}.")


_FIXED: Mapping[str, Column] = MappingProxyType(
    {column.name: column for column in (*_HEAD, *map(_expression, EXPRESSIONS), *_TAIL)}
)

REQUIRED_COLUMNS = tuple(_FIXED)
"""The columns that every affect table has, whatever the bundle, in contract order."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The bundle-dependent columns of a table.

    Attributes:
        expression_labels: Expressions of the bundle, in its order.
        action_unit_labels: Action units of the bundle, in its order.
        n_landmarks: Number of landmarks per face with columns; 0 for none.
        intensity_labels: Those of the action units with an intensity.
    """

    expression_labels: tuple[str, ...]
    action_unit_labels: tuple[str, ...]
    n_landmarks: int
    intensity_labels: tuple[str, ...] = ()

    @classmethod
    def from_schema(cls, schema: pa.Schema) -> Layout:
        """Reads the layout that `table_schema` stored.

        Raises:
            ConfigError: The schema does not come from `table_schema`.
        """
        about = table_metadata(schema)
        missing = [key for key in _OWN_KEYS if key not in about]
        if missing:
            raise ConfigError(f"the schema lacks {missing} in its metadata; build it with mien.results.table_schema")
        return cls(
            expression_labels=tuple(json.loads(about["expression_labels"])),
            action_unit_labels=tuple(json.loads(about["action_unit_labels"])),
            n_landmarks=int(about["n_landmarks"]),
            intensity_labels=tuple(json.loads(about.get(_INTENSITY_KEY, "[]"))),
        )


def table_schema(
    *,
    expression_labels: Sequence[str] = EXPRESSIONS,
    action_unit_labels: Sequence[str] = (),
    n_landmarks: int = 0,
    intensity_labels: Sequence[str] = (),
    stream_offset: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> pa.Schema:
    """The Arrow schema of a table that one bundle fills.

    The order is: where and when, box, pose, quality, top expression, the eight canonical expressions, further
    expressions that the bundle alone knows, valence, arousal, action units, landmarks and with these the openness of
    both eyes, and the number of the face in its frame. Landmarks are plain columns ``lm_x00 ... lm_x67, lm_y00 ...
    lm_y67``, so that they look the same in Parquet, CSV and JSON Lines and ``frame.filter(like="lm_x")`` is a matrix.

    Args:
        expression_labels: Expressions of the bundle; canonical ones that are not among them are null in every row.
        action_unit_labels: Action units of the bundle, such as ``"AU12"``.
        n_landmarks: Number of landmarks per face, 0 for none; `EYE_COLUMNS` go with them.
        intensity_labels: Action units with an intensity; their columns, such as ``AU12_intensity``, follow the face.
        stream_offset: Whether `STREAM_OFFSET_COLUMN` is the last column.
        metadata: Facts about the run for the file, such as ``bundle_name``, ``bundle_sha256``, ``stream_offset_s``.
            The schema version, mien's version and the labels are added.

    Raises:
        ConfigError: Labels repeat or clash with other columns, ``n_landmarks`` is not in 0..99, or ``metadata``
            uses a reserved key.
    """
    if not 0 <= n_landmarks <= 99:
        raise ConfigError(f"n_landmarks must be from 0 to 99, got {n_landmarks}")
    reserved = sorted({*_OWN_KEYS, _INTENSITY_KEY} & set(metadata or {}))
    if reserved:
        raise ConfigError(f"metadata keys {reserved} are written by mien itself; use other names")
    expressions = (*EXPRESSIONS, *(label for label in expression_labels if label not in EXPRESSIONS))
    columns = (
        *_HEAD,
        *map(_expression, expressions),
        *_TAIL,
        *map(_action_unit, action_unit_labels),
        *map(partial(_landmark, "x"), range(n_landmarks)),
        *map(partial(_landmark, "y"), range(n_landmarks)),
        *(_EYES if n_landmarks else ()),
        FACE_COLUMN,
        *map(_intensity, intensity_labels),
        *((STREAM_OFFSET_COLUMN,) if stream_offset else ()),
    )
    names = [column.name for column in columns]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated or len(set(expression_labels)) < len(expression_labels):
        raise ConfigError(f"labels must differ from each other and from other columns, repeated: {repeated}")
    about = {
        "schema_version": str(SCHEMA_VERSION),
        "version": __version__,
        "expression_labels": json.dumps(list(expression_labels)),
        "action_unit_labels": json.dumps(list(action_unit_labels)),
        "n_landmarks": str(n_landmarks),
        **({_INTENSITY_KEY: json.dumps(list(intensity_labels))} if intensity_labels else {}),
        **(metadata or {}),
    }
    prefixed = {PREFIX + key: value for key, value in about.items()}
    return pa.schema([column.field for column in columns], metadata=prefixed)


def table_metadata(schema: pa.Schema) -> dict[str, str]:
    """The facts about the run that a schema carries: the ``metadata`` of `table_schema` and mien's own keys."""
    prefix = PREFIX.encode()
    texts = {
        key.removeprefix(prefix).decode("utf-8", "replace"): value.decode("utf-8", "replace")
        for key, value in (schema.metadata or {}).items()
        if key.startswith(prefix)
    }
    return with_current_keys(texts)


def with_current_keys(values: Mapping[str, T]) -> dict[str, T]:
    """The same values under the current name of every key that earlier versions of mien named differently.

    Examples:
        >>> with_current_keys({"points": "none", "every": 2})
        {'landmark_model': 'none', 'every': 2}
    """
    return {_FORMERLY.get(key, key): value for key, value in values.items()}


def with_table_metadata(schema: pa.Schema, facts: Mapping[str, str]) -> pa.Schema:
    """The schema with further facts for `table_metadata`.

    Examples:
        >>> table_metadata(with_table_metadata(table_schema(), {"smoothing": "va=50"}))["smoothing"]
        'va=50'
    """
    own = {f"{PREFIX}{key}".encode(): text.encode() for key, text in facts.items()}
    return schema.with_metadata({**(schema.metadata or {}), **own})


def describe_columns(schema: pa.Schema | None = None) -> Iterator[Column]:
    """Name, unit, range and meaning of every column, for documentation.

    Args:
        schema: Schema of the table; by default one with every action unit that mien knows and no landmarks.
    """
    if schema is None:
        units = ACTION_UNITS.labels
        schema = table_schema(action_unit_labels=units, intensity_labels=units, stream_offset=True)
    return (Column.from_field(field) for field in schema)


def action_unit_columns(schema: pa.Schema) -> list[str]:
    """The action units of a table that it has columns of: those of its bundle first, then further ones by name."""
    try:
        own = [label for label in Layout.from_schema(schema).action_unit_labels if label in schema.names]
    except ConfigError:
        own = []
    return [*own, *(name for name in schema.names if re.fullmatch(r"AU\d+", name) and name not in own)]


def intensity_columns(schema: pa.Schema) -> list[str]:
    """The columns of intensities of a table, in its order.

    Examples:
        >>> intensity_columns(table_schema(action_unit_labels=("AU12",), intensity_labels=("AU12",)))
        ['AU12_intensity']
    """
    return [name for name in schema.names if re.fullmatch(rf"AU\d+{INTENSITY_SUFFIX}", name)]


def presence_thresholds(schema: pa.Schema, known: Mapping[str, float] = _NO_THRESHOLDS) -> dict[str, float]:
    """Action unit -> probability from which it counts as present, for every action unit of a table.

    This is the one place that decides it for summaries, reports and OpenFace files: the threshold of the bundle that
    the table keeps, else the known one, else `mien.core.DEFAULT_THRESHOLD`.

    Args:
        schema: Schema of the table.
        known: Thresholds of the bundle that made the table, for text formats, which keep none.

    Raises:
        InputError: The table's metadata are damaged.
    """
    thresholds = {**known, **action_unit_thresholds(schema)}
    return {label: thresholds.get(label, DEFAULT_THRESHOLD) for label in action_unit_columns(schema)}


def action_unit_thresholds(schema: pa.Schema) -> dict[str, float]:
    """Action unit -> threshold that the table keeps from its bundle; empty where the table keeps none.

    Raises:
        InputError: The table's metadata are damaged.
    """
    text = table_metadata(schema).get(THRESHOLDS_KEY, "{}")
    try:
        return {str(label): float(threshold) for label, threshold in json.loads(text).items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"the table is damaged: {THRESHOLDS_KEY} in its metadata is {text!r}") from error


def thresholds_metadata(thresholds: Mapping[str, float]) -> dict[str, str]:
    """The table metadata that `action_unit_thresholds` reads; empty if there are no thresholds.

    Args:
        thresholds: Action unit -> probability from which it counts as present.
    """
    return {THRESHOLDS_KEY: json.dumps(dict(thresholds))} if thresholds else {}


def column_numbers(column: pa.ChunkedArray) -> Float64:
    """A column as float64, NaN where it is null.

    Examples:
        >>> column_numbers(pa.chunked_array([[1, None]])).tolist()
        [1.0, nan]
    """
    return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)


def expression_columns(schema: pa.Schema) -> list[str]:
    """The columns of expression probabilities, in the order of the table.

    Examples:
        >>> expression_columns(table_schema())[:2]
        ['expression_neutral', 'expression_happiness']
    """
    return [
        field.name
        for field in schema
        if field.name.startswith("expression_") and pa.types.is_floating(field.type)  # a user's own may hold text
    ]


def column_named(name: str) -> Column | None:
    """The column of the contract with this name; None if the contract has no such column.

    With it, formats that store no types (CSV, JSON Lines) are read back with the right ones.

    Examples:
        >>> column_named("AU12").range
        '[0, 1]'
        >>> column_named("note") is None
        True
    """
    if name in _FIXED:
        return _FIXED[name]
    for column in (PERSON_COLUMN, *_EYES, FACE_COLUMN, STREAM_OFFSET_COLUMN):
        if name == column.name:
            return column
    if name.startswith("expression_"):
        return _expression(name.removeprefix("expression_"))
    if re.fullmatch(r"AU\d+", name):
        return _action_unit(name)
    if re.fullmatch(rf"AU\d+{INTENSITY_SUFFIX}", name):
        return _intensity(name.removesuffix(INTENSITY_SUFFIX))
    if match := re.fullmatch(r"lm_([xy])(\d\d)", name):
        return _landmark(match[1], int(match[2]))
    return None

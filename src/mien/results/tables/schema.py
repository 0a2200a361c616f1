# SPDX-License-Identifier: Apache-2.0
"""The columns of the affect table: their order, types, units and meanings, written once."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TypeVar

import numpy as np
import pyarrow as pa

from mien._version import __version__
from mien.core import (
    ACTION_UNIT_SIDES,
    ACTION_UNITS,
    DEFAULT_THRESHOLD,
    EXPRESSIONS,
    ConfigError,
    Float64,
    InputError,
)
from mien.results.tables.table_columns import (
    EYE_OPENNESS,
    FACE_COLUMN,
    HEAD_COLUMNS,
    INTENSITY_SUFFIX,
    PERSON_COLUMN,
    STREAM_OFFSET_COLUMN,
    TAIL_COLUMNS,
    UNCERTAIN_COLUMNS,
    Column,
    action_unit_column,
    expression_column,
    intensity_column,
    interval_columns,
    landmark_column,
    side_column,
)

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

LIMITS_KEY = "expression_limits"
"""Key of the limits of the sets of possible expressions in `table_metadata`."""

_NO_THRESHOLDS: Mapping[str, float] = MappingProxyType({})
_INTENSITY_KEY, _SIDES_KEY = "intensity_labels", "side_labels"
_SIDES = ("_left", "_right")
_OWN_KEYS = ("schema_version", "version", "expression_labels", "action_unit_labels", "n_landmarks")


_FIXED: Mapping[str, Column] = MappingProxyType(
    {column.name: column for column in (*HEAD_COLUMNS, *map(expression_column, EXPRESSIONS), *TAIL_COLUMNS)}
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
        side_labels: Sides of action units with an intensity, such as ``"AU12_left"``.
    """

    expression_labels: tuple[str, ...]
    action_unit_labels: tuple[str, ...]
    n_landmarks: int
    intensity_labels: tuple[str, ...] = ()
    side_labels: tuple[str, ...] = ()

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
            side_labels=tuple(json.loads(about.get(_SIDES_KEY, "[]"))),
        )


def table_schema(
    *,
    expression_labels: Sequence[str] = EXPRESSIONS,
    action_unit_labels: Sequence[str] = (),
    n_landmarks: int = 0,
    intensity_labels: Sequence[str] = (),
    stream_offset: bool = False,
    uncertainty: bool = False,
    interval_labels: Sequence[str] = (),
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
            Sides of them, such as ``"AU12_left"``, have the last columns of all, such as ``AU12_left_intensity``.
        stream_offset: Whether the table has `STREAM_OFFSET_COLUMN`.
        uncertainty: Whether the table has `UNCERTAIN_COLUMNS`.
        interval_labels: Action units with an interval; their columns, such as ``AU12_low``, come after all but those of
            sides.
        metadata: Facts about the run for the file, such as ``bundle_name``, ``bundle_sha256``, ``stream_offset_s``.
            The schema version, mien's version and the labels are added.

    Raises:
        ConfigError: Labels repeat or clash with other columns, ``n_landmarks`` is not in 0..99, or ``metadata``
            uses a reserved key.
    """
    if not 0 <= n_landmarks <= 99:
        raise ConfigError(f"n_landmarks must be from 0 to 99, got {n_landmarks}")
    reserved = sorted({*_OWN_KEYS, _INTENSITY_KEY, _SIDES_KEY} & set(metadata or {}))
    if reserved:
        raise ConfigError(f"metadata keys {reserved} are written by mien itself; use other names")
    side_labels = [label for label in intensity_labels if label.endswith(_SIDES)]
    intensity_labels = [label for label in intensity_labels if label not in side_labels]
    expressions = (*EXPRESSIONS, *(label for label in expression_labels if label not in EXPRESSIONS))
    columns = (
        *HEAD_COLUMNS,
        *map(expression_column, expressions),
        *TAIL_COLUMNS,
        *map(action_unit_column, action_unit_labels),
        *map(partial(landmark_column, "x"), range(n_landmarks)),
        *map(partial(landmark_column, "y"), range(n_landmarks)),
        *(EYE_OPENNESS if n_landmarks else ()),
        FACE_COLUMN,
        *map(intensity_column, intensity_labels),
        *((STREAM_OFFSET_COLUMN,) if stream_offset else ()),
        *(UNCERTAIN_COLUMNS if uncertainty else ()),
        *(column for label in interval_labels for column in interval_columns(label)),
        *map(side_column, side_labels),
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
        **({_SIDES_KEY: json.dumps(list(side_labels))} if side_labels else {}),
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


def without_table_metadata(schema: pa.Schema, keys: Collection[str]) -> pa.Schema:
    """The schema without some of the facts for `table_metadata`.

    Examples:
        >>> schema = with_table_metadata(table_schema(), {"smoothing": "va=50"})
        >>> "smoothing" in table_metadata(without_table_metadata(schema, ["smoothing"]))
        False
    """
    left_out = {f"{PREFIX}{key}".encode() for key in keys}
    return schema.with_metadata({key: value for key, value in (schema.metadata or {}).items() if key not in left_out})


def describe_columns(schema: pa.Schema | None = None) -> Iterator[Column]:
    """Name, unit, range and meaning of every column, for documentation.

    Args:
        schema: Schema of the table; by default one with every action unit that mien knows and no landmarks.
    """
    if schema is None:
        units = ACTION_UNITS.labels
        schema = table_schema(
            action_unit_labels=units,
            intensity_labels=(*units, *ACTION_UNIT_SIDES),
            stream_offset=True,
            uncertainty=True,
            interval_labels=units,
        )
    return (Column.from_field(field) for field in schema)


def action_unit_columns(schema: pa.Schema) -> list[str]:
    """The action units of a table that it has columns of: those of its bundle first, then further ones by name."""
    try:
        own = [label for label in Layout.from_schema(schema).action_unit_labels if label in schema.names]
    except ConfigError:
        own = []
    return [*own, *(name for name in schema.names if re.fullmatch(r"AU\d+", name) and name not in own)]


def intensity_columns(schema: pa.Schema) -> list[str]:
    """The columns of intensities of a table, of whole action units and of their sides, in its order.

    Examples:
        >>> intensity_columns(table_schema(action_unit_labels=("AU12",), intensity_labels=("AU12",)))
        ['AU12_intensity']
    """
    return [name for name in schema.names if re.fullmatch(rf"AU\d+(_left|_right)?{INTENSITY_SUFFIX}", name)]


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


def expression_limits_of(schema: pa.Schema) -> dict[str, float]:
    """Expression -> smallest probability in a set of possible expressions, from `limits_metadata`; empty without.

    Raises:
        InputError: The table's metadata are damaged.
    """
    text = table_metadata(schema).get(LIMITS_KEY, "{}")
    try:
        return {str(label): float(limit) for label, limit in json.loads(text).items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"the table is damaged: {LIMITS_KEY} in its metadata is {text!r}") from error


def limits_metadata(limits: Mapping[str, float]) -> dict[str, str]:
    """The table metadata that `expression_limits_of` reads; empty if there are no limits.

    Args:
        limits: Expression -> smallest probability with which it is in a set of possible expressions.
    """
    return {LIMITS_KEY: json.dumps(dict(limits))} if limits else {}


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
    for column in (PERSON_COLUMN, *EYE_OPENNESS, FACE_COLUMN, STREAM_OFFSET_COLUMN, *UNCERTAIN_COLUMNS):
        if name == column.name:
            return column
    if name.startswith("expression_"):
        return expression_column(name.removeprefix("expression_"))
    if re.fullmatch(r"AU\d+", name):
        return action_unit_column(name)
    if re.fullmatch(rf"AU\d+{INTENSITY_SUFFIX}", name):
        return intensity_column(name.removesuffix(INTENSITY_SUFFIX))
    if re.fullmatch(rf"AU\d+_(left|right){INTENSITY_SUFFIX}", name):
        return side_column(name.removesuffix(INTENSITY_SUFFIX))
    if match := re.fullmatch(r"(AU\d+)(_low|_high)", name):
        return interval_columns(match[1])[match[2] == "_high"]
    if match := re.fullmatch(r"lm_([xy])(\d\d)", name):
        return landmark_column(match[1], int(match[2]))
    return None

# SPDX-License-Identifier: Apache-2.0
"""Checks of a table from elsewhere: types, ranges and order, each defect as a sentence with its row and column."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from mien.core import DIMENSIONS, MAX_INTENSITY, Indices, Int64, printable
from mien.results.tables import arrow_compute as pc
from mien.results.tables.schema import (
    PREFIX,
    REQUIRED_COLUMNS,
    SCHEMA_VERSION,
    THRESHOLDS_KEY,
    column_named,
    expression_columns,
    table_metadata,
)
from mien.results.tables.table_columns import FACE_COLUMN, INTENSITY_SUFFIX, Column

MAX_NUMBER = 2**31 - 1
"""Highest number of a frame or a track: more than two years of video at 30 frames per second."""

MAX_TIME_S = 1e10
"""Largest time in seconds on either side of 0: about 300 years."""

MAX_PX = 1e7
"""Largest coordinate in pixels on either side of 0."""

_TRACK_BITS = 32
_NEVER_NULL = MappingProxyType(
    {"source": "input", "frame": "frame", "time_s": "time", "success": "flag whether it holds a face"}
)
_KINDS = MappingProxyType(
    {
        pa.string(): "text",
        pa.bool_(): "true or false",
        pa.int64(): "whole number",
        pa.float32(): "number",
        pa.float64(): "number",
    }
)
_TRUTHS = ("0", "1", "0.0", "1.0", "true", "false", "True", "False", "TRUE", "FALSE", None)
_SLACK = 1e-4  # what rounding to few digits adds to a probability
_SHOWN = 60

_LISTS = ("expression_labels", "action_unit_labels", "intensity_labels", "side_labels")


class NotATableError(Exception):
    """The file was decoded but is no affect table. The message continues after the file's name."""


def cell_error(row: int, column: str, complaint: str) -> NotATableError:
    """The error for one cell.

    Args:
        row: Number of the row, from 0.
        column: Name of the column.
        complaint: What is wrong, and what is right.
    """
    return NotATableError(f"cannot be used: row {row + 1}, column {printable(column, limit=_SHOWN)}: {complaint}")


def shown(value: object) -> str:
    """A value for a message: short, and on one line."""
    return printable(repr(value) if isinstance(value, str) else str(value), limit=_SHOWN)


def check_schema(schema: pa.Schema) -> None:
    """Refuses a schema that is not one of an affect table, or whose metadata are damaged.

    Raises:
        NotATableError: A column is missing or occurs twice, the table is of a newer version, or the facts about the run
            in the metadata cannot be read.
    """
    names = schema.names
    missing = [name for name in REQUIRED_COLUMNS if name not in names]
    if missing:
        raise NotATableError(f"is no affect table of mien: it lacks the columns {', '.join(missing)}")
    if len(set(names)) < len(names):
        twice = sorted({shown(name) for name in names if names.count(name) > 1})
        raise NotATableError(f"is damaged: it has several columns of the same name: {', '.join(twice)}")
    for key, text in (schema.metadata or {}).items():
        if key.startswith(PREFIX.encode()):
            try:
                (key.decode(), text.decode())
            except UnicodeDecodeError as error:
                raise NotATableError(f"is damaged: {shown(key)} in its metadata is not UTF-8 text") from error
    about = table_metadata(schema)
    version = about.get("schema_version", str(SCHEMA_VERSION))
    if not (version.isascii() and version.isdecimal() and len(version) < 10):
        raise NotATableError(f"is damaged: its schema version is {shown(version)}")
    if int(version) > SCHEMA_VERSION:
        raise NotATableError(
            f"has schema version {version}, this mien reads up to {SCHEMA_VERSION}; run: pip install --upgrade mien"
        )
    for key in _LISTS:
        if key in about and not _is_labels(_json(key, about[key])):
            raise NotATableError(f"is damaged: {key} in its metadata is {shown(about[key])}, not a list of labels")
    if THRESHOLDS_KEY in about and not is_thresholds(_json(THRESHOLDS_KEY, about[THRESHOLDS_KEY])):
        text = shown(about[THRESHOLDS_KEY])
        raise NotATableError(f"is damaged: {THRESHOLDS_KEY} in its metadata is {text}, not labels with thresholds")
    n_landmarks = about.get("n_landmarks", "0")
    if not (n_landmarks.isascii() and n_landmarks.isdecimal() and len(n_landmarks) < 3):
        raise NotATableError(f"is damaged: n_landmarks in its metadata is {shown(n_landmarks)}")


def with_contract_types(table: pa.Table, first_row: int = 0) -> pa.Table:
    """The table with the types and descriptions of the contract; NaN is null, and a track of -1 is none.

    Columns that are not of the contract stay as they are.

    Args:
        table: Table whose schema has passed `check_schema`.
        first_row: Number of the first row in the file, from 0, for messages.

    Raises:
        NotATableError: A value does not fit the type of its column.
    """
    fields, columns = [], []
    for field, values in zip(table.schema, table.columns, strict=True):
        column = column_named(field.name)
        if column is None or (may_be_own(field.name) and not _converts(values, column.type)):
            fields.append(field)
            columns.append(values)
            continue
        fields.append(column.field)
        columns.append(_contract_values(values, column, first_row))
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=table.schema.metadata))


class RowCheck:
    """Checks the rows of a table piece by piece.

    That no face has two rows in one frame is known at once while the frames of a source ascend. For other tables a
    second pass over the pieces, `check_repeats`, tells; it is due where `unordered` is true.

    Attributes:
        unordered: Whether frames of a source descended from one piece to the next.
    """

    def __init__(self) -> None:
        self.unordered = False
        self._n_rows = 0
        self._last: dict[str, Int64] = {}  # source -> keys of its last frame

    def check(self, piece: pa.Table, rows: Indices | None = None) -> None:
        """Checks the next rows.

        Args:
            piece: Rows with contract types.
            rows: Number of each row in the file, from 0; None where they follow those of the last call.

        Raises:
            NotATableError: A value is impossible, or a face has two rows in one frame.
        """
        numbers = np.arange(self._n_rows, self._n_rows + len(piece)) if rows is None else rows
        check_values(piece, numbers)
        for name, keys, own in _keys_of(piece, numbers):
            last = self._last.get(name, keys[:0])
            joined = np.concatenate([last, keys])
            _refuse_repeats(name, joined, np.concatenate([np.full(len(last), -1), own]))
            frames = joined >> _TRACK_BITS
            self.unordered |= bool(len(last)) and int(frames[len(last) :].min()) < int(frames[0])
            # Within a piece any order is checked: only the frames that a later piece may continue are kept.
            self._last[name] = joined[frames == frames.max()]
        self._n_rows += len(piece)


def check_repeats(pieces: Iterable[pa.Table]) -> None:
    """Checks that no face of the whole table has two rows in one frame, whatever the order of the rows.

    Raises:
        NotATableError: A face has two rows in one frame.
    """
    found: dict[str, list[tuple[Int64, Indices]]] = {}
    n_rows = 0
    for piece in pieces:
        for name, keys, own in _keys_of(piece, np.arange(n_rows, n_rows + len(piece))):
            found.setdefault(name, []).append((keys, own))
        n_rows += len(piece)
    for name, parts in found.items():
        _refuse_repeats(name, *(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _keys_of(piece: pa.Table, numbers: Indices) -> Iterator[tuple[str, Int64, Indices]]:
    """Source, one number for each frame and track, and row numbers of what may not repeat."""
    source = piece["source"].combine_chunks()
    names = pc.unique(source)
    codes = np.asarray(pc.index_in(source, value_set=names))
    tracks = piece["track_id"].fill_null(-1).to_numpy()
    keys = (piece["frame"].to_numpy() << _TRACK_BITS) | (tracks + 1)
    # Faces without a track may share a frame; a frame without a face has one row.
    kept = (tracks >= 0) | ~piece["success"].to_numpy(zero_copy_only=False)
    order = np.argsort(codes, kind="stable")
    stops = np.searchsorted(codes[order], np.arange(len(names) + 1))
    for code, (start, stop) in enumerate(pairwise(stops)):
        rows = order[start:stop]
        rows = rows[kept[rows]]
        if len(rows):
            yield names[code].as_py(), keys[rows], numbers[rows]


def _refuse_repeats(name: str, keys: Int64, numbers: Indices) -> None:
    order = np.argsort(keys, kind="stable")
    again = np.flatnonzero(keys[order][1:] == keys[order][:-1])
    if not len(again):
        return
    at = int(order[again + 1].min())
    frame, track = divmod(int(keys[at]), 1 << _TRACK_BITS)
    who = f"track {track - 1}" if track else "no face"
    raise cell_error(
        int(numbers[at]), "frame", f"{shown(name)} has two rows for {who} in frame {frame}; keep one of them"
    )


def check_values(table: pa.Table, numbers: Indices) -> None:
    """Refuses missing and impossible values.

    Args:
        table: Rows with contract types.
        numbers: (R,) number of each row in the file, from 0, for messages.

    Raises:
        NotATableError: A value is missing or impossible.
    """
    if not len(table):
        return
    for name in _NEVER_NULL:
        if table[name].null_count:
            row = int(np.flatnonzero(table[name].is_null().to_numpy())[0])
            raise cell_error(int(numbers[row]), name, f"there is no value; every row needs its {_NEVER_NULL[name]}")
    for name in table.schema.names:
        limits = _limits(name)
        if limits is not None and pa.types.is_primitive(table[name].type):
            _check_limits(table[name], name, *limits, numbers)
    for low, high in (("x0", "x1"), ("y0", "y1")):
        wrong = pc.less(table[high], table[low])
        if pc.any(wrong).as_py():
            row = _first(wrong)
            raise cell_error(
                int(numbers[row]),
                high,
                f"{shown(table[high][row].as_py())} is less than {low} ({shown(table[low][row].as_py())});"
                " a box has its left top corner first, then its right bottom one",
            )
    labels = [name.removeprefix("expression_") for name in expression_columns(table.schema)]
    unknown = pc.invert(pc.is_in(table["expression"], value_set=pa.array([*labels, None], pa.string())))
    if pc.any(unknown).as_py():
        row = _first(unknown)
        label = shown(table["expression"][row].as_py())
        raise cell_error(int(numbers[row]), "expression", f"{label} is none of the table's: {', '.join(labels)}")


def _check_limits(values: pa.ChunkedArray, name: str, low: float, high: float, unit: str, numbers: Indices) -> None:
    extremes = pc.min_max(values).as_py()
    lowest, highest = (low, high) if pa.types.is_integer(values.type) else (low - _SLACK, high + _SLACK)
    if extremes["min"] is None or (extremes["min"] >= lowest and extremes["max"] <= highest):
        return
    limits = (pa.scalar(limit, values.type) for limit in (lowest, highest))
    row = _first(pc.or_(pc.less(values, next(limits)), pc.greater(values, next(limits))))
    raise cell_error(
        int(numbers[row]),
        name,
        f"{shown(values[row].as_py())} is not in {low:.10g} to {high:.10g}{unit and ' ' + unit}",
    )


def _limits(name: str) -> tuple[float, float, str] | None:
    """Lowest and highest value of a column of the contract, and its unit; None for text and other columns."""
    if name in ("frame", "track_id"):
        return 0, MAX_NUMBER, ""
    if name == FACE_COLUMN.name:
        return 1, MAX_NUMBER, ""
    column = column_named(name)
    if column is None or not pa.types.is_floating(column.type):
        return None
    if column.unit == "s":
        return -MAX_TIME_S, MAX_TIME_S, "s"
    if column.unit == "px":
        return -MAX_PX, MAX_PX, "px"
    if column.unit == "rad":
        return -math.pi, math.pi, "rad"
    if name.endswith(INTENSITY_SUFFIX):
        return 0.0, MAX_INTENSITY, ""
    return (-1.0 if name.removesuffix("_low").removesuffix("_high") in DIMENSIONS else 0.0), 1.0, ""


def _first(mask: pa.ChunkedArray) -> int:
    """Position of the first true value."""
    return int(pc.index(pc.fill_null(mask, False), value=True).as_py())


def _contract_values(values: pa.ChunkedArray, column: Column, first_row: int) -> pa.ChunkedArray:
    if pa.types.is_dictionary(values.type) and values.type.value_type != column.type:
        values = values.cast(values.type.value_type)
    if pa.types.is_floating(values.type) and pa.types.is_integer(column.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    if values.type != column.type:
        if not _converts(values, column.type):
            row = _first_that_fails(values, column.type)
            value = shown(values[row].as_py())
            raise cell_error(first_row + row, column.name, f"{value} is no {_KINDS[column.type]}")
        values = values.cast(column.type)
    if pa.types.is_floating(column.type) and column.name != "time_s" and pc.any(pc.is_nan(values)).as_py():
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, column.type), values)
    if column.name == "time_s" and pc.any(pc.is_nan(values)).as_py():
        raise cell_error(first_row + _first(pc.is_nan(values)), "time_s", "the time is no number")
    if column.name == "track_id" and pc.any(pc.equal(values, -1)).as_py():
        values = pc.if_else(pc.equal(values, -1), pa.scalar(None, column.type), values)
    return values


def _converts(values: pa.ChunkedArray, wanted: pa.DataType) -> bool:
    """Whether every value can be converted without a loss that matters."""
    try:
        values.cast(wanted)
    except pa.ArrowException:
        return False
    if pa.types.is_boolean(wanted) and not (pa.types.is_boolean(values.type) or pa.types.is_null(values.type)):
        # Arrow takes every number but 0 for true.
        known = pc.is_in(values.cast(pa.string()), value_set=pa.array(_TRUTHS, pa.string()))
        return pc.all(known).as_py() is not False
    # Arrow takes true for 1, and seconds since 1970 for a number.
    return not pa.types.is_boolean(values.type) or pa.types.is_boolean(wanted)


def _first_that_fails(values: pa.ChunkedArray, wanted: pa.DataType) -> int:
    """Position of the first value that cannot be converted; the first one if none fails by itself."""
    start, stop = 0, len(values)
    while stop - start > 1:
        middle = (start + stop) // 2
        if _converts(values.slice(start, middle - start), wanted):
            start = middle
        else:
            stop = middle
    return start


def may_be_own(name: str) -> bool:
    """Whether a column of this name may be a user's own: labels of expressions are free, so its values decide."""
    return name.startswith("expression_") and name not in REQUIRED_COLUMNS


def _json(key: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotATableError(f"is damaged: {key} in its metadata is {shown(text)}, not JSON") from error


def _is_labels(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(label, str) for label in value) and len(set(value)) == len(value)


def is_thresholds(value: object) -> bool:
    """Whether a value of parsed JSON maps labels to thresholds between 0 and 1."""
    return isinstance(value, dict) and all(
        isinstance(number, int | float) and not isinstance(number, bool) and 0 < number < 1 for number in value.values()
    )

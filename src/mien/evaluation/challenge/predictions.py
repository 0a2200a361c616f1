# SPDX-License-Identifier: Apache-2.0
"""Files of predictions: strict reading, writing, and validation against the official list."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from mien.core import ConfigError, Float64, Floats, InputError
from mien.datasets import AnnotationError, Field, Table, load_document, load_name_list, locate_frames, read_rows
from mien.evaluation.challenge.submission_formats import SubmissionFormat
from mien.results import atomic_write, output_errors

KEY = "image"
"""Name of the first column in tables of `read_predictions`, for every name in the file's header."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Predictions:
    """The rows of a file of predictions, every value checked.

    Attributes:
        task_format: Format of the file.
        table: Rows as read, with line numbers for messages.
        values: (N, F) float64 values, one column per field of the format.
    """

    task_format: SubmissionFormat
    table: Table
    values: Float64

    @property
    def names(self) -> pa.Array:
        """(N,) names of the rows."""
        return self.table.texts(KEY)

    def __len__(self) -> int:
        return len(self.values)


def read_predictions(task_format: SubmissionFormat, path: Path) -> Predictions:
    """Read a file of predictions.

    Raises:
        InputError: The file cannot be read, its header is not the format's, or a row has too many or too few fields or
            a value that the format does not allow; with line and field.
    """
    try:
        document = load_document(path)
        header = ",".join(document.header())
        if header not in (task_format.header_line, *task_format.other_headers):
            raise AnnotationError(path, f"the header must be {task_format.header_line!r}, not {header!r}", line=1)
        fields = [Field(KEY, "text"), *(Field(field.name) for field in task_format.fields)]
        table = read_rows(document, fields)
        for field in task_format.fields:
            values = table.columns[field.name]
            if field.whole:
                table.classes(field.name, low=int(field.low), high=int(field.high))
            else:
                outside = (values < field.low) | (values > field.high)
                table.refuse(outside, field.name, f"is not in [{field.low:g}, {field.high:g}]")
        if task_format.per_frame:
            locate_frames(table)
    except AnnotationError as error:
        raise InputError(str(error)) from error
    return Predictions(
        task_format=task_format, table=table, values=table.numbers([field.name for field in task_format.fields])
    )


def load_list(path: Path) -> Table:
    """The official list as a table with the column `KEY`; the reader of lists is that of the data sets.

    Raises:
        InputError: The list cannot be read, has no header or no rows, or names a row twice.
    """
    try:
        return load_name_list(path)
    except AnnotationError as error:
        raise InputError(str(error)) from error


def read_list(path: Path) -> pa.Array:
    """The names of an official list, in order: the first field of every line below the header.

    Raises:
        InputError: As for `load_list`.
    """
    return load_list(path).texts(KEY)


def write_predictions(task_format: SubmissionFormat, names: pa.Array, values: Floats, path: Path) -> None:
    """Write a file of predictions.

    Args:
        task_format: Format of the file.
        names: (N,) names of the rows, in the order of the official list.
        values: (N, F) values within the ranges of the format.
        path: File to write; an older one is replaced by an atomic write.

    Raises:
        ConfigError: The values do not fit the format.
        OutputError: The file cannot be written.
    """
    if values.shape != (len(names), len(task_format.fields)):
        raise ConfigError(f"{len(names)} rows of {len(task_format.fields)} fields are needed, got {values.shape}")
    columns = [names]
    for field, column in zip(task_format.fields, values.T, strict=True):
        allowed = (column >= field.low) & (column <= field.high) & (not field.whole or column == np.floor(column))
        if not allowed.all():
            row = int((~allowed).argmax())
            raise ConfigError(
                f"{field.name} of {names[row]} is {column[row]}, which the format of {task_format.name} does not allow"
            )
        columns.append(pa.array(column.astype(np.int64 if field.whole else np.float32)))
    table = pa.table(columns, names=[KEY, *(field.name for field in task_format.fields)])
    options = pacsv.WriteOptions(include_header=False, quoting_style="none")
    with output_errors(path, "choose a folder with room that you may write"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            file.write(task_format.header_line.encode() + b"\n")
            pacsv.write_csv(table, file, options)


def validate_predictions(task_format: SubmissionFormat, path: Path, list_path: Path) -> int:
    """Check a finished file against the official list: header, fields, ranges, classes, names, order, number of rows.

    Returns:
        The number of rows.

    Raises:
        InputError: The first fault, with its line.
    """
    predictions, listed = read_predictions(task_format, path), read_list(list_path)
    n = min(len(predictions), len(listed))
    differs = np.asarray(pc.not_equal(predictions.names.slice(0, n), listed.slice(0, n)))
    if differs.any():
        row = int(differs.argmax())
        raise InputError(
            f"{path}, line {row + 2}: {predictions.names[row]} where the list has {listed[row]}; keep the list's order,"
            " one row for each of its rows"
        )
    if len(predictions) != len(listed):
        place = f"{path}, line {n + 2}"
        problem = "rows beyond the list's" if len(predictions) > n else "ends before the list does"
        raise InputError(f"{place}: {problem}; it has {len(predictions)} rows, the list has {len(listed)}")
    return n

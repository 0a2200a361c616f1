# SPDX-License-Identifier: Apache-2.0
"""Files of answers: reading them strictly, writing them, and checking one against the official list."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from mien.core import ConfigError, InputError
from mien.datasets import AnnotationError
from mien.datasets.text_files import Document, Field, Table, load_document, read_rows
from mien.evaluation.challenge.submission_formats import SubmissionFormat
from mien.results import atomic_write, output_errors

KEY = "image"
"""Name of the first column of a table that `read_predictions` gives, whatever the file's header calls it."""

# First names of a list's header; a list without a header would lose its first row without a word.
_LIST_HEADERS = ("image", "image_location", "filename", "file_id")


@dataclass(frozen=True, eq=False, kw_only=True)
class Predictions:
    """The rows of a file of answers, every value checked.

    Attributes:
        form: of the file.
        table: the rows as read, with lines for messages.
        values: (N, entries) float64.
    """

    form: SubmissionFormat
    table: Table
    values: npt.NDArray[np.float64]

    @property
    def names(self) -> pa.Array:
        """N names of rows."""
        return self.table.texts(KEY)

    def __len__(self) -> int:
        return len(self.values)


def read_predictions(form: SubmissionFormat, path: Path) -> Predictions:
    """Read a file of answers.

    Raises:
        InputError: the file cannot be read, its header is not the form's, or a row has too many or too few fields or
            a value that the form does not allow; with line and field.
    """
    try:
        document = load_document(path)
        header = ",".join(document.header())
        if header != form.header_line:
            raise AnnotationError(path, f"the header must be {form.header_line!r}, not {header!r}", line=1)
        fields = [Field(KEY, "text"), *(Field(entry.name) for entry in form.entries)]
        table = read_rows(document, fields)
        for entry in form.entries:
            values = table.columns[entry.name]
            if entry.whole:
                table.classes(entry.name, low=int(entry.low), high=int(entry.high))
            else:
                outside = (values < entry.low) | (values > entry.high)
                table.refuse(outside, entry.name, f"is not in [{entry.low:g}, {entry.high:g}]")
    except AnnotationError as error:
        raise InputError(str(error)) from error
    return Predictions(form=form, table=table, values=table.numbers([entry.name for entry in form.entries]))


def read_list(path: Path) -> pa.Array:
    """The names of an official list, in order: the first field of every line below the header.

    Raises:
        InputError: the list cannot be read, has no header or no rows, or names a row twice.
    """
    try:
        document = load_document(path)
        first = document.header()[0].lower()
        if first not in _LIST_HEADERS:
            raise AnnotationError(path, f"the header begins with {first!r}, not with {_LIST_HEADERS}", line=1)
        # Some lists end each name with a comma, others repeat columns of the annotations.
        lines = pa.array(document.content.split(b"\n"), pa.binary()).cast(pa.string())
        names_only = pc.replace_substring_regex(lines, r",.*$", "")
        bare = Document(path, "\n".join(names_only.to_pylist()).encode())
        table = read_rows(bare, [Field(KEY, "text")])
        names = table.texts(KEY)
        table.refuse(_repeated(names), KEY, "is listed before")
    except AnnotationError as error:
        raise InputError(str(error)) from error
    return names


def write_predictions(form: SubmissionFormat, names: pa.Array, values: npt.NDArray[np.floating], path: Path) -> None:
    """Write a file of answers.

    Args:
        form: of the file.
        names: N names of rows, in the order of the official list.
        values: (N, entries) within the ranges of the form.
        path: of the file; an older one is replaced only when the new one is complete.

    Raises:
        ConfigError: the values do not fit the form.
        OutputError: the file cannot be written.
    """
    if values.shape != (len(names), len(form.entries)):
        raise ConfigError(f"{len(names)} rows of {len(form.entries)} entries are needed, got {values.shape}")
    columns = [names]
    for entry, column in zip(form.entries, values.T, strict=True):
        allowed = (column >= entry.low) & (column <= entry.high) & (not entry.whole or column == np.floor(column))
        if not allowed.all():
            row = int((~allowed).argmax())
            raise ConfigError(f"{entry.name} of {names[row]} is {column[row]}, which the form of {form.name} refuses")
        columns.append(pa.array(column.astype(np.int64 if entry.whole else np.float32)))
    table = pa.table(columns, names=[KEY, *(entry.name for entry in form.entries)])
    options = pacsv.WriteOptions(include_header=False, quoting_style="none")
    with output_errors(path, "choose a folder with room that you may write"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            file.write(form.header_line.encode() + b"\n")
            pacsv.write_csv(table, file, options)


def validate_predictions(form: SubmissionFormat, path: Path, list_path: Path) -> int:
    """Check a finished file against the official list: header, fields, ranges, classes, names, order and count.

    Returns:
        The number of rows.

    Raises:
        InputError: the first thing that is wrong, with its line.
    """
    answers, listed = read_predictions(form, path), read_list(list_path)
    n = min(len(answers), len(listed))
    differs = np.asarray(pc.not_equal(answers.names.slice(0, n), listed.slice(0, n)))
    if differs.any():
        row = int(differs.argmax())
        raise InputError(
            f"{path}, line {row + 2}: {answers.names[row]} where the list has {listed[row]}; keep the list's order,"
            " one row for each of its rows"
        )
    if len(answers) != len(listed):
        place = f"{path}, line {n + 2}"
        problem = "rows beyond the list's" if len(answers) > n else "ends before the list does"
        raise InputError(f"{place}: {problem}; it has {len(answers)} rows, the list has {len(listed)}")
    return n


def _repeated(names: pa.Array) -> npt.NDArray[np.bool_]:
    codes = names.dictionary_encode().indices.to_numpy()
    repeated = np.ones(len(codes), dtype=bool)
    repeated[np.unique(codes, return_index=True)[1]] = False
    return repeated

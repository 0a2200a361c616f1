# SPDX-License-Identifier: Apache-2.0
"""Delimited text to arrays, a million lines a second, with the exact place of whatever cannot be read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from mien.datasets.documents import Document, split_line
from mien.datasets.problems import AnnotationError

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_BLOCK_BYTES = 1 << 22
_PIECE_LINES = 4096


@dataclass(frozen=True)
class Field:
    """One column of a file.

    Attributes:
        name: of the column, for messages and look-up.
        kind: ``"number"`` (finite), ``"blank_or_number"`` (blank gives NaN), ``"text"`` or ``"ignored"``.
    """

    name: str
    kind: Literal["number", "blank_or_number", "text", "ignored"] = "number"


@dataclass(frozen=True, eq=False)
class Table:
    """The N rows of a document, as columns.

    Attributes:
        document: they were read from.
        first_line: of the rows, from 1.
        fields: all columns of the file, in order.
        columns: name -> (N,) float64 or an Arrow array of N strings, as the field's kind says.
        delimiter: between fields.
    """

    document: Document
    first_line: int
    fields: tuple[Field, ...]
    columns: Mapping[str, Any]
    delimiter: str = ","

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def numbers(self, names: Sequence[str]) -> Doubles:
        """(N, len(names)) float64."""
        return np.stack([self.columns[name] for name in names], axis=1)

    def texts(self, name: str) -> pa.Array:
        """N strings without spaces around them."""
        return self.columns[name]

    def refuse(self, bad: Bools, name: str, reason: str) -> None:
        """Raise at the first row that is True, naming its line, field and content.

        Args:
            bad: (N,) rows to refuse.
            name: of the field to blame.
            reason: what is expected, for example ``"is not in [-1, 1]"``.

        Raises:
            AnnotationError: a row is True.
        """
        if not bad.any():
            return
        line = self.first_line + int(bad.argmax())
        position = next(i for i, field in enumerate(self.fields) if field.name == name)
        value = split_line(self.document.line(line), delimiter=self.delimiter, quoted=True)[position].strip()
        raise AnnotationError(self.document.path, f"{name} {value!r} {reason}", line=line, field=position + 1)

    def classes(self, name: str, *, low: int, high: int) -> npt.NDArray[np.int64]:
        """A column of whole numbers in [low, high]; ``3.0`` counts as 3.

        Raises:
            AnnotationError: a number is a fraction or out of range.
        """
        values = self.columns[name]
        self.refuse(values != np.floor(values), name, "is not a whole number")
        self.refuse((values < low) | (values > high), name, f"is not in {low} to {high}")
        return np.asarray(values, dtype=np.int64)


def read_rows(
    document: Document, fields: Sequence[Field], *, skip_lines: int = 1, delimiter: str = ",", quoted: bool = False
) -> Table:
    """Read the lines after the header; every one must have exactly these fields.

    Args:
        document: the text.
        fields: of every line, in order.
        skip_lines: length of the header.
        delimiter: between fields.
        quoted: whether a field may stand in double quotes.

    Raises:
        AnnotationError: there are no rows, or a line has too many or too few fields or something that is no number.
    """
    body = document.content.split(b"\n", skip_lines)[skip_lines:]
    if not body:
        raise AnnotationError(document.path, "has a header and no rows", line=skip_lines)
    try:
        columns = _read_fast(body[0], fields, delimiter, quoted)
    except pa.ArrowInvalid:
        # Arrow does not say where and knows fewer spellings of numbers than Python ("+0.5").
        columns = _read_exactly(document, fields, skip_lines, delimiter, quoted)
    return Table(document, skip_lines + 1, tuple(fields), columns, delimiter)


def read_named(document: Document, fields: Sequence[Field]) -> Table:
    """Read a file whose header names its columns: any order, columns that nobody asked for are left unread.

    Raises:
        AnnotationError: a column is missing or there twice, or the rows are malformed.
    """
    header = document.header()
    wanted = {field.name: field for field in fields}
    missing = [name for name in wanted if name not in header]
    if missing:
        reason = f"columns {missing} are missing; the header is {','.join(header)!r}"
        raise AnnotationError(document.path, reason, line=1)
    twice = [name for name in wanted if header.count(name) > 1]
    if twice:
        raise AnnotationError(document.path, f"columns {twice} are there twice", line=1)
    # A number keeps names apart that the file leaves blank or repeats in columns that nobody asked for.
    layout = [wanted.get(name, Field(f"{name}#{i}", "ignored")) for i, name in enumerate(header)]
    return read_rows(document, layout, quoted=True)


def _read_fast(body: bytes, fields: Sequence[Field], delimiter: str, quoted: bool) -> dict[str, Any]:
    blanks = any(field.kind == "blank_or_number" for field in fields)
    table = pacsv.read_csv(
        pa.BufferReader(body),
        read_options=pacsv.ReadOptions(column_names=[field.name for field in fields], block_size=_BLOCK_BYTES),
        parse_options=pacsv.ParseOptions(
            delimiter=delimiter, quote_char='"' if quoted else False, ignore_empty_lines=False
        ),
        convert_options=pacsv.ConvertOptions(
            column_types={field.name: pa.float64() if "number" in field.kind else pa.string() for field in fields},
            include_columns=[field.name for field in fields if field.kind != "ignored"],
            null_values=[""] if blanks else [],
            strings_can_be_null=False,
        ),
    )
    columns: dict[str, Any] = {}
    for field in fields:
        if field.kind == "ignored":
            continue
        column = table[field.name]
        if field.kind == "text":
            columns[field.name] = pc.utf8_trim_whitespace(column.combine_chunks())
            continue
        values = column.to_numpy()
        n_bad = np.count_nonzero(~np.isfinite(values))
        if n_bad != (column.null_count if field.kind == "blank_or_number" else 0):
            raise pa.ArrowInvalid(f"{field.name} has values that are not finite")
        columns[field.name] = values
    return columns


def _read_exactly(
    document: Document, fields: Sequence[Field], skip_lines: int, delimiter: str, quoted: bool
) -> dict[str, Any]:
    """Read what cannot be read fast by Python's own rules for numbers, and say where that fails too.

    Only the pieces that need it are read slowly, so that one bad line among a million is found in a moment.
    """
    lines = document.content.split(b"\n")
    pieces = []
    for start in range(skip_lines, len(lines), _PIECE_LINES):
        piece = lines[start : start + _PIECE_LINES]
        try:
            pieces.append(_read_fast(b"\n".join(piece), fields, delimiter, quoted))
        except pa.ArrowInvalid:
            pieces.append(_read_slowly(document, piece, start + 1, fields, delimiter, quoted))
    return {
        name: pa.concat_arrays([piece[name] for piece in pieces])
        if isinstance(first, pa.Array)
        else np.concatenate([piece[name] for piece in pieces])
        for name, first in pieces[0].items()
    }


def _read_slowly(
    document: Document, lines: Sequence[bytes], first_line: int, fields: Sequence[Field], delimiter: str, quoted: bool
) -> dict[str, Any]:
    """One line after the other; raises at the first that is malformed."""
    rows: dict[str, list[Any]] = {field.name: [] for field in fields if field.kind != "ignored"}
    for number, line in enumerate(lines, start=first_line):
        values = split_line(line.decode(), delimiter=delimiter, quoted=quoted)
        if len(values) != len(fields):
            shape = f"{len(values)} fields instead of {len(fields)} ({_shape(fields, delimiter)})"
            raise AnnotationError(document.path, f"has {shape}: {line.decode()[:80]!r}", line=number)
        for position, (field, text) in enumerate(zip(fields, values, strict=True), start=1):
            if field.kind == "text":
                rows[field.name].append(text.strip())
            elif field.kind != "ignored":
                value = _number(text, blank=field.kind == "blank_or_number")
                if value is None:
                    reason = f"{field.name} {text.strip()!r} is not a finite number"
                    raise AnnotationError(document.path, reason, line=number, field=position)
                rows[field.name].append(value)
    kinds = {field.name: field.kind for field in fields}
    return {
        name: pa.array(values, pa.string()) if kinds[name] == "text" else np.array(values, dtype=np.float64)
        for name, values in rows.items()
    }


def _number(text: str, *, blank: bool) -> float | None:
    """The number, NaN for an allowed blank, None for what is none or not finite."""
    text = text.strip()
    if blank and not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None


def _shape(fields: Sequence[Field], delimiter: str) -> str:
    names = [field.name.partition("#")[0] for field in fields]
    return delimiter.join(names if len(names) <= 6 else [*names[:4], "...", names[-1]])

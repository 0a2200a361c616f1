# SPDX-License-Identifier: Apache-2.0
"""Strict reading of annotation files: text, delimited tables and label columns, with the place of every error."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from mien.core import Bools, DatasetError, Float64, Indices, Int64, read_regular


class AnnotationError(DatasetError):
    """A file or folder of a data set is missing or malformed, at a known place.

    Args:
        path: File or folder.
        reason: What is wrong and what was expected.
        line: Line of the file, counted from 1 with the header.
        field: Field of the line, counted from 1.

    Examples:
        >>> str(AnnotationError(Path("video1.txt"), "is not a number", line=3, field=2))
        'video1.txt, line 3, field 2: is not a number'
    """

    def __init__(self, path: Path, reason: str, *, line: int | None = None, field: int | None = None) -> None:
        place = str(path)
        if line is not None:
            place += f", line {line}"
        if field is not None:
            place += f", field {field}"
        super().__init__(f"{place}: {reason}")
        self.path = path
        self.reason = reason
        self.line = line
        self.field = field


OnProblem = Callable[[AnnotationError], None]
"""Callback for each bad file; if it returns, the reader skips that file and continues."""


def refuse(problem: AnnotationError) -> NoReturn:
    """Default `OnProblem` of every reader: the first problem ends the reading."""
    raise problem


def is_stray(name: str) -> bool:
    """Whether a file or folder is not of a data set but left there by a system: hidden ones, ``__MACOSX``.

    Archives made on a Mac hold a hidden copy (``._name.txt``) of every file, or a whole tree of them.

    Examples:
        >>> [is_stray(name) for name in ("._video1.txt", ".DS_Store", "__MACOSX", "video1.txt")]
        [True, True, True, False]
    """
    return name.startswith(".") or name == "__MACOSX"


def text_files_in(folder: Path) -> list[Path]:
    """Files ``*.txt`` of a folder in any case, sorted by name, without hidden ones."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".txt" and not is_stray(path.name))


_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, eq=False)
class Document:
    r"""The text of an annotation file.

    Attributes:
        path: Path of the file, for messages.
        content: UTF-8 text with ``\n`` between lines; no byte-order mark, no blank line, at least one line.

    Examples:
        >>> document = Document(Path("a.csv"), b"name, score\nx,1")
        >>> document.header(), document.line(2)
        (('name', 'score'), 'x,1')
    """

    path: Path
    content: bytes

    def line(self, number: int) -> str:
        """Line ``number``, counted from 1."""
        return self.content.split(b"\n", number)[number - 1].decode()

    def header(self) -> tuple[str, ...]:
        """Comma-separated names of the first line, without spaces around them."""
        return tuple(name.strip() for name in split_line(self.line(1), delimiter=",", quoted=True))


def read_content(path: Path) -> bytes:
    """The bytes of an annotation file.

    Raises:
        AnnotationError: The file is missing or cannot be read.
    """
    try:
        return read_regular(path)
    except FileNotFoundError:
        raise AnnotationError(path, "no such file") from None
    except OSError as error:
        raise AnnotationError(path, f"cannot be read ({error.strerror})") from error


def load_document(path: Path) -> Document:
    r"""Read an annotation file like Python's text mode: any kind of line end, with or without byte-order mark.

    Blank lines at the end are dropped. A blank line between others is refused: line i is frame i, so tools that skip
    it and tools that stop at it would disagree about every later frame.

    Raises:
        AnnotationError: The file is missing, unreadable, empty, not UTF-8, or has a blank line between others.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "video1.txt")
        ...     _ = path.write_bytes(b"valence,arousal\r\n0.5,0.25\r\n")
        ...     load_document(path).content
        b'valence,arousal\n0.5,0.25'
    """
    content = read_content(path)
    if content.startswith(_UTF16_MARKS):
        raise AnnotationError(path, "is UTF-16; save it as UTF-8", line=1)
    content = content.removeprefix(_UTF8_MARK)
    for line_end in (b"\r\r\n", b"\r\n", b"\r"):  # the first is what a text mode makes of the second
        content = content.replace(line_end, b"\n")
    content = content.rstrip()
    if not content:
        raise AnnotationError(path, "is empty")
    _check_text(path, content)
    blank = _first_blank_line(content)
    if blank is not None:
        raise AnnotationError(path, "is blank; lines are counted as frames, so delete it or fill it in", line=blank)
    return Document(path, content)


def split_line(line: str, *, delimiter: str, quoted: bool) -> list[str]:
    """Fields of one line, with their spaces.

    Examples:
        >>> split_line('1,"a, b"', delimiter=",", quoted=True)
        ['1', 'a, b']
    """
    if quoted and '"' in line:
        return next(csv.reader([line], delimiter=delimiter))
    return line.split(delimiter)


def _check_text(path: Path, content: bytes) -> None:
    zero = content.find(b"\0")
    if zero >= 0:
        raise AnnotationError(path, "has a zero byte; it is not a text file", line=_line_of(content, zero))
    if content.isascii():
        return
    try:
        content.decode()
    except UnicodeDecodeError as error:
        reason = f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise AnnotationError(path, reason, line=_line_of(content, error.start)) from None


def _line_of(content: bytes, offset: int) -> int:
    return content.count(b"\n", 0, offset) + 1


def _first_blank_line(content: bytes) -> int | None:
    """Number of the first line that holds only spaces, or None."""
    lines = content.split(b"\n") if _may_have_blank_line(content) else []
    return next((number for number, line in enumerate(lines, start=1) if not line.strip()), None)


def _may_have_blank_line(content: bytes) -> bool:
    """Whether a line can be blank; a cheap test that avoids splitting a million lines."""
    return content[:1].isspace() or b"\n\n" in content or b"\n " in content or b"\n\t" in content


_BLOCK_BYTES = 1 << 22
_PIECE_LINES = 4096
_BLANKS = ["", "NULL", "null", "nan", "NaN", "NAN", "NA", "N/A"]


@dataclass(frozen=True)
class Field:
    """One column of a file.

    Attributes:
        name: Name of the column, for messages and look-up.
        kind: Kind of the values: ``"number"`` (finite), ``"blank_or_number"`` (blank, NULL and nan become NaN),
            ``"text"`` or ``"ignored"``.
    """

    name: str
    kind: Literal["number", "blank_or_number", "text", "ignored"] = "number"


@dataclass(frozen=True, eq=False)
class Table:
    r"""N rows of a document, as columns.

    Attributes:
        document: Document that the rows were read from.
        first_line: Line number of the first row, counted from 1.
        fields: All columns of the file, in order.
        columns: Name -> (N,) float64 or an Arrow array of N strings, depending on the kind of the field.
        delimiter: Delimiter between fields.
        rows: (N,) numbers of the rows below the header, where some are left out; None for all.

    Examples:
        >>> document = Document(Path("a.csv"), b"name,score\nx,1\ny,3")
        >>> table = read_named(document, [Field("name", "text"), Field("score")])
        >>> table.texts("name").to_pylist(), table.classes("score", low=0, high=3).tolist()
        (['x', 'y'], [1, 3])
        >>> table.classes("score", low=0, high=2)
        Traceback (most recent call last):
        ...
        mien.datasets.text_files.AnnotationError: a.csv, line 3, field 2: score '3' is not in 0 to 2
    """

    document: Document
    first_line: int
    fields: tuple[Field, ...]
    columns: Mapping[str, Any]
    delimiter: str = ","
    rows: Indices | None = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def numbers(self, names: Sequence[str]) -> Float64:
        """(N, len(names)) float64 values of several number columns."""
        return np.stack([self.columns[name] for name in names], axis=1)

    def texts(self, name: str) -> pa.Array:
        """Column of N strings, without spaces around them."""
        return self.columns[name]

    def take(self, rows: Indices) -> Table:
        """The chosen rows; errors name their lines in the file."""
        columns = {
            name: column.take(pa.array(rows)) if isinstance(column, pa.Array) else column[rows]
            for name, column in self.columns.items()
        }
        return replace(self, columns=columns, rows=np.arange(len(self))[rows] if self.rows is None else self.rows[rows])

    def refuse(self, bad: Bools, name: str, reason: str) -> None:
        """Raise an error for the first row that is True, with its line, field and content.

        Args:
            bad: (N,) mask of the rows to refuse.
            name: Name of the field that the error names.
            reason: What is wrong, for example ``"is not in [-1, 1]"``.

        Raises:
            AnnotationError: A row is True.
        """
        if not bad.any():
            return
        row = int(bad.argmax())
        line = self.first_line + (row if self.rows is None else int(self.rows[row]))
        position = next(i for i, field in enumerate(self.fields) if field.name == name)
        text = self.document.line(line)
        parts = split_line(text, delimiter=self.delimiter, quoted=False)
        if len(parts) != len(self.fields):  # a delimiter in quotes; otherwise the quotes are shown, too
            parts = split_line(text, delimiter=self.delimiter, quoted=True)
        value = parts[position].strip()
        raise AnnotationError(self.document.path, f"{name} {value!r} {reason}", line=line, field=position + 1)

    def classes(self, name: str, *, low: int, high: int) -> Int64:
        """Column of whole numbers in [low, high]; ``3.0`` counts as 3.

        Raises:
            AnnotationError: A number is a fraction or out of range.
        """
        values = self.columns[name]
        self.refuse(values != np.floor(values), name, "is not a whole number")
        self.refuse((values < low) | (values > high), name, f"is not in {low} to {high}")
        return np.asarray(values, dtype=np.int64)


def read_rows(
    document: Document, fields: Sequence[Field], *, skip_lines: int = 1, delimiter: str = ",", quoted: bool = False
) -> Table:
    r"""Read the lines after the header; each must have exactly these fields.

    Args:
        document: Document to read.
        fields: Fields of every line, in order.
        skip_lines: Number of lines of the header.
        delimiter: Delimiter between fields.
        quoted: Whether fields may be in double quotes.

    Raises:
        AnnotationError: There are no rows, or a line has too many or too few fields or an invalid number.

    Examples:
        >>> document = Document(Path("v.txt"), b"valence,arousal\n0.5,+0.25")
        >>> table = read_rows(document, [Field("valence"), Field("arousal")])
        >>> table.numbers(("valence", "arousal")).tolist()
        [[0.5, 0.25]]
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
    r"""Read a file whose header names its columns, in any order; columns that are not in ``fields`` are ignored.

    Names are compared without case, spaces, hyphens and underscores: owners spell ``Empathic Pain`` in several ways.

    Raises:
        AnnotationError: A column is missing or occurs twice, or the rows are malformed.

    Examples:
        >>> read_named(Document(Path("a.csv"), b"note,score\n?,1"), [Field("score")]).numbers(("score",)).tolist()
        [[1.0]]
    """
    header = document.header()
    found = [spelled(name) for name in header]
    wanted = {spelled(field.name): field for field in fields}
    missing = [field.name for key, field in wanted.items() if key not in found]
    if missing:
        separator = next(
            (f"; its fields are separated by {mark!r}, not by commas" for mark in ";\t" if mark in header[0]), ""
        )
        reason = f"columns {missing} are missing; the header is {','.join(header)[:300]!r}{separator}"
        raise AnnotationError(document.path, reason, line=1)
    twice = [field.name for key, field in wanted.items() if found.count(key) > 1]
    if twice:
        raise AnnotationError(document.path, f"columns {twice} occur twice", line=1)
    # A number keeps the names of ignored columns unique, which may be blank or repeated in the file.
    layout = [
        wanted.get(key, Field(f"{name}#{i}", "ignored"))
        for i, (key, name) in enumerate(zip(found, header, strict=True))
    ]
    return read_rows(document, layout, quoted=True)


def first_rows(table: Table) -> tuple[Table, str]:
    r"""The rows without those that repeat an earlier one in every field, and a sentence on them (or an empty one).

    Rows that name a frame again with other values stay, for `frame_columns` to refuse.

    Examples:
        >>> document = Document(Path("a.txt"), b"image,valence\nv/00001.jpg,1\nv/00001.jpg,1\nv/00002.jpg,1")
        >>> table, note = first_rows(read_rows(document, [Field("image", "text"), Field("valence")]))
        >>> len(table), note
        (2, '1 line of a.txt repeats an earlier one and is left out')
    """
    lines = table.document.content.split(b"\n")[table.first_line - 1 :]
    seen: set[bytes] = set()
    kept = np.ones(len(table), dtype=bool)
    for row, line in enumerate(lines):
        kept[row] = line not in seen
        seen.add(line)
    n = int((~kept).sum())
    if not n:
        return table, ""
    several = f"{n} lines of {table.document.path.name} repeat earlier ones and are"
    note = f"1 line of {table.document.path.name} repeats an earlier one and is" if n == 1 else several
    return table.take(np.flatnonzero(kept)), f"{note} left out"


def spelled(name: str) -> str:
    """A name without case, spaces, hyphens and underscores, for comparison.

    Examples:
        >>> spelled("Empathic Pain") == spelled("empathic-pain") == spelled("Empathic_Pain")
        True
    """
    return re.sub(r"[\s_-]+", "", name.casefold())


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
            null_values=_BLANKS if blanks else [],
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
    """Read with Python's rules for numbers what Arrow cannot read, and report the place of an error.

    Only the pieces that need it are read slowly, so that one bad line in a million is found quickly.
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
    """Read line by line; the first malformed line is an error."""
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
    """The number, NaN for an allowed blank, None for anything else."""
    text = text.strip()
    if blank and text in _BLANKS:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None


def _shape(fields: Sequence[Field], delimiter: str) -> str:
    names = [field.name.partition("#")[0] for field in fields]
    return delimiter.join(names if len(names) <= 6 else [*names[:4], "...", names[-1]])

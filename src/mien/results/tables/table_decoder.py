# SPDX-License-Identifier: Apache-2.0
"""Files of affect tables decoded, whole or piece by piece, with the same types and nulls from every format."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from mien.core import InputError, open_regular, printable
from mien.results.tables import arrow_compute as pc
from mien.results.tables.schema import REQUIRED_COLUMNS, column_named, table_metadata
from mien.results.tables.table_check import (
    NotATableError,
    RowCheck,
    cell_error,
    check_repeats,
    check_schema,
    may_be_own,
    shown,
    with_contract_types,
)
from mien.results.tables.table_formats import ROWS_PER_GROUP, ROWS_PER_JSON_PIECE, unguarded, without_guard

BYTES_PER_CSV_PIECE = 1 << 20
"""Size of the pieces in which a CSV is read; a row must fit into one."""

_BUFFER_BYTES = 1 << 16  # of each column of a Parquet file; without it a whole row group would be in memory


@contextmanager
def reading_errors(path: Path) -> Iterator[None]:
    """Turns every defect of a table's file into an `InputError` that names the file.

    Raises:
        InputError: The file is unreadable, damaged or no affect table.
    """
    try:
        yield
    except NotATableError as error:
        raise InputError(f"{path} {error}") from error
    except (pa.ArrowException, OSError, ValueError, OverflowError, RecursionError, csv.Error) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())  # Arrow's take several lines
        raise InputError(
            f"cannot read {path} as a table: {printable(reason, limit=300)}; is it complete and written by mien?"
        ) from error


@dataclass(frozen=True)
class TableFacts:
    """The facts that a Parquet table gives before any row is read.

    Attributes:
        n_rows: Number of rows.
        metadata: Facts about the run, as `mien.results.table_metadata` gives them.
    """

    n_rows: int
    metadata: dict[str, str]


def read_facts(path: str | Path) -> TableFacts:
    """The facts of a Parquet table, in about a millisecond whatever its size.

    Raises:
        InputError: The file cannot be read or is no complete Parquet file.
    """
    with reading_errors(Path(path)), open_regular(path) as file, pq.ParquetFile(file) as parquet:
        return TableFacts(parquet.metadata.num_rows, table_metadata(parquet.schema_arrow))


def decode_table(file: BinaryIO, format_name: str) -> pa.Table:
    """All rows of a file, checked; for use inside `reading_errors`.

    Args:
        file: File open for reading at its start.
        format_name: Name of the format, as `mien.results.format_of` gives it.
    """
    table = _DECODERS[format_name](file)
    check_schema(table.schema)
    table = with_contract_types(table)
    RowCheck().check(table)
    return table


def decode_pieces(file: BinaryIO, format_name: str) -> Iterator[pa.Table]:
    """The rows of a file in pieces of bounded size, at least one piece, checked; for use inside `reading_errors`.

    JSON Lines with columns that are not of the contract, such as a user's own, come as one piece: only all of its rows
    tell the type of such a column.

    Args:
        file: File open for reading at its start.
        format_name: Name of the format, as `mien.results.format_of` gives it.
    """
    check = RowCheck()
    n_pieces = 0
    for piece in _typed_pieces(file, format_name):
        n_pieces += 1
        check.check(piece)
        yield piece
    if not n_pieces:
        file.seek(0)
        yield decode_table(file, format_name)
    if check.unordered:
        file.seek(0)
        check_repeats(_typed_pieces(file, format_name))


def _typed_pieces(file: BinaryIO, format_name: str) -> Iterator[pa.Table]:
    n_rows = 0
    for piece in _PIECES[format_name](file):
        if not n_rows:
            check_schema(piece.schema)
        yield with_contract_types(piece, n_rows)
        n_rows += len(piece)


def _contract_types(names: Sequence[str]) -> dict[str, pa.DataType]:
    return {name: column.type for name in names if (column := column_named(name)) is not None}


def _read_parquet(file: BinaryIO) -> pa.Table:
    parquet = pq.ParquetFile(file)
    check_schema(parquet.schema_arrow)  # refuse another kind of file before its rows are read
    return parquet.read()


def _parquet_pieces(file: BinaryIO) -> Iterator[pa.Table]:
    parquet = pq.ParquetFile(file, buffer_size=_BUFFER_BYTES)
    check_schema(parquet.schema_arrow)
    for group in range(parquet.num_row_groups):  # a reader of all groups at once keeps memory for each of them
        for batch in parquet.iter_batches(ROWS_PER_GROUP, row_groups=[group], use_threads=False):
            yield pa.Table.from_batches([batch]).replace_schema_metadata(parquet.schema_arrow.metadata)


# Texts of numbers that mean nothing but the number: 007 and 1_000 are names.
_PLAIN_TYPES = (
    (r"^(-?[1-9][0-9]{0,17}|0)$", pa.int64()),
    (r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?$", pa.float64()),
    (r"^([Tt]rue|[Ff]alse)$", pa.bool_()),
)


# A row of a CSV in which every cell is quoted, numbers and empty cells included.
_ALL_QUOTED = re.compile(rb'"(?:[^"]|"")*"(?:,"(?:[^"]|"")*")*\r?\n?')


def _quotes_everything(file: BinaryIO) -> bool:
    """Whether the first row of a CSV has quotes around every cell: then ``""`` is an empty cell."""
    file.readline()
    quoted = _ALL_QUOTED.fullmatch(file.readline()) is not None
    file.seek(0)
    return quoted


def csv_header(file: BinaryIO) -> str:
    """First line of a CSV, for use inside `reading_errors`.

    Raises:
        NotATableError: It is text of two bytes a letter, as some programs write it.
        UnicodeDecodeError: It is no UTF-8.
    """
    line = file.readline()
    if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise NotATableError("is UTF-16 text; save the table as UTF-8")
    return line.decode("utf-8-sig")


def _csv_names(file: BinaryIO) -> list[str]:
    header = csv_header(file)
    file.seek(0)
    names = next(csv.reader([header]), [])
    if len(names) == 1:
        for sign, word in ((";", "semicolons"), ("\t", "tabs")):
            if sign in header:
                raise NotATableError(f"has {word} between its columns; write it with commas")
    return names


def _csv_types(file: BinaryIO, names: Sequence[str], *, all_quoted: bool) -> dict[str, pa.DataType]:
    """The type of every column: that of the contract, or the narrowest that keeps a user's own values as they are."""
    types = {name: kind for name, kind in _contract_types(names).items() if not may_be_own(name)}
    own = [name for name in names if name not in types]
    if not own:
        return types
    left = {name: list(_PLAIN_TYPES) for name in own}
    filled: set[str] = set()
    file.seek(0)
    for batch in _open_csv(file, dict.fromkeys(names, pa.string()), own, all_quoted=all_quoted):
        for name in own:
            values = batch[name].drop_null()
            if len(values):
                filled.add(name)
                left[name] = [
                    (pattern, kind)
                    for pattern, kind in left[name]
                    if pc.all(pc.match_substring_regex(values, pattern)).as_py()
                ]
    file.seek(0)
    found = {name: left[name][0][1] if left[name] else pa.string() for name in own}
    return types | {name: kind if name in filled else pa.null() for name, kind in found.items()}


def _open_csv(
    file: BinaryIO, types: dict[str, pa.DataType], only: Sequence[str] = (), *, all_quoted: bool
) -> Iterator[pa.RecordBatch]:
    convert = pacsv.ConvertOptions(
        column_types=types,
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=all_quoted,
        include_columns=list(only),
    )
    yield from pacsv.open_csv(
        file,
        read_options=pacsv.ReadOptions(block_size=BYTES_PER_CSV_PIECE),
        parse_options=pacsv.ParseOptions(newlines_in_values=True),
        convert_options=convert,
    )


def _csv_pieces(file: BinaryIO) -> Iterator[pa.Table]:
    names = _csv_names(file)
    if len(set(names)) < len(names) or not set(REQUIRED_COLUMNS) <= set(names):
        check_schema(pa.schema([(name, pa.null()) for name in names]))
    all_quoted = _quotes_everything(file)
    try:
        types = _csv_types(file, names, all_quoted=all_quoted)
        n_batches = 0
        for batch in _open_csv(file, types, all_quoted=all_quoted):
            if batch.schema.names != names:
                raise NotATableError("has a header that goes over several lines")
            n_batches += 1
            yield _plain_text(pa.Table.from_batches([batch]))
        if not n_batches:
            yield _plain_text(pa.schema([(name, types[name]) for name in names]).empty_table())
    except pa.ArrowException as error:
        file.seek(0)
        raise _csv_defect(file, names) or error from error


def _plain_text(table: pa.Table) -> pa.Table:
    """The table without the quotes that keep spreadsheets from running text as a formula."""
    columns = [without_guard(column) if pa.types.is_string(column.type) else column for column in table.columns]
    return pa.table(columns, names=[unguarded(name) for name in table.schema.names])


def _read_csv(file: BinaryIO) -> pa.Table:
    return pa.concat_tables(list(_csv_pieces(file)))


def _csv_defect(file: BinaryIO, names: Sequence[str]) -> NotATableError | None:
    """The first row of a CSV that cannot be decoded; None where it is not found."""
    types = {name: kind for name, kind in _contract_types(names).items() if not may_be_own(name)}
    text = io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="")
    try:
        for row, cells in enumerate(islice((cells for cells in csv.reader(text) if cells), 1, None)):
            if len(cells) != len(names):
                return NotATableError(
                    f"cannot be used: row {row + 1} has {len(cells)} cells, the header has {len(names)}; is it cut off?"
                )
            for name, cell in zip(names, cells, strict=True):
                if not _is_utf8(cell):
                    return cell_error(row, name, f"{shown(cell)} is not UTF-8 text; save the table as UTF-8")
                if cell and name in types and not _parses(cell, types[name]):
                    advice = "; leave a cell without a value empty (in R: na = '')" if cell in _MISSING else ""
                    return cell_error(row, name, f"{shown(cell)} is no {_CELL_KINDS[types[name]]}{advice}")
    finally:
        text.detach()
    return None


_MISSING = {"NA", "N/A", "#N/A", "NULL", "null", "None", "-", "."}  # as other programs write a missing value
_CELL_KINDS = MappingProxyType(
    {pa.bool_(): "true or false", pa.int64(): "whole number", pa.float32(): "number", pa.float64(): "number"}
)


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _parses(cell: str, kind: pa.DataType) -> bool:
    if pa.types.is_string(kind):
        return True
    if pa.types.is_boolean(kind):
        return cell.casefold() in ("true", "false", "0", "1")
    try:
        (int if pa.types.is_integer(kind) else float)(cell)
    except ValueError:
        return False
    return "_" not in cell


_JSON_TYPES: MappingProxyType[pa.DataType, frozenset[type]] = MappingProxyType(
    {
        pa.string(): frozenset({str, NoneType}),
        pa.bool_(): frozenset({bool, NoneType}),
        pa.int64(): frozenset({int, float, NoneType}),
        pa.float32(): frozenset({int, float, NoneType}),
        pa.float64(): frozenset({int, float, NoneType}),
    }
)


def _json_rows(file: BinaryIO) -> Iterator[dict[str, Any]]:
    """Every row of a JSON Lines file; blank lines are none.

    Raises:
        NotATableError: A line is no JSON object, or names a column twice.
    """
    n_rows = 0
    for line in file:
        text = line.strip().removeprefix(b"\xef\xbb\xbf")
        if not text:
            continue
        n_rows += 1
        try:
            row = json.loads(text.decode("utf-8"), parse_int=_whole)
        except (ValueError, RecursionError) as error:
            reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
            raise NotATableError(f"cannot be used: row {n_rows} is not JSON ({reason}); is it cut off?") from error
        if not isinstance(row, dict):
            raise NotATableError(f"is no affect table of mien: row {n_rows} is not a JSON object")
        if text.count(b'":') + text.count(b'" :') != len(row):
            _refuse_repeated_keys(text.decode("utf-8"), n_rows)
        yield row


def _whole(text: str) -> float:
    return -0.0 if text == "-0" else int(text)  # Arrow writes a float without a fraction so


def _refuse_repeated_keys(text: str, number: int) -> None:
    def pairs(items: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in items]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise NotATableError(f"is damaged: row {number} has column {shown(twice)} several times")

    json.loads(text, object_pairs_hook=pairs)


def _json_names(file: BinaryIO) -> list[str]:
    """The columns of all rows, in the order of their first appearance; those of an empty table if there is no row."""
    names: dict[str, None] = {}
    known = names.keys()
    for row in _json_rows(file):
        if row.keys() != known:
            names.update(dict.fromkeys(row))
    file.seek(0)
    return list(names) or list(REQUIRED_COLUMNS)


def _json_table(rows: Sequence[dict[str, Any]], names: Sequence[str], first_row: int) -> pa.Table:
    columns = [_json_column([row.get(name) for row in rows], name, first_row) for name in names]
    return pa.table(columns, names=list(names))


def _json_column(values: list[Any], name: str, first_row: int) -> pa.Array:
    column = column_named(name)
    if column is None or may_be_own(name):
        try:
            return pa.array(values)
        except (pa.ArrowException, ValueError, OverflowError, TypeError):  # of several types
            return pa.array([None if value is None else json.dumps(value) for value in values], pa.string())
    allowed = _JSON_TYPES[column.type]
    if not set(map(type, values)) <= allowed:
        row = next(row for row, value in enumerate(values) if type(value) not in allowed)
        raise cell_error(first_row + row, name, f"{shown(values[row])} is no {_CELL_KINDS.get(column.type, 'text')}")
    kind = pa.float64() if pa.types.is_integer(column.type) and float in set(map(type, values)) else column.type
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, ValueError, OverflowError):
        for row, value in enumerate(values):
            try:
                pa.array([value], kind)
            except (pa.ArrowException, ValueError, OverflowError) as error:
                complaint = f"{shown(value)} is no valid {_CELL_KINDS.get(column.type, 'text')}"
                raise cell_error(first_row + row, name, complaint) from error
        raise


def _read_jsonl(file: BinaryIO) -> pa.Table:
    rows = list(_json_rows(file))
    names = list(dict.fromkeys(name for row in rows for name in row)) or list(REQUIRED_COLUMNS)
    return _json_table(rows, names, 0)


def _jsonl_pieces(file: BinaryIO) -> Iterator[pa.Table]:
    names = _json_names(file)
    if len(_contract_types(names)) < len(names):
        yield _read_jsonl(file)
        return
    rows, n_rows = _json_rows(file), 0
    while piece := list(islice(rows, ROWS_PER_JSON_PIECE)):
        yield _json_table(piece, names, n_rows)
        n_rows += len(piece)


_DECODERS: MappingProxyType[str, Callable[[BinaryIO], pa.Table]] = MappingProxyType(
    {"parquet": _read_parquet, "csv": _read_csv, "jsonl": _read_jsonl}
)
_PIECES: MappingProxyType[str, Callable[[BinaryIO], Iterator[pa.Table]]] = MappingProxyType(
    {"parquet": _parquet_pieces, "csv": _csv_pieces, "jsonl": _jsonl_pieces}
)

# SPDX-License-Identifier: Apache-2.0
"""Files of affect tables decoded, whole or piece by piece, with the same types and nulls from every format."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.json as pajson
import pyarrow.parquet as pq

from mien.core import InputError
from mien.results.tables.schema import REQUIRED_COLUMNS, SCHEMA_VERSION, column_named, table_metadata
from mien.results.tables.table_formats import ROWS_PER_GROUP, ROWS_PER_JSON_PIECE

BYTES_PER_CSV_PIECE = 1 << 20
"""Size of the pieces in which a CSV is read; a row must fit into one."""


@contextmanager
def reading_errors(path: Path) -> Iterator[None]:
    """Turns every defect of a table's file into an `InputError` that names the file.

    Raises:
        InputError: The file is unreadable, damaged or no affect table.
    """
    try:
        yield
    except _NotATableError as error:
        raise InputError(f"{path} {error}") from error
    except (pa.ArrowException, OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {path} as a table: {reason}; is it complete and written by mien?") from error


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
    with reading_errors(Path(path)), pq.ParquetFile(path) as file:
        return TableFacts(file.metadata.num_rows, table_metadata(file.schema_arrow))


class _NotATableError(Exception):
    """The file was decoded but is no affect table. The message continues after the file's name."""


def restored(table: pa.Table) -> pa.Table:
    """The table, or any piece of it with all columns, with contract types and descriptions.

    For use inside `reading_errors`, which names the file in the error.
    """
    names = table.schema.names
    missing = [name for name in REQUIRED_COLUMNS if name not in names]
    if missing:
        raise _NotATableError(f"is no affect table of mien: it lacks the columns {', '.join(missing)}")
    if len(set(names)) < len(names):
        raise _NotATableError("is damaged: it has several columns of the same name")
    version = table_metadata(table.schema).get("schema_version", str(SCHEMA_VERSION))
    if not version.isdecimal():
        raise _NotATableError(f"is damaged: its schema version is {version!r}")
    if int(version) > SCHEMA_VERSION:
        raise _NotATableError(
            f"has schema version {version}, this mien reads up to {SCHEMA_VERSION}; run: pip install --upgrade mien"
        )
    fields = [_contract_field(field.name) or field for field in table.schema]
    return table.cast(pa.schema(fields, metadata=table.schema.metadata))


def decode_table(file: BinaryIO, format_name: str) -> pa.Table:
    """All rows of a file; for use inside `reading_errors`.

    Args:
        file: File open for reading at its start.
        format_name: Name of the format, as `mien.results.format_of` gives it.
    """
    return restored(_DECODERS[format_name](file))


def decode_pieces(file: BinaryIO, format_name: str) -> Iterator[pa.Table]:
    """The rows of a file in pieces of bounded size, at least one piece; for use inside `reading_errors`.

    A text file with columns that are not of the contract, such as a user's own, comes as one piece: only all of its
    rows tell the type of such a column.

    Args:
        file: File open for reading at its start.
        format_name: Name of the format, as `mien.results.format_of` gives it.
    """
    n_pieces = 0
    for piece in _PIECES[format_name](file):
        n_pieces += 1
        yield restored(piece)
    if not n_pieces:
        file.seek(0)
        yield decode_table(file, format_name)


def _contract_field(name: str) -> pa.Field | None:
    column = column_named(name)
    return None if column is None else column.field


def _contract_types(names: Sequence[str]) -> dict[str, pa.DataType]:
    return {name: column.type for name in names if (column := column_named(name)) is not None}


def _read_parquet(file: BinaryIO) -> pa.Table:
    return pq.ParquetFile(file).read()


def _parquet_pieces(file: BinaryIO) -> Iterator[pa.Table]:
    parquet = pq.ParquetFile(file)
    restored(parquet.schema_arrow.empty_table())  # refuse another kind of file before its rows are read
    for batch in parquet.iter_batches(ROWS_PER_GROUP):
        yield pa.Table.from_batches([batch]).replace_schema_metadata(parquet.schema_arrow.metadata)


def _csv_names(file: BinaryIO) -> list[str]:
    header = file.readline().decode("utf-8-sig")
    file.seek(0)
    return next(csv.reader([header]), [])


def _csv_options(names: Sequence[str]) -> dict[str, pacsv.ParseOptions | pacsv.ConvertOptions]:
    convert = pacsv.ConvertOptions(
        column_types=_contract_types(names),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    return {"parse_options": pacsv.ParseOptions(newlines_in_values=True), "convert_options": convert}


def _read_csv(file: BinaryIO) -> pa.Table:
    return pacsv.read_csv(file, **_csv_options(_csv_names(file)))


def _csv_pieces(file: BinaryIO) -> Iterator[pa.Table]:
    names = _csv_names(file)
    if len(_contract_types(names)) < len(names):
        return
    read = pacsv.ReadOptions(block_size=BYTES_PER_CSV_PIECE)
    for batch in pacsv.open_csv(file, read_options=read, **_csv_options(names)):
        yield pa.Table.from_batches([batch])


def _json_schema(first_line: bytes) -> tuple[pa.Schema, int]:
    """The contract types of the columns in a line, and how many columns there are."""
    first = json.loads(first_line)
    if not isinstance(first, dict):
        raise _NotATableError("is no affect table of mien: its first line is not a JSON object")
    return pa.schema(list(_contract_types(list(first)).items())), len(first)


def _read_jsonl(file: BinaryIO) -> pa.Table:
    first_line = file.readline()
    file.seek(0)
    if not first_line.strip():
        return pa.schema(list(_contract_types(REQUIRED_COLUMNS).items())).empty_table()
    explicit, _ = _json_schema(first_line)
    return pajson.read_json(file, parse_options=pajson.ParseOptions(explicit_schema=explicit))


def _jsonl_pieces(file: BinaryIO) -> Iterator[pa.Table]:
    first_line = file.readline()
    file.seek(0)
    if not first_line.strip():
        return
    explicit, n_columns = _json_schema(first_line)
    if len(explicit) < n_columns:
        return
    options = pajson.ParseOptions(explicit_schema=explicit, unexpected_field_behavior="ignore")
    while lines := list(islice(file, ROWS_PER_JSON_PIECE)):
        yield pajson.read_json(io.BytesIO(b"".join(lines)), parse_options=options)


_DECODERS: MappingProxyType[str, Callable[[BinaryIO], pa.Table]] = MappingProxyType(
    {"parquet": _read_parquet, "csv": _read_csv, "jsonl": _read_jsonl}
)
_PIECES: MappingProxyType[str, Callable[[BinaryIO], Iterator[pa.Table]]] = MappingProxyType(
    {"parquet": _parquet_pieces, "csv": _csv_pieces, "jsonl": _jsonl_pieces}
)

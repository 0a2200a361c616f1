# SPDX-License-Identifier: Apache-2.0
"""Affect tables read back, whole or source by source, with the same types and nulls from every format."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.json as pajson
import pyarrow.parquet as pq

from mien.core import InputError
from mien.results.openface.openface_reader import is_openface_header, read_openface
from mien.results.tables import arrow_compute as pc
from mien.results.tables.schema import REQUIRED_COLUMNS, SCHEMA_VERSION, column_named, table_metadata
from mien.results.tables.table_formats import format_of


def read_table(path: str | Path) -> pa.Table:
    """Reads an affect table.

    Columns of the contract get their contract types and descriptions whatever the format; further columns, such as a
    user's own, come as they are. Only Parquet keeps the facts about the run (`table_metadata`). A JSON Lines file
    without rows cannot say which action units it was for: it gives the columns that every table has. A text file that
    was cut exactly at the end of a row reads as a shorter table; compare its length with the run's manifest.
    A CSV of OpenFace's reads as `read_openface` says.

    Args:
        path: a table that mien or OpenFace wrote, perhaps edited since; its ending says which format it is.

    Raises:
        ConfigError: the ending is unknown.
        InputError: the file cannot be read, is damaged, is no affect table or was written by a newer mien.
    """
    path = Path(path)
    format_name = format_of(path)
    with reading_errors(path):
        with path.open("rb") as file:
            if format_name == "csv" and is_openface_header(file.readline().decode("utf-8-sig")):
                return read_openface(path)
            file.seek(0)
            table = _DECODERS[format_name](file)
        return restored(table)


@contextmanager
def reading_errors(path: Path) -> Iterator[None]:
    """Turns whatever is wrong with a table's file into an `InputError` that names it.

    Raises:
        InputError: the block found the file unreadable, damaged or no affect table.
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
    """What a Parquet table says of itself before any row is read.

    Attributes:
        n_rows: rows in it.
        metadata: as `mien.results.table_metadata` gives it.
    """

    n_rows: int
    metadata: dict[str, str]


def read_facts(path: str | Path) -> TableFacts:
    """The facts of a Parquet table, in about a millisecond whatever its size.

    Raises:
        InputError: the file cannot be read or is no complete Parquet file.
    """
    try:
        with pq.ParquetFile(path) as file:
            return TableFacts(file.metadata.num_rows, table_metadata(file.schema_arrow))
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {path} as a table: {reason}; is it complete and written by mien?") from error


class _NotATableError(Exception):
    """The file was decoded but is not what was asked for. The message continues after the file's name."""


def restored(table: pa.Table) -> pa.Table:
    """The table, or any piece of it with all columns, with contract types and descriptions; inside `reading_errors`."""
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


def _contract_field(name: str) -> pa.Field | None:
    column = column_named(name)
    return None if column is None else column.field


def _contract_types(names: Sequence[str]) -> dict[str, pa.DataType]:
    return {name: column.type for name in names if (column := column_named(name)) is not None}


def _read_parquet(file: BinaryIO) -> pa.Table:
    return pq.ParquetFile(file).read()


def _read_csv(file: BinaryIO) -> pa.Table:
    header = file.readline().decode("utf-8-sig")
    file.seek(0)
    convert = pacsv.ConvertOptions(
        column_types=_contract_types(next(csv.reader([header]), [])),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    parse = pacsv.ParseOptions(newlines_in_values=True)
    return pacsv.read_csv(file, parse_options=parse, convert_options=convert)


def _read_jsonl(file: BinaryIO) -> pa.Table:
    first_line = file.readline()
    file.seek(0)
    if not first_line.strip():
        return pa.schema(list(_contract_types(REQUIRED_COLUMNS).items())).empty_table()
    first = json.loads(first_line)
    if not isinstance(first, dict):
        raise _NotATableError("is no affect table of mien: its first line is not a JSON object")
    explicit = pa.schema(list(_contract_types(list(first)).items()))
    return pajson.read_json(file, parse_options=pajson.ParseOptions(explicit_schema=explicit))


_DECODERS: MappingProxyType[str, Callable[[BinaryIO], pa.Table]] = MappingProxyType(
    {"parquet": _read_parquet, "csv": _read_csv, "jsonl": _read_jsonl}
)


def iter_sources(table: pa.Table | str | Path) -> Iterator[tuple[str, pa.Table]]:
    """Every source of a table with its rows, in the order of first appearance.

    Of a Parquet file, only the row groups of one source are in memory at a time; text formats are read whole.

    Args:
        table: from `mien.results.read_table`, or the path of a table that mien wrote.

    Raises:
        ConfigError: the ending is unknown.
        InputError: the file cannot be read, is damaged or is no affect table, or a row has no source.
    """
    if isinstance(table, pa.Table):
        yield from _split(table, "the table")
    elif format_of(Path(table)) == "parquet":
        yield from _from_parquet(Path(table))
    else:
        yield from _split(read_table(table), str(table))


def _split(table: pa.Table, name: str) -> Iterator[tuple[str, pa.Table]]:
    for source in _names(table["source"], name):
        yield source, table.filter(pc.equal(table["source"], source))


def _from_parquet(path: Path) -> Iterator[tuple[str, pa.Table]]:
    with reading_errors(path), pq.ParquetFile(path) as file:
        restored(file.schema_arrow.empty_table())  # refuse another kind of file before its rows are read
        groups: dict[str, list[int]] = {}
        for number in range(file.num_row_groups):
            for source in _names(file.read_row_group(number, columns=["source"])["source"], str(path)):
                groups.setdefault(source, []).append(number)
        for source, numbers in groups.items():
            parts = []
            for number in numbers:
                part = restored(file.read_row_group(number))
                parts.append(part.filter(pc.equal(part["source"], source)))
            yield source, pa.concat_tables(parts)


def _names(column: pa.ChunkedArray, name: str) -> list[str]:
    names: list[str | None] = pc.unique(column).to_pylist()
    if None in names:
        raise InputError(f"{name} has rows without a source; every row must name the input that it comes from")
    return [source for source in names if source is not None]


def count_rows(path: str | Path) -> int:
    """Rows of a table; of a Parquet file without reading them.

    Raises:
        ConfigError: the ending is unknown.
        InputError: the file cannot be read, is damaged or is no affect table.
    """
    if format_of(Path(path)) != "parquet":
        return int(read_table(path).num_rows)
    return read_facts(path).n_rows

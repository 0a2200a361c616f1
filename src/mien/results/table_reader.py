# SPDX-License-Identifier: Apache-2.0
"""Affect tables read back, mien's and OpenFace's alike: whole, piece by piece, or source by source."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from mien.core import InputError, PathName
from mien.results.openface.openface_reader import is_openface_header, read_openface
from mien.results.tables.table_check import NotATableError, RowCheck, check_schema, with_contract_types
from mien.results.tables.table_decoder import decode_pieces, decode_table, open_table, read_facts, reading_errors
from mien.results.tables.table_formats import columns_as_text, format_of
from mien.results.tables.table_stream import TableStream


def read_table(path: PathName) -> pa.Table:
    """Reads an affect table.

    Columns of the contract get their contract types and descriptions whatever the format; further columns, such as a
    user's own, come as they are. Only Parquet keeps the facts about the run (`table_metadata`). A JSON Lines file
    without rows does not name its action units: it gives the columns that every table has. A text file that was cut
    exactly at the end of a row reads as a shorter table; compare its length with the run's manifest. An OpenFace CSV
    is read by `read_openface`.

    Args:
        path: Path of a table that mien or OpenFace wrote, perhaps edited since; its ending tells the format.

    Raises:
        ConfigError: The ending is unknown.
        InputError: The file cannot be read, is damaged, is no affect table or was written by a newer mien.
    """
    path = Path(path)
    format_name = format_of(path)
    with reading_errors(path), open_table(path) as file:
        if _is_openface(file, format_name):
            return read_openface(path)
        return decode_table(file, format_name)


def checked_table(table: pa.Table) -> pa.Table:
    """A table of a caller with contract types, checked as those that are read from files.

    Raises:
        InputError: It is no affect table, or a value in it is missing or impossible.
    """
    try:
        check_schema(table.schema)
        typed = with_contract_types(table)
        RowCheck().check(typed)
    except NotATableError as error:
        raise InputError(f"the table {error}") from error
    return typed


def iter_pieces(path: PathName) -> Iterator[pa.Table]:
    """The rows of a table in pieces of bounded size, in order; at least one piece.

    An OpenFace CSV, and a text file with columns of a user's own, come as one piece.

    Args:
        path: Path of a table, as for `read_table`.

    Raises:
        ConfigError: The ending is unknown.
        InputError: The file cannot be read, is damaged, is no affect table or was written by a newer mien.
    """
    path = Path(path)
    format_name = format_of(path)
    with reading_errors(path), open_table(path) as file:
        if _is_openface(file, format_name):
            yield read_openface(path)
        else:
            yield from decode_pieces(file, format_name)


def open_stream(table: pa.Table | PathName, *, by_source: bool = False) -> TableStream:
    """A table as a stream of parts that hold whole frames; a file is read through once for it.

    Args:
        table: Affect table, or the path of one.
        by_source: As for `TableStream.of`.

    Raises:
        ConfigError: The ending is unknown.
        InputError: The table cannot be read, is damaged or is no affect table.
    """
    if isinstance(table, pa.Table):
        checked = checked_table(table)
        return TableStream.of(lambda: iter([checked]), by_source=by_source)
    return TableStream.of(partial(iter_pieces, table), by_source=by_source)


def columns_as_json(path: PathName, out: PathName) -> tuple[str, ...]:
    """Columns of a table, such as lists, that a new file can hold only as JSON text.

    Args:
        path: Path of a table.
        out: Path of the file that its columns are written to; its ending tells the format.

    Raises:
        ConfigError: An ending is unknown.
        InputError: The table cannot be read.
    """
    if format_of(Path(out)) != "csv":
        return ()
    if format_of(Path(path)) == "parquet":
        with reading_errors(Path(path)), open_table(Path(path)) as file:
            return tuple(columns_as_text(pq.ParquetFile(file).schema_arrow))
    return tuple(columns_as_text(next(iter_pieces(path)).schema))


def count_rows(path: str | Path) -> int:
    """Number of rows of a table; of a Parquet file without reading them.

    Raises:
        ConfigError: The ending is unknown.
        InputError: The file cannot be read, is damaged or is no affect table.
    """
    if format_of(Path(path)) != "parquet":
        return sum(map(len, iter_pieces(path)))
    return read_facts(path).n_rows


def _is_openface(file: BinaryIO, format_name: str) -> bool:
    """Whether a file is an OpenFace CSV; the file stays at its start."""
    if format_name != "csv":
        return False
    header = file.readline().decode("utf-8-sig")
    file.seek(0)
    return is_openface_header(header)

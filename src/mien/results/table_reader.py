# SPDX-License-Identifier: Apache-2.0
"""Affect tables read back, mien's and OpenFace's alike: whole, piece by piece, or source by source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mien.core import Indices, InputError, PathName
from mien.results.openface.openface_reader import is_openface_header, read_openface
from mien.results.tables import arrow_compute as pc
from mien.results.tables.table_check import NotATableError, RowCheck, check_schema, with_contract_types
from mien.results.tables.table_decoder import decode_pieces, decode_table, open_table, read_facts, reading_errors
from mien.results.tables.table_formats import columns_as_text, format_of


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


def iter_sources(table: pa.Table | str | Path) -> Iterator[tuple[str, pa.Table]]:
    """Every source of a table with its rows, in the order of first appearance.

    Of a Parquet file, only the row groups of one source are in memory at a time; text formats are read whole.

    Args:
        table: Table from `mien.results.read_table`, or the path of one.

    Raises:
        ConfigError: The ending is unknown.
        InputError: The file cannot be read, is damaged or is no affect table, or a row has no source.
    """
    if isinstance(table, pa.Table):
        yield from _split(checked_table(table))
    elif format_of(Path(table)) == "parquet":
        yield from _from_parquet(Path(table))
    else:
        yield from _split(read_table(table))


def count_rows(path: str | Path) -> int:
    """Number of rows of a table; of a Parquet file without reading them.

    Raises:
        ConfigError: The ending is unknown.
        InputError: The file cannot be read, is damaged or is no affect table.
    """
    if format_of(Path(path)) != "parquet":
        return int(read_table(path).num_rows)
    return read_facts(path).n_rows


def _is_openface(file: BinaryIO, format_name: str) -> bool:
    """Whether a file is an OpenFace CSV; the file stays at its start."""
    if format_name != "csv":
        return False
    header = file.readline().decode("utf-8-sig")
    file.seek(0)
    return is_openface_header(header)


def _split(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    for source in pc.unique(table["source"]).to_pylist():
        yield source, table.filter(pc.equal(table["source"], source))


def _from_parquet(path: Path) -> Iterator[tuple[str, pa.Table]]:
    with reading_errors(path), open_table(path) as opened, pq.ParquetFile(opened) as file:
        check_schema(file.schema_arrow)  # refuse another kind of file before its rows are read
        groups: dict[str, list[tuple[int, int]]] = {}  # source -> row groups and their first rows
        first_row = 0
        for number in range(file.num_row_groups):
            names = file.read_row_group(number, columns=["source"])["source"].cast(pa.string())
            for source in pc.unique(names).to_pylist():
                if source is None:
                    numbers = np.arange(first_row, first_row + len(names))
                    RowCheck().check(with_contract_types(file.read_row_group(number), first_row), numbers)
                groups.setdefault(source, []).append((number, first_row))
            first_row += len(names)
        for source, places in groups.items():
            parts: list[pa.Table] = []
            places_of_rows: list[Indices] = []
            for number, first in places:
                part = with_contract_types(file.read_row_group(number), first)
                own = pc.equal(part["source"], source)
                parts.append(part.filter(own))
                places_of_rows.append(np.flatnonzero(own.to_numpy()) + first)
            rows = pa.concat_tables(parts)
            RowCheck().check(rows, np.concatenate(places_of_rows))
            yield source, rows

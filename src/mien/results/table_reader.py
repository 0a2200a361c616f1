# SPDX-License-Identifier: Apache-2.0
"""Affect tables read back, mien's and OpenFace's alike: whole, piece by piece, or source by source.

A folder that a run wrote reads as one table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from mien.core import InputError, PathName, is_folder, open_regular
from mien.results.openface.openface_reader import is_openface_header, read_openface
from mien.results.tables.manifest import RunManifest, manifest_path
from mien.results.tables.schema import table_metadata, without_table_metadata
from mien.results.tables.table_check import NotATableError, RowCheck, check_schema, with_contract_types
from mien.results.tables.table_decoder import csv_header, decode_pieces, decode_table, read_facts, reading_errors
from mien.results.tables.table_formats import TABLE_ENDINGS, columns_as_text, format_of
from mien.results.tables.table_stream import TableStream

_OF_ONE_TABLE = frozenset({"work_sha256", "stream_offset_s", "version"})
"""Facts of a table that another one of the same run does not share."""


def list_tables(path: PathName) -> tuple[Path, ...]:
    """The tables that a path stands for: a file for itself, a folder for those that runs wrote into it, by name.

    Other files of the folder, such as tables that were made of its tables, have no manifest and are not among them.

    Args:
        path: Path of a table or of a folder.

    Raises:
        InputError: The folder holds no table of a run, or cannot be read.

    Examples:
        >>> list_tables("clip.csv")
        (PosixPath('clip.csv'),)
    """
    folder = Path(path)
    if not is_folder(folder):
        return (folder,)
    try:
        files = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror}); check its permissions") from error
    found = [file for file in files if file.suffix.lower() in TABLE_ENDINGS and manifest_path(file).exists()]
    if not found:
        raise InputError(f"{folder}: is a folder without a table of mien analyze; name a table, or analyze into it")
    return tuple(found)


def read_table(path: PathName) -> pa.Table:
    """Reads an affect table.

    Columns of the contract get their contract types and descriptions whatever the format; further columns, such as a
    user's own, come as they are. Only Parquet keeps the facts about the run (`table_metadata`). A JSON Lines file
    without rows does not name its action units: it gives the columns that every table has. A text file that was cut
    exactly at the end of a row reads as a shorter table; compare its length with the run's manifest. An OpenFace CSV
    is read by `read_openface`.

    Args:
        path: Path of a table that mien or OpenFace wrote, perhaps edited since; its ending tells the format. A folder
            stands for the tables that `list_tables` finds in it, as for `iter_pieces`.

    Raises:
        ConfigError: The ending is unknown.
        InputError: The file cannot be read, is damaged, is no affect table or was written by a newer mien.
    """
    tables = list_tables(path)
    if tables != (Path(path),):
        return pa.concat_tables(list(iter_pieces(path)))
    path = Path(path)
    format_name = format_of(path)
    with reading_errors(path), open_regular(path) as file:
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
        path: Path of a table, as for `read_table`. The tables of a folder follow one another; a column that one of
            them lacks is null in its rows.

    Raises:
        ConfigError: The ending is unknown.
        InputError: The file cannot be read, is damaged, is no affect table or was written by a newer mien; the tables
            of a folder are of different models or settings.
    """
    tables = list_tables(path)
    if tables == (Path(path),):
        yield from _pieces_of_file(tables[0])
        return
    schema = _common_schema(Path(path), tables)
    for table in tables:
        for piece in _pieces_of_file(table):
            columns = [
                piece[field.name].cast(field.type)
                if field.name in piece.schema.names
                else pa.nulls(len(piece), field.type)
                for field in schema
            ]
            yield pa.table(columns, schema=schema)


def _pieces_of_file(path: Path) -> Iterator[pa.Table]:
    format_name = format_of(path)
    with reading_errors(path), open_regular(path) as file:
        if _is_openface(file, format_name):
            yield read_openface(path)
        else:
            yield from decode_pieces(file, format_name)


def _common_schema(folder: Path, tables: Sequence[Path]) -> pa.Schema:
    """The schema of all tables of a folder together, with the facts that they share."""
    first = tables[0]
    schemas = [next(_pieces_of_file(table)).schema for table in tables]
    facts = [
        {**table_metadata(schema), "model": RunManifest.load(table).bundle_sha256}
        for schema, table in zip(schemas, tables, strict=True)
    ]
    for table, own in zip(tables, facts, strict=True):
        for key in sorted(own.keys() & facts[0].keys() - _OF_ONE_TABLE):
            if own[key] != facts[0][key]:
                raise InputError(f"{folder}: {first.name} and {table.name} differ in {key}; name the tables one by one")
    try:
        common = pa.unify_schemas([schema.remove_metadata() for schema in schemas], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InputError(
            f"{folder}: its tables have columns of one name and different kinds ({error}); name them one by one"
        ) from error
    return without_table_metadata(common.with_metadata(schemas[0].metadata), _OF_ONE_TABLE)


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
    names: dict[str, None] = {}
    for table in list_tables(path):
        if format_of(table) == "parquet":
            with reading_errors(table), open_regular(table) as file:
                names |= dict.fromkeys(columns_as_text(pq.ParquetFile(file).schema_arrow))
        else:
            names |= dict.fromkeys(columns_as_text(next(_pieces_of_file(table)).schema))
    return tuple(names)


def count_rows(path: str | Path) -> int:
    """Number of rows of a table; of a Parquet file without reading them.

    Raises:
        ConfigError: The ending is unknown.
        InputError: The file cannot be read, is damaged or is no affect table.
    """
    return sum(
        read_facts(table).n_rows if format_of(table) == "parquet" else sum(map(len, _pieces_of_file(table)))
        for table in list_tables(path)
    )


def _is_openface(file: BinaryIO, format_name: str) -> bool:
    """Whether a file is an OpenFace CSV; the file stays at its start."""
    if format_name != "csv":
        return False
    header = csv_header(file)
    file.seek(0)
    return is_openface_header(header)

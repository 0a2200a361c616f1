# SPDX-License-Identifier: Apache-2.0
"""An affect table source by source, so that a table of many recordings needs the memory of the longest one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mien.core import InputError
from mien.results import arrow_compute as pc
from mien.results.formats import format_of
from mien.results.reader import read_facts, read_table, reading_errors, restored


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

# SPDX-License-Identifier: Apache-2.0
"""The table's file formats: which ending means which, and how record batches become bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from mien.core import ConfigError
from mien.results import arrow_compute as pc

TABLE_ENDINGS = MappingProxyType({".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"})
"""File ending -> name of the format."""

# Large enough for good Parquet row groups, small enough that the end of a long run does not stand out in its memory.
_ROWS_PER_GROUP = 8_192
# JSON repeats every key in every row, and a row with landmarks takes several kB.
_ROWS_PER_JSON_PIECE = 2_048


def format_of(path: Path) -> str:
    """The format that a file's ending stands for: ``"parquet"``, ``"csv"`` or ``"jsonl"``.

    Raises:
        ConfigError: the ending is none of `TABLE_ENDINGS`.
    """
    name = TABLE_ENDINGS.get(path.suffix.lower())
    if name is None:
        raise ConfigError(
            f"{path} must end in one of {', '.join(TABLE_ENDINGS)}; the ending chooses the table's format"
        )
    return name


def write_batches(file: BinaryIO, format_name: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Writes a whole table, holding only a few batches at a time.

    Floats take the shortest text that reads back to the same number. A missing value is null in Parquet, empty in CSV
    and ``null`` in JSON Lines. Text files are UTF-8.

    Args:
        file: open for writing.
        format_name: from `format_of`.
        schema: of every batch; a table without rows has it too.
        batches: the rows.
    """
    _ENCODERS[format_name](file, schema, _grouped(batches, schema))


def _grouped(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """The same rows in larger pieces: parts are small, and one Parquet row group per part would be slow to read."""
    group: list[pa.RecordBatch] = []
    n_rows = 0
    for batch in batches:
        group.append(batch)
        n_rows += batch.num_rows
        if n_rows >= _ROWS_PER_GROUP:
            yield pa.Table.from_batches(group, schema)
            group, n_rows = [], 0
    if group:
        yield pa.Table.from_batches(group, schema)


def _write_parquet(file: BinaryIO, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    # Numbers hardly repeat: their dictionaries would only cost memory, time and bytes.
    texts = [column.name for column in schema if pa.types.is_string(column.type)]
    with pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=texts) as writer:
        for table in tables:
            writer.write_table(table)


def _write_csv(file: BinaryIO, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    # PyArrow would put every name of the header in quotes.
    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(schema.names)
    file.write(header.getvalue().encode())
    with pacsv.CSVWriter(file, schema, write_options=pacsv.WriteOptions(include_header=False)) as writer:
        for table in tables:
            writer.write_table(table)


def _write_jsonl(file: BinaryIO, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    keys = [json.dumps(name, ensure_ascii=False) + ":" for name in schema.names]
    leads = ["{" + keys[0], *("," + key for key in keys[1:])]
    for batch in (batch for table in tables for batch in table.to_batches(_ROWS_PER_JSON_PIECE)):
        pieces = []
        for lead, column in zip(leads, batch.columns, strict=True):
            pieces += [lead, _json_texts(column)]
        lines = pc.binary_join_element_wise(*pieces, "}\n", "")
        file.write("".join(lines.to_pylist()).encode())


def _json_texts(column: pa.Array) -> pa.Array:
    """Every value of a column as JSON text. Arrow writes numbers and booleans as JSON does."""
    if pa.types.is_string(column.type):
        names = pc.unique(column.drop_null())
        escaped = pa.array([json.dumps(name, ensure_ascii=False) for name in names.to_pylist()], pa.string())
        column = escaped.take(pc.index_in(column, value_set=names))
    return pc.fill_null(column.cast(pa.string()), "null")


_ENCODERS: MappingProxyType[str, Callable[[BinaryIO, pa.Schema, Iterable[pa.Table]], None]] = MappingProxyType(
    {"parquet": _write_parquet, "csv": _write_csv, "jsonl": _write_jsonl}
)

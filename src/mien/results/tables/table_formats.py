# SPDX-License-Identifier: Apache-2.0
"""File formats of tables: endings, Arrow columns from NumPy arrays, and record batches encoded as bytes."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from mien.core import Bools, ConfigError, Int64
from mien.results.files import atomic_write, output_errors
from mien.results.tables import arrow_compute as pc

_DATA_TYPES = {
    np.dtype(np.float32): pa.float32(),
    np.dtype(np.float64): pa.float64(),
    np.dtype(np.int64): pa.int64(),
}


def numeric_column(values: npt.NDArray[np.generic], absent: Bools | None = None) -> pa.Array:
    """float32, float64 or int64 values (N,) as an Arrow array of that type, null where absent (N,)."""
    values = np.ascontiguousarray(values)
    data = pa.py_buffer(values)
    if absent is None or not absent.any():
        return pa.Array.from_buffers(_DATA_TYPES[values.dtype], len(values), [None, data], 0)
    present = _bits(~absent)
    return pa.Array.from_buffers(_DATA_TYPES[values.dtype], len(values), [present, data], int(absent.sum()))


def boolean_column(values: Bools) -> pa.Array:
    """Truth values (N,) as an Arrow array without nulls."""
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, _bits(values)], 0)


def text_column(values: Sequence[str], rows: Int64, absent: Bools | None = None) -> pa.Array:
    """``values[row]`` of every row (N,) as an Arrow array of strings, null where absent (N,)."""
    encoded = [value.encode("utf-8") for value in values]
    present = np.ones(len(rows), dtype=bool) if absent is None else ~absent
    lengths = np.where(present, np.array([len(text) for text in encoded], dtype=np.int64)[rows], 0)
    stops = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    text = b"".join([encoded[row] for row in rows[present].tolist()])
    n_absent = len(rows) - int(present.sum())
    known = _bits(present) if n_absent else None
    return pa.StringArray.from_buffers(len(rows), pa.py_buffer(stops), pa.py_buffer(text), known, n_absent)


def _bits(values: Bools) -> pa.Buffer:
    return pa.py_buffer(np.packbits(values, bitorder="little"))


TABLE_ENDINGS = MappingProxyType({".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"})
"""File ending -> name of the format."""

# Large enough for good Parquet row groups, small enough that the end of a long run does not stand out in its memory.
ROWS_PER_GROUP = 8_192
# JSON repeats every key in every row, and a row with landmarks takes several kB.
ROWS_PER_JSON_PIECE = 2_048


def format_of(path: Path) -> str:
    """The format of a file by its ending: ``"parquet"``, ``"csv"`` or ``"jsonl"``.

    Raises:
        ConfigError: The ending is none of `TABLE_ENDINGS`.

    Examples:
        >>> format_of(Path("clip.NDJSON"))
        'jsonl'
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
        file: File open for writing.
        format_name: Name of the format, as `format_of` gives it.
        schema: Schema of every batch, and of a table without rows.
        batches: Rows of the table.
    """
    _ENCODERS[format_name](file, schema, _grouped(batches, schema))


def _grouped(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """The same rows in larger pieces: one Parquet row group per small part would be slow to read."""
    group: list[pa.RecordBatch] = []
    n_rows = 0
    for batch in batches:
        if not batch.num_rows:
            continue  # Arrow's CSV writer would write zero bytes for it
        group.append(batch)
        n_rows += batch.num_rows
        if n_rows >= ROWS_PER_GROUP:
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


_GUARDED = r"^('*[=+\-@\t\r])"
"""Text that a spreadsheet would run as a formula, and text that a guard in front of it would be mistaken for."""


_GUARD_BYTES = np.frombuffer(b"'=+-@\t\r", np.uint8)


def with_guard(texts: pa.Array) -> pa.Array:
    """Texts for a CSV: a quote comes before what a spreadsheet would run as a formula (``= + - @``, tab, return).

    Examples:
        >>> with_guard(pa.array(["=1+1", "anna"])).to_pylist()
        ["'=1+1", 'anna']
    """
    return pc.replace_substring_regex(texts, _GUARDED, r"'\1")


def guarded(text: str) -> str:
    """`with_guard` of one text.

    Examples:
        >>> guarded("-2 points"), guarded("2 points")
        ("'-2 points", '2 points')
    """
    return "'" + text if re.match(_GUARDED, text) else text


def unguarded(text: str) -> str:
    """The inverse of `guarded`."""
    return text[1:] if text.startswith("'") and re.match(_GUARDED, text) else text


def without_guard(texts: pa.Array) -> pa.Array:
    """The inverse of `with_guard`.

    Examples:
        >>> without_guard(pa.array(["'=1+1", "anna", "'anna"])).to_pylist()
        ['=1+1', 'anna', "'anna"]
    """
    return pc.replace_substring_regex(texts, r"^'('*[=+\-@\t\r])", r"\1")


def columns_as_text(schema: pa.Schema) -> list[str]:
    """Columns that a CSV cannot hold as they are, so that they are written as JSON text."""
    return [field.name for field in schema if _is_nested(_plain_type(field.type))]


def _is_nested(kind: pa.DataType) -> bool:
    return bool(pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """The type that a column of a user's own has in text formats; nested types and bytes stay."""
    if isinstance(kind, pa.BaseExtensionType):
        return _plain_type(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_float16(kind):
        return pa.float32()
    plain = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind) or _is_nested(kind)
    return kind if plain else pa.string()


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return _decoded(pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type))
    wanted = _plain_type(kind)
    if pa.types.is_dictionary(kind) and kind.value_type != wanted:
        return _decoded(column.cast(kind.value_type))
    return column if kind == wanted else column.cast(wanted)


def _json_value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_json_default)


def _json_default(value: object) -> str:
    return base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else str(value)


def _json_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Nested values, each as JSON text; null stays null."""
    texts = [None if value is None else _json_value(value) for value in column.to_pylist()]
    return pa.chunked_array([pa.array(texts, pa.string())])


def _csv_table(table: pa.Table) -> pa.Table:
    columns = []
    for column in map(_decoded, table.columns):
        text = _json_column(column) if _is_nested(column.type) else column
        columns.append(with_guard(text) if _may_need_guard(text) else text)
    return pa.Table.from_arrays(columns, names=table.schema.names)


def _may_need_guard(column: pa.ChunkedArray) -> bool:
    """Whether some text begins with a sign of `_GUARDED`, by its first byte; this takes no function of Arrow."""
    if not pa.types.is_string(column.type):
        return False
    for chunk in column.chunks:
        _, offsets, text = chunk.buffers()
        if text is None or not len(chunk):
            continue
        places = np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
        firsts = np.frombuffer(text, np.uint8)[places[:-1][np.diff(places) > 0]]
        if np.isin(firsts, _GUARD_BYTES).any():
            return True
    return False


def _write_csv(file: BinaryIO, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    # PyArrow would put every name of the header in quotes.
    header = io.StringIO()
    names = [guarded(name) for name in schema.names]
    csv.writer(header, lineterminator="\n").writerow(names)
    file.write(header.getvalue().encode())
    options = pacsv.WriteOptions(include_header=False)
    types = [pa.string() if _is_nested(kind := _plain_type(field.type)) else kind for field in schema]
    plain = pa.schema(zip(schema.names, types, strict=True))
    with pacsv.CSVWriter(file, plain, write_options=options) as writer:
        for table in tables:
            writer.write_table(_csv_table(table))


def _write_jsonl(file: BinaryIO, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    keys = [json.dumps(name, ensure_ascii=False) + ":" for name in schema.names]
    leads = ["{" + keys[0], *("," + key for key in keys[1:])]
    for batch in (batch for table in tables for batch in table.to_batches(ROWS_PER_JSON_PIECE)):
        pieces = []
        for lead, column in zip(leads, batch.columns, strict=True):
            pieces += [lead, _json_texts(_decoded(pa.chunked_array([column])))]
        lines = pc.binary_join_element_wise(*pieces, "}\n", "")
        file.write("".join(lines.to_pylist()).encode())


def _json_texts(column: pa.ChunkedArray) -> pa.Array:
    """Every value of a column as JSON text. Arrow writes numbers and booleans as JSON does."""
    if _is_nested(column.type):
        column = _json_column(column)
    elif pa.types.is_string(column.type):
        names = pc.unique(column.drop_null())
        escaped = pa.array([json.dumps(name, ensure_ascii=False) for name in names.to_pylist()], pa.string())
        column = escaped.take(pc.index_in(column, value_set=names))
    elif pa.types.is_floating(column.type) and not pc.all(pc.is_finite(column)).as_py():
        # JSON knows neither: a number beyond every float reads back as infinite.
        infinite = pc.if_else(pc.greater(column, 0), "1e999", "-1e999")
        column = pc.if_else(pc.is_inf(column), infinite, pc.if_else(pc.is_nan(column), None, column.cast(pa.string())))
    texts = pc.fill_null(column.cast(pa.string()), "null")
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts


_ENCODERS: MappingProxyType[str, Callable[[BinaryIO, pa.Schema, Iterable[pa.Table]], None]] = MappingProxyType(
    {"parquet": _write_parquet, "csv": _write_csv, "jsonl": _write_jsonl}
)


def save_pieces(path: Path, pieces: Iterable[pa.Table]) -> int:
    """Writes a table of which only a few pieces are in memory at a time, as `save_table` does.

    Args:
        path: Path of the file; its ending chooses the format.
        pieces: Pieces of one schema, at least one.

    Returns:
        Number of rows.

    Raises:
        ConfigError: The ending is unknown.
        OutputError: The place cannot be written.
    """
    format_name = format_of(path)
    left = iter(pieces)
    first = next(left)
    n_rows = 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal n_rows
        for piece in chain([first], left):
            n_rows += len(piece)
            yield from piece.to_batches()

    with output_errors(path, "choose a folder with room that you may write"):
        created = not path.parent.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with atomic_write(path) as file:
                write_batches(file, format_name, first.schema, batches())
        except BaseException:
            if created:
                with suppress(OSError):  # another file is in it by now
                    path.parent.rmdir()
            raise
    return n_rows


def save_table(path: Path, table: pa.Table) -> None:
    """Writes a table; an older file of that name stays until the new one is complete. Missing folders are created.

    Args:
        path: Path of the file; its ending chooses the format.
        table: Table with columns of plain types.

    Raises:
        ConfigError: The ending is unknown.
        OutputError: The place cannot be written.
    """
    save_pieces(path, [table])

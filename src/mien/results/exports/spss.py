# SPDX-License-Identifier: Apache-2.0
"""Tables as files of SPSS."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path

import pyarrow as pa

from mien.core import DraftFile, InputError, MissingExtraError
from mien.results.files import output_errors
from mien.results.tables.schema import describe_columns

_MAX_ROWS = 2_000_000  # the file is written from memory
_MAX_NAME = 60
_RESERVED = frozenset({"all", "and", "by", "eq", "ge", "gt", "le", "lt", "ne", "not", "or", "to", "with"})


def write_spss(path: Path, pieces: Iterable[pa.Table]) -> int:
    """Writes a table as a file of SPSS (.sav), with the meaning of every column as its label.

    Unknown numbers are missing values, unknown texts empty; truth values are 0 and 1. A column whose name SPSS does not
    allow is renamed; its label tells the name.

    Args:
        path: Path of the file, in an existing folder.
        pieces: Pieces of one schema, at least one; all of them are held in memory.

    Returns:
        Number of rows.

    Raises:
        MissingExtraError: The package pyreadstat is not installed.
        InputError: The table has more than two million rows.
        OutputError: The place cannot be written.
    """
    try:
        import pyreadstat
    except ImportError as error:
        raise MissingExtraError("pyreadstat", "spss") from error
    held: list[pa.Table] = []
    n_rows = 0
    for piece in pieces:
        held.append(piece)
        n_rows += len(piece)
        if n_rows > _MAX_ROWS:
            raise InputError(f"{path}: a file of SPSS is written from memory, up to {_MAX_ROWS:,} rows; write a CSV")
    table = pa.concat_tables(held)
    names = _variable_names(table.schema.names)
    frame = _plain(table).rename_columns(names).to_pandas()
    labels: list[str | None] = [
        f"{one.name}: {one.meaning}" if one.meaning else one.name for one in describe_columns(table.schema)
    ]
    with output_errors(path, "choose a folder with room that you may write"):
        draft = DraftFile(path)
        try:
            pyreadstat.write_sav(frame, str(draft.path), column_labels=labels)
            draft.publish()
        except BaseException:
            draft.discard()
            raise
    return n_rows


def _plain(table: pa.Table) -> pa.Table:
    """The table with columns of numbers and texts only, without nulls among texts."""
    columns = []
    for column in table.columns:
        kind = column.type
        if pa.types.is_boolean(kind):
            columns.append(column.cast(pa.int8()).cast(pa.float64()))
        elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
            columns.append(column.cast(pa.float64()))
        else:
            texts = ["" if value is None else str(value) for value in column.to_pylist()]
            columns.append(pa.chunked_array([pa.array(texts, pa.string())]))
    return pa.Table.from_arrays(columns, names=table.schema.names)


def _variable_names(names: Sequence[str]) -> list[str]:
    """Names that SPSS allows: letters, digits and underscores after a letter, each once whatever its case.

    Examples:
        >>> _variable_names(["AU12", "a b", "A_B", "1st"])
        ['AU12', 'a_b', 'A_B_2', 'v_1st']
    """
    taken: set[str] = set()
    found = []
    for name in names:
        plain = re.sub(r"\W", "_", name)[:_MAX_NAME]
        plain = plain if plain[:1].isalpha() and plain.casefold() not in _RESERVED else f"v_{plain}"
        free = next(each for n in count(1) if (each := plain if n == 1 else f"{plain}_{n}").casefold() not in taken)
        taken.add(free.casefold())
        found.append(free)
    return found

# SPDX-License-Identifier: Apache-2.0
"""Tables as Excel workbooks, row by row."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa

from mien.core import InputError, MissingExtraError
from mien.results.files import atomic_write, output_errors
from mien.results.tables.schema import describe_columns

_MAX_ROWS = 1_048_576 - 1  # of a sheet, its header aside
_ABOUT = ("column", "unit", "range", "meaning")


def write_xlsx(path: Path, pieces: Iterable[pa.Table]) -> int:
    """Writes a table as a workbook: a sheet with the rows and one that explains the columns.

    Text stays text, so that no name becomes a formula; unknown values are empty cells.

    Args:
        path: Path of the workbook, in an existing folder.
        pieces: Pieces of one schema, at least one; one piece is in memory at a time.

    Returns:
        Number of rows.

    Raises:
        MissingExtraError: The package XlsxWriter is not installed.
        InputError: The table has more rows than a sheet can have.
        OutputError: The place cannot be written.
    """
    try:
        import xlsxwriter
    except ImportError as error:
        raise MissingExtraError("xlsxwriter", "xlsx") from error
    left = iter(pieces)
    first = next(left)
    n_rows = 0
    with output_errors(path, "choose a folder with room that you may write"), atomic_write(path) as file:
        book = xlsxwriter.Workbook(file, {"constant_memory": True, "nan_inf_to_errors": False})
        try:
            sheet = book.add_worksheet("rows")
            sheet.freeze_panes(1, 0)
            for column, name in enumerate(first.schema.names):
                sheet.write_string(0, column, name)
            for piece in chain([first], left):
                if n_rows + len(piece) > _MAX_ROWS:
                    raise InputError(
                        f"{path}: a sheet holds {_MAX_ROWS:,} rows, the table has more; write a CSV or Parquet"
                    )
                for row in zip(*(column.to_pylist() for column in piece.columns), strict=True):
                    n_rows += 1
                    for column, value in enumerate(row):
                        _write(sheet, n_rows, column, value)
            about = book.add_worksheet("columns")
            texts = ((one.name, one.unit, one.range, one.meaning) for one in describe_columns(first.schema))
            for number, values in enumerate(chain([_ABOUT], texts)):
                for column, text in enumerate(values):
                    about.write_string(number, column, text)
        finally:
            book.close()  # also after an error: it holds a file of its own
    return n_rows


def _write(sheet: Any, row: int, column: int, value: Any) -> None:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, (int, float)):
        sheet.write_number(row, column, value)
    else:
        sheet.write_string(row, column, str(value))

# SPDX-License-Identifier: Apache-2.0
"""A whole table to a file in one step, for results that are not written row by row."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from mien.results.durable import durable_file, output_errors
from mien.results.formats import format_of, write_batches


def save_table(path: Path, table: pa.Table) -> None:
    """Write a table; an older file of that name stays until the new one is complete. Missing folders are created.

    Args:
        path: the file; its ending chooses the format.
        table: columns of plain types.

    Raises:
        ConfigError: the ending is unknown.
        OutputError: the place cannot be written.
    """
    format_name = format_of(path)
    with output_errors(path, "choose a folder with room that you may write"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with durable_file(path) as file:
            write_batches(file, format_name, table.schema, table.to_batches())

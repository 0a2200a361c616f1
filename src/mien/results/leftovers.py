# SPDX-License-Identifier: Apache-2.0
"""What to do with the rows of a run that was killed: count them, make them a table, or delete them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from mien.results.formats import format_of, write_batches
from mien.results.parts import PartsScan, PartsStore, parts_folder, scan_parts


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """The outcome of `recover`.

    Attributes:
        path: the table that now holds the rows; None if there were none.
        n_rows: rows in it.
        messages: one sentence per damaged part that had to be left out, for the user.
    """

    path: Path | None = None
    n_rows: int = 0
    messages: tuple[str, ...] = ()


def leftover_rows(path: str | Path) -> int:
    """Rows that a killed run left for a table and that are in no table yet. Rows of a run in progress count too.

    Args:
        path: the table that the run was writing.

    Raises:
        OutputError: they cannot be read.
    """
    return scan_parts(Path(path)).n_rows


def recover(path: str | Path) -> Recovery:
    """Makes the rows that a killed run left a valid table of their own.

    They take the name that the run was writing to if it is free, else ``<name>.recovered<ending>`` (then
    ``<name>.recovered-2<ending>`` and so on): an existing table is never replaced.

    Args:
        path: the table that the run was writing.

    Raises:
        ConfigError: the ending is unknown.
        OutputError: the table cannot be written (the rows are kept), or its run is still going on.
    """
    table = Path(path)
    format_of(table)
    if not parts_folder(table).is_dir():
        return Recovery()
    store = PartsStore(table)
    try:
        recovery = recover_from(store, scan_parts(table), aside=False)
        store.dissolve()
    finally:
        store.release()
    return recovery


def recover_from(store: PartsStore, found: PartsScan, *, aside: bool) -> Recovery:
    """Makes a table of the parts that were found; the store stays open and is empty afterwards.

    Args:
        store: the parts.
        found: what is in them.
        aside: leave the table's own name free, as someone is about to write it.
    """
    target = None
    if found.n_rows:
        target = _free_name(store.table, aside=aside)

        def encode(file: BinaryIO, batches: Iterator[pa.RecordBatch]) -> None:
            write_batches(file, format_of(store.table), found.schema, batches)

        store.publish(target, store.batches(found.parts), encode)
    store.clear()
    return Recovery(path=target, n_rows=found.n_rows, messages=found.messages)


def discard_leftovers(path: str | Path) -> int:
    """Deletes the rows that a killed run left for a table.

    Args:
        path: the table that the run was writing.

    Returns:
        How many rows were deleted.

    Raises:
        OutputError: they cannot be deleted, or the run is still going on.
    """
    table = Path(path)
    if not parts_folder(table).is_dir():
        return 0
    store = PartsStore(table)
    try:
        n_rows = scan_parts(table).n_rows
        store.dissolve()
    finally:
        store.release()
    return n_rows


def _free_name(table: Path, *, aside: bool) -> Path:
    if not aside and not table.exists():
        return table
    tags = ("recovered" if n == 1 else f"recovered-{n}" for n in count(1))
    names = (table.with_name(f"{table.stem}.{tag}{table.suffix}") for tag in tags)
    return next(name for name in names if not name.exists())

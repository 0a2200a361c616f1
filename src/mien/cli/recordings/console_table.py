# SPDX-License-Identifier: Apache-2.0
"""Prints affect tables on the terminal, and as JSON Lines on standard output."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mien.core import printable
from mien.results import action_unit_columns, presence_thresholds
from mien.results.tables import arrow_compute as pc

_MAX_ROWS = 60
_UNLIMITED = 1000


def print_faces(table: pa.Table, photos: Collection[str]) -> None:
    """Prints one line per face of the photos in a table: number, expression, valence, arousal, present action units.

    Args:
        table: Affect table.
        photos: Names of the sources that are photos.
    """
    table = table.filter(pc.is_in(table["source"], value_set=pa.array(sorted(photos), pa.string())))
    if not table.num_rows:
        return
    shown = Table(box=None, pad_edge=False)
    for name in ("photo", "face", "expression", "", "valence", "arousal", "quality", "action units"):
        shown.add_column(name, overflow="fold" if name in ("photo", "action units") else "ellipsis")
    units = presence_thresholds(table.schema)
    rows = table.slice(0, _MAX_ROWS).to_pylist()
    before = None
    for row in rows:
        source = "" if row["source"] == before else printable(row["source"])
        before = row["source"]
        if not row["success"]:
            shown.add_row(Text(source), "-", "no face")
            continue
        top = row["expression"]
        present = [unit for unit, threshold in units.items() if (row[unit] or 0.0) >= threshold]
        shown.add_row(
            Text(source),
            str(row["face"]),
            top or "-",
            _number(row.get(f"expression_{top}")),
            _number(row["valence"], "+.2f"),
            _number(row["arousal"], "+.2f"),
            _number(row["quality"]),
            " ".join(present) if action_unit_columns(table.schema) else "-",
        )
    # A file or a program gets whole lines.
    Console(width=None if sys.stdout.isatty() else _UNLIMITED).print(shown)
    if table.num_rows > len(rows):
        click.echo(f"and {table.num_rows - len(rows)} more rows; write them to a table with --out")


def print_lines(path: Path) -> None:
    """Writes a file of JSON Lines to standard output.

    Args:
        path: Path of the file.
    """
    out = sys.stdout.buffer
    with path.open("rb") as file:
        shutil.copyfileobj(file, out)
    out.flush()


def _number(value: Any, form: str = ".2f") -> str:
    return "-" if value is None else format(value, form)

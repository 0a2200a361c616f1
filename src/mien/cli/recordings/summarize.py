# SPDX-License-Identifier: Apache-2.0
"""The command ``mien summarize``, and a summary as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from mien.cli.field_options import private_option, smooth_option
from mien.cli.main import result_code, say
from mien.core import distinct_names, printable

_MAX_LINES = 60
_MAX_NAME = 200
_TOP_EXPRESSIONS = 3
_TOP_UNITS = 3
_LEAST_SHARE = 0.05


def summary_view(windows: pa.Table, *, windowed: bool) -> Table:
    """The first lines of a summary as a table for the terminal.

    Args:
        windows: Table of windows of a `mien.results.Summary`.
        windowed: Whether there may be several windows, so that the table shows their times.
    """
    hidden = windows.num_rows - _MAX_LINES
    caption = f"{hidden} more lines: --out FILE writes all of them" if hidden > 0 else None
    view = Table(caption=caption, header_style="bold", pad_edge=False, box=SIMPLE_HEAD)
    view.add_column("source", overflow="fold", min_width=12)
    view.add_column("face", no_wrap=True)
    if windowed:
        view.add_column("seconds", justify="right", no_wrap=True)
    for name in ("frames", "coverage", "valence", "arousal"):
        view.add_column(name, justify="right", no_wrap=True)
    view.add_column("expressions, share of time")
    view.add_column("action units, base rate (events)")
    previous = None
    rows = windows.slice(0, _MAX_LINES).to_pylist()
    names = distinct_names([row["source"] for row in rows])
    for row in rows:
        source = "" if row["source"] == previous else printable(names[row["source"]], limit=_MAX_NAME)
        previous = row["source"]
        cells = [source, _face(row)]
        if windowed:
            cells.append(f"{row['start_s']:g} - {row['end_s']:.4g}")
        cells += [
            str(row["n_frames"]),
            _percent(row["coverage"]),
            _spread(row, "valence"),
            _spread(row, "arousal"),
            _expressions(row),
            _units(row),
        ]
        view.add_row(*map(Text, map(printable, cells)))  # plain text: file names may look like rich's markup
    return view


def _face(row: Mapping[str, Any]) -> str:
    if row["scope"] == "track":
        return f"track {row['track_id']}"
    return str({"source": "all faces", "person": row["person"]}.get(row["scope"], row["scope"]))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _spread(row: Mapping[str, Any], name: str) -> str:
    mean, sd = row[f"{name}_mean"], row[f"{name}_sd"]
    if mean is None:
        return "-"
    return f"{mean:+.2f}" if sd is None else f"{mean:+.2f} ±{sd:.2f}"


def _expressions(row: Mapping[str, Any]) -> str:
    shares = _largest(row, "_share", _TOP_EXPRESSIONS)
    return ", ".join(f"{name.removeprefix('expression_')} {share:.0%}" for name, share in shares) or "-"


def _units(row: Mapping[str, Any]) -> str:
    texts = []
    for name, rate in _largest(row, "_rate", _TOP_UNITS):
        n_events = row[f"{name}_events"]
        texts.append(f"{name} {rate:.0%}" + ("" if n_events is None else f" ({n_events})"))
    return ", ".join(texts) or "-"


def _largest(row: Mapping[str, Any], ending: str, n: int) -> list[tuple[str, float]]:
    found = [
        (name.removesuffix(ending), value)
        for name, value in row.items()
        if name.endswith(ending) and value is not None and value >= _LEAST_SHARE
    ]
    return sorted(found, key=lambda each: -each[1])[:n]


@click.command(short_help="Coverage, means, shares, base rates and events of tables.")
@click.argument("tables", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="TABLE...")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="New table with every value: a row per source, face and time window (.csv, .parquet, .jsonl).",
)
@click.option(
    "--events",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="New table with onset, offset, peak and duration of every event of an action unit or expression.",
)
@click.option(
    "--transitions",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="New table with the number of changes from each expression to each other one.",
)
@click.option(
    "--window",
    "window_s",
    type=float,
    metavar="SECONDS",
    help="Length of the time windows in seconds. [default: one window over everything]",
)
@smooth_option("before they are summarised")
@private_option
def summarize(
    tables: tuple[Path, ...],
    out: Path | None,
    events: Path | None,
    transitions: Path | None,
    window_s: float | None,
    smooth: str,
) -> int:
    """Summarise affect tables, or the folders that analyze wrote, per file, face and time window.

    The terminal shows the essentials; --out writes every value. Shares are shares of time, not of rows.
    docs/reference/summaries.md defines every column.
    """
    from rich.console import Console

    from mien.pipeline import summarize_files

    result = summarize_files(tables, out=out, events=events, transitions=transitions, window_s=window_s, smooth=smooth)
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)  # a pipe has no edge that would cut names
    if result.summary.windows.num_rows:
        console.print(summary_view(result.summary.windows, windowed=window_s is not None))
    for note in result.notes:
        say(note, err=True)
    for failure in result.failures:
        say(f"failed: {failure.reason}", err=True)
    for path in result.written:
        say(f"wrote {path}", err=True)
    return result_code(any_done=result.n_summarized > 0, complete=not result.failures)

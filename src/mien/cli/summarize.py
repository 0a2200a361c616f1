# SPDX-License-Identifier: Apache-2.0
"""``mien summarize``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Coverage, means, shares, base rates and events of tables.")
@click.argument("tables", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="TABLE...")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Every number: a row per source, face and window (.csv, .parquet, .jsonl).",
)
@click.option(
    "--events",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Onset, offset, peak and duration of every event of an action unit or expression.",
)
@click.option(
    "--transitions",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="How often which expression gave way to which.",
)
@click.option("--window", "window_s", type=float, metavar="SECONDS", help="A row per so many seconds. [default: all]")
def summarize(
    tables: tuple[Path, ...], out: Path | None, events: Path | None, transitions: Path | None, window_s: float | None
) -> int:
    """Say in short what affect tables hold: per file, face and time window.

    The terminal shows the essentials; --out has every number. Shares are of time, not of rows. docs/summaries.md
    defines each of them.
    """
    from rich.console import Console

    from mien.cli.summary_view import summary_view
    from mien.pipeline.summarize import summarize_files

    result = summarize_files(tables, out=out, events=events, transitions=transitions, window_s=window_s)
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)  # a pipe has no edge at which names would have to be cut
    if result.summary.windows.num_rows:
        console.print(summary_view(result.summary.windows, windowed=window_s is not None))
    for failure in result.failures:
        click.echo(f"failed: {failure.reason}", err=True)
    for path in result.written:
        click.echo(f"wrote {path}", err=True)
    return result.exit_code

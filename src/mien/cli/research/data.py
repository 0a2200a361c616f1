# SPDX-License-Identifier: Apache-2.0
"""``mien data``: lists the data sets, and checks a copy of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.main import safe_json, say
from mien.core import counted

if TYPE_CHECKING:
    from mien.datasets import CheckReport, SplitCounts

_MOST_PROBLEMS = 50


@click.group(invoke_without_command=True, short_help="List the data sets that mien reads, or check a copy of one.")
@click.pass_context
def data(ctx: click.Context) -> None:
    """List the data sets that mien reads; ``mien data check NAME PATH`` checks whether a copy is complete."""
    if ctx.invoked_subcommand is not None:
        return
    from mien.datasets import DATASETS

    for name in DATASETS:
        record = DATASETS[name]
        say(f"{name}  {record.title}; owner: {record.owner}")


@data.command(short_help="Check that a data set folder is complete and well formed.")
@click.argument("name")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON with every count and every problem.")
def check(name: str, path: Path, as_json: bool) -> int:
    """Read the data set NAME in the folder PATH; count what is there and name what is missing or malformed.

    \b
    Exit codes: 0 complete and well formed; 1 something is missing or malformed;
    2 unknown name; 3 no such folder.
    """  # noqa: D301 - \b is click's mark for text that it must not rewrap
    from mien.datasets import check_dataset

    report = check_dataset(name, path)
    if as_json:
        click.echo(safe_json(report.to_json()))
    else:
        _print(report)
    return 0 if report.complete else 1


def _print(report: CheckReport) -> None:
    from mien.datasets import DATASETS

    for split, counts in report.splits.items():
        say(f"{split}: {_counted(counts)}")
        if counts.classes:
            say("  " + ", ".join(f"{label} {n}" for label, n in counts.classes.items()))
    for note in report.notes:
        say(f"note: {note}")
    for problem in report.problems[:_MOST_PROBLEMS]:
        say(f"problem: {problem}")
    hidden = len(report.problems) - _MOST_PROBLEMS
    if hidden > 0:
        say(f"... and {hidden} more; --json lists all")
    not_read = [split for split in DATASETS[report.name].optional_splits if split not in report.splits]
    verdict = "complete and well formed" if report.complete else counted(len(report.problems), "problem")
    if report.complete and not_read:
        verdict += f"; not read: {', '.join(not_read)}"
    say(f"{report.name} in {report.folder}: {verdict}")


def _counted(counts: SplitCounts) -> str:
    parts = [f"{counts.n_rows} rows"]
    if counts.n_tracks != counts.n_rows:
        parts.append(f"{counts.n_tracks} tracks")
    if counts.n_media is not None:
        parts.append(f"{counts.n_media} with image or video")
    parts += [f"{n} valid for {task}" for task, n in counts.valid.items()]
    return ", ".join(parts)

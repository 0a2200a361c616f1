# SPDX-License-Identifier: Apache-2.0
"""The command ``mien convert``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mien.cli.field_options import private_option
from mien.cli.main import say

# OpenFace's own flags.
_GROUPS = {
    "2Dfp": "OpenFace's columns of 2-D landmarks (where the table has 68).",
    "3Dfp": "OpenFace's columns of 3-D landmarks, which stay empty.",
    "pdmparams": "OpenFace's columns of shape parameters, which stay empty.",
    "pose": "OpenFace's columns of head pose; the position stays empty.",
    "aus": "OpenFace's columns of action units.",
    "gaze": "OpenFace's columns of gaze and eyes, which stay empty.",
}


def _group_flags(function: Callable[..., Any]) -> Callable[..., Any]:
    for name, text in reversed(_GROUPS.items()):
        function = click.option(f"--{name}", _parameter(name), is_flag=True, help=text)(function)
    return function


def _parameter(group: str) -> str:
    return f"group_{group.lower()}"


@click.command(short_help="A table for other programs: CSV, Excel, SPSS, OpenFace, ELAN.")
@click.argument("table", type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Path of the new file; for OpenFace's columns and ELAN also a folder.",
)
@click.option(
    "--to",
    type=click.Choice(["mien", "openface", "elan"]),
    help="Content of the new file: mien's columns (.parquet, .csv, .jsonl, .xlsx, .sav), OpenFace's, or the events as "
    "annotations of ELAN (.eaf).  [default: by the ending]",
)
@click.option(
    "--faces",
    default="all",
    show_default=True,
    metavar="WHICH",
    help="Faces to keep: all, largest, track=ID or person=NAME.",
)
@_group_flags
@private_option
def convert(table: Path, out: Path, to: str | None, faces: str, **flags: bool) -> None:
    """Write TABLE, mien's or an OpenFace CSV (2.0 to 2.2), in another format, or the rows of one person in it.

    TABLE may be the folder that analyze wrote: its tables become one. With --faces every frame keeps one row. All of
    OpenFace's columns are written, as by OpenFace itself, unless its flags (--aus, --pose ...) choose some. Columns
    that mien has no values for stay empty; a file beside the CSV (.about.json) lists them.
    """
    from mien.pipeline import convert_file, convert_to_elan, convert_to_openface

    if to is None:
        to = "elan" if out.suffix.lower() == ".eaf" else "mien"
    groups = [name for name in _GROUPS if flags[_parameter(name)]]
    if to == "openface":
        done = convert_to_openface(table, out, groups=groups, faces=faces)
    elif groups:
        raise click.UsageError("flags of OpenFace's columns go with --to openface")
    elif to == "elan":
        if faces != "all":
            raise click.UsageError("--faces chooses rows, and ELAN gets the events of every face; leave it out")
        done = convert_to_elan(table, out)
    else:
        done = convert_file(table, out, faces=faces)
    for message in done.messages:
        say(f"note: {message}", err=True)
    for file in done.files:
        say(f"wrote {file}")

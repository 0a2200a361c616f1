# SPDX-License-Identifier: Apache-2.0
"""``mien convert``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

# OpenFace's own flags.
_GROUPS = {
    "2Dfp": "OpenFace: 2-D landmarks (where the table has 68).",
    "3Dfp": "OpenFace: 3-D landmarks, which stay empty.",
    "pdmparams": "OpenFace: shape parameters, which stay empty.",
    "pose": "OpenFace: head pose; its position stays empty.",
    "aus": "OpenFace: action units.",
    "gaze": "OpenFace: gaze and eyes, which stay empty.",
}


def _group_flags(function: Callable[..., Any]) -> Callable[..., Any]:
    for name, text in reversed(_GROUPS.items()):
        function = click.option(f"--{name}", _parameter(name), is_flag=True, help=text)(function)
    return function


def _parameter(group: str) -> str:
    return f"group_{group.lower()}"


@click.command(short_help="A table in another format, or in OpenFace's columns.")
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The new file; for OpenFace or a folder.")
@click.option(
    "--to",
    type=click.Choice(["mien", "openface"]),
    default="mien",
    show_default=True,
    help="mien: the ending chooses .parquet, .csv or .jsonl.",
)
@click.option("--faces", default="all", show_default=True, metavar="WHICH", help="largest, track=ID or person=NAME.")
@_group_flags
def convert(table: Path, out: Path, to: str, faces: str, **flags: bool) -> None:
    """Write TABLE, mien's or an OpenFace CSV (2.0 to 2.2), in another format, or one person's rows of it.

    With --faces every frame keeps one row. OpenFace's columns come all, as from OpenFace itself, unless its flags
    (--aus, --pose ...) choose some. What mien does not measure stays empty; a file beside it (.about.json) says what.
    """
    from mien.pipeline.postprocessing.convert import convert_file, convert_to_openface

    groups = [name for name in _GROUPS if flags[_parameter(name)]]
    if to == "openface":
        done = convert_to_openface(table, out, groups=groups, faces=faces)
    elif groups:
        raise click.UsageError("flags of OpenFace's columns go with --to openface")
    else:
        done = convert_file(table, out, faces=faces)
    for message in done.messages:
        click.echo(f"note: {message}", err=True)
    for file in done.files:
        click.echo(f"wrote {file}")

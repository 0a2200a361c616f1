# SPDX-License-Identifier: Apache-2.0
"""The command ``mien report``."""

from __future__ import annotations

from pathlib import Path

import click

from mien.cli.field_options import private_option, smooth_option
from mien.cli.main import say


@click.command(short_help="A page with timelines, key frames and a summary of tables.")
@click.argument("tables", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="TABLE...")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FILE.html", help="Path of the page.")
@click.option(
    "--video",
    "videos",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE|FOLDER",
    help="Analysed file, or folder with analysed files, outside the table's own folder. May be repeated.",
)
@click.option("--no-frames", is_flag=True, help="Leave out all images of faces.")
@click.option(
    "--playback",
    type=click.Choice(["embed", "link"]),
    help="Play the analysed videos beside the timelines: embed them (up to 64 MB), or link them where they are.",
)
@smooth_option("before they are shown")
@private_option
def report(
    tables: tuple[Path, ...],
    out: Path,
    videos: tuple[Path, ...],
    smooth: str,
    *,
    no_frames: bool,
    playback: str | None,
) -> None:
    """Write one page that shows affect tables in any browser, offline: timelines to zoom, key frames, a summary.

    The page holds everything and loads nothing, but for videos that --playback link names. Images of faces and videos
    come from the analysed files where these are in the folder of their table or named by --video; --no-frames leaves
    them out.
    """
    from mien.pipeline import write_report

    for note in write_report(tables, out, videos=videos, frames=not no_frames, playback=playback, smooth=smooth):
        say(f"note: {note}", err=True)
    say(f"wrote {out}", err=True)

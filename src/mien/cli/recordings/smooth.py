# SPDX-License-Identifier: Apache-2.0
"""The command ``mien smooth``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.field_options import private_option
from mien.cli.main import say

if TYPE_CHECKING:
    from mien.affect import Kernel, Window


@click.command(short_help="Smooth a table of affect over time.")
@click.argument("table", type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Path of the new table (.parquet, .csv, .jsonl)."
)
@click.option(
    "--expr",
    default="0",
    metavar="D",
    show_default=True,
    help="Half-width for expressions, in frames, or in seconds such as 0.4s; 0 for no smoothing.",
)
@click.option(
    "--va",
    default="0",
    metavar="D",
    show_default=True,
    help="Half-width for valence and arousal, in frames, or in seconds such as 0.4s.",
)
@click.option(
    "--au",
    default="0",
    metavar="D",
    show_default=True,
    help="Half-width for action units, in frames, or in seconds such as 0.4s.",
)
@click.option(
    "--kernel",
    type=click.Choice(["mean", "median", "gaussian"]),
    default="mean",
    show_default=True,
    help="Weights of the frames.",
)
@click.option(
    "--sigma",
    type=float,
    default=1e5,
    show_default=True,
    help="Width of the gaussian kernel, in frames squared, or in milliseconds squared beside half-widths in seconds.",
)
@click.option(
    "--window",
    type=click.Choice(["frames", "rows"]),
    help="What half-widths without s count: frames of the video (default), or rows of the track (lists of frames).",
)
@click.option("--causal", is_flag=True, help="Use the frame itself and earlier frames only.")
@click.option(
    "--baseline",
    type=click.Choice(["person"]),
    help="Subtract each person's own face at rest from action units, valence and arousal.",
)
@private_option
def smooth(
    table: Path,
    out: Path,
    expr: str,
    va: str,
    au: str,
    kernel: Kernel,
    sigma: float,
    window: Window | None,
    *,
    causal: bool,
    baseline: str | None,
) -> None:
    """Smooth every track of an affect table on its own, and decide the top expression again.

    TABLE may be the folder that analyze wrote: its tables become one.

    Good half-widths for videos: --expr 50 --va 50 --au 3; a light filter at any frame rate: --expr 0.2s --va 0.2s.
    Frames in which a face was lost are interpolated; no row is added for them. --baseline person works with or without
    smoothing: it subtracts the median of the neutral-looking frames of each person, or of each track without a person.
    """
    from mien.affect import Smoothing
    from mien.pipeline import calibrate_file, json_text_notes, smooth_file

    named = "" if window is None else f",window={window}"
    text = f"expr={expr},va={va},au={au},kernel={kernel},sigma={sigma},causal={str(causal).lower()}{named}"
    settings = Smoothing.parse(text)
    if baseline is not None:
        done = calibrate_file(table, out, settings)
        for source, name, n_neutral in done.untouched:
            say(
                f"note: {source}: {name} looks neutral in {n_neutral} frames, too few; its values stay as they were",
                err=True,
            )
        result = f"baseline of {len(done.calibrated)} subtracted"
    else:
        result = f"{smooth_file(table, out, settings)} tracks smoothed"
    for note in json_text_notes(table, out):
        say(f"note: {note}", err=True)
    say(f"wrote {out}: {result}")

# SPDX-License-Identifier: Apache-2.0
"""The command ``mien compound``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.field_options import private_option
from mien.cli.main import say
from mien.core import MAX_STRIDE

if TYPE_CHECKING:
    from mien.affect import CompoundMean


@click.command(short_help="Compound expressions of a table of affect, zero-shot.")
@click.argument("table", type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Path of the new table (.parquet, .csv, .jsonl)."
)
@click.option(
    "--half-width",
    type=click.IntRange(0, MAX_STRIDE),
    default=50,
    show_default=True,
    metavar="D",
    help="Half-width of the box mean over time, in frames; 0 for none.",
)
@click.option(
    "--mean",
    type=click.Choice(["arithmetic", "geometric", "harmonic"]),
    default="arithmetic",
    show_default=True,
    help="Mean of the probabilities of the two basic expressions.",
)
@private_option
def compound(table: Path, out: Path, half_width: int, mean: CompoundMean) -> None:
    """Write the compound expression of every frame of an affect table: fearfully surprised, sadly angry and so on.

    Zero-shot: the mean of the probabilities of two basic expressions, of the strongest face of each frame, smoothed
    over time. No compound expression was in the training data. The column compound has one of the seven in each frame;
    compound_or_none says "none of these" where the two together have less than half of the probability.
    """
    from mien.pipeline import compound_file

    n_frames, n_empty = compound_file(table, out, half_width=half_width, mean=mean)
    say(
        f"wrote {out}: {n_frames} frames"
        + (f", {n_empty} of sources in which no face has expressions" if n_empty else "")
    )

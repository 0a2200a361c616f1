# SPDX-License-Identifier: Apache-2.0
"""``mien train``."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from mien.core import MissingExtraError


@click.command(short_help="Train a recipe and write a measured bundle (extra: train).")
@click.argument("recipe")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of the data sets.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the new bundle.")
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    help="Folder for checkpoints; an interrupted training goes on from there. [default: OUT.work]",
)
@click.option("--threads", type=click.IntRange(min=1), help="Of torch. [default: torch's]")
def train(recipe: str, data: Path, out: Path, work: Path | None, threads: int | None) -> None:
    """Train RECIPE (a name or a TOML file), calibrate, export with a parity check, and measure."""
    try:
        from mien.training.recipe import load_recipe
        from mien.training.run import train_bundle
    except ModuleNotFoundError as error:
        package = (error.name or "torch").partition(".")[0]
        if package == "mien":
            raise  # a part of mien itself is missing, which no extra brings
        raise MissingExtraError(package, "train") from error
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    spec = train_bundle(load_recipe(recipe), data, out, work or out.with_name(out.name + ".work"), threads)
    for figure in spec.figures:
        click.echo(f"{figure.data}, {figure.measure}: {figure.value:.4f} [{figure.low:.4f}, {figure.high:.4f}]")

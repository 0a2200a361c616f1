# SPDX-License-Identifier: Apache-2.0
"""``mien train``."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

import click

from mien.core import HeadSpec, MissingExtraError, ModelSpec


@click.command(short_help="Train a recipe and write a measured bundle (extra: train).")
@click.argument("recipe")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of the data sets.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the new bundle.")
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    help="Folder for checkpoints; an interrupted training goes on from there. [default: OUT.work]",
)
@click.option("--model", help="Of a head: what made its vectors, a name or folder. [default: the shards' own]")
@click.option("--refit", is_flag=True, help="Learn from training and validation sets, for the recipe's refit epochs.")
@click.option("--seed", type=int, help="In place of the recipe's.")
@click.option("--cache", type=click.Path(path_type=Path), help="Folder of decoded pictures. [default: user's cache]")
@click.option("--threads", type=click.IntRange(min=1), help="Of torch. [default: torch's]")
@click.option("--accelerator", type=click.Choice(["cpu", "gpu", "mps", "auto"]), default="cpu", show_default=True)
@click.option("--devices", type=click.IntRange(min=1), default=1, show_default=True, help="One process each.")
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), default="fp32", show_default=True)
def train(
    recipe: str,
    data: Path,
    out: Path,
    work: Path | None,
    model: str | None,
    seed: int | None,
    *,
    refit: bool,
    **compute: Any,
) -> None:
    """Train RECIPE (a name or a TOML file), calibrate, export with a parity check, and measure.

    A recipe of stored vectors (mien features writes them) trains a head; with the frozen net that made the vectors it
    becomes one bundle.
    """
    try:
        from mien.training.head_training import train_head
        from mien.training.landmark_training import train_points
        from mien.training.recipes.landmark_recipe import is_points_recipe, load_points_recipe
        from mien.training.recipes.recipe import load_recipe
        from mien.training.run import ComputeSettings, train_bundle
    except ModuleNotFoundError as error:
        package = (error.name or "torch").partition(".")[0]
        if package == "mien":
            raise  # a part of mien itself is missing, which no extra brings
        raise MissingExtraError(package, "train") from error
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("mien").setLevel(logging.INFO)
    folder = work or out.with_name(out.name + ".work")
    if is_points_recipe(recipe):
        ignored = _not_for_points(compute, refit=refit, model=model)
        if ignored:
            raise click.UsageError(f"{recipe} trains on the CPU with its own data; leave out {', '.join(ignored)}")
        points = load_points_recipe(recipe)
        points = points if seed is None else dataclasses.replace(points, seed=seed)
        _tell(train_points(points, data, out, folder, threads=compute["threads"], cache=compute["cache"]), out)
        return
    chosen = load_recipe(recipe)
    if seed is not None:
        chosen = dataclasses.replace(chosen, seed=seed)
    if refit:
        chosen = chosen.refit()
    if chosen.model.vectors:
        made = train_head(chosen, data, out, folder, ComputeSettings(**compute), model)
    elif model:
        raise click.UsageError(f"{chosen.name} learns from pictures; --model is for heads on stored vectors")
    else:
        made = train_bundle(chosen, data, out, folder, ComputeSettings(**compute))
    if made is not None:
        _tell(made, out)


def _not_for_points(compute: dict[str, Any], *, refit: bool, model: str | None) -> list[str]:
    """Options that were given and that the training of a landmark net does not have."""
    given = {
        "--refit": refit,
        "--model": model is not None,
        "--devices": compute["devices"] != 1,
        "--precision": compute["precision"] != "fp32",
        "--accelerator": compute["accelerator"] != "cpu",
    }
    return [name for name, is_given in given.items() if is_given]


def _tell(made: ModelSpec | HeadSpec, out: Path) -> None:
    click.echo(f"{made.name} in {out}: {made.provenance}")
    for metric in made.metrics if isinstance(made, ModelSpec) else ():
        click.echo(f"{metric.data}, {metric.name}: {metric.value:.4f} [{metric.low:.4f}, {metric.high:.4f}]")

# SPDX-License-Identifier: Apache-2.0
"""``mien train``."""

from __future__ import annotations

import logging
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.cli.main import say
from mien.core import MAX_SEED, MAX_THREADS, MAX_WORKERS, ConfigError, HeadSpec

if TYPE_CHECKING:
    from mien.training import Trained


@click.command(short_help="Train a recipe and write an evaluated bundle (extra: train).")
@click.argument("recipe")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of the data sets.")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder of the new bundle, head or start weights."
)
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    help="Folder for checkpoints; an interrupted training resumes from there. [default: OUT.work]",
)
@click.option(
    "--model",
    help="Name or folder of the bundle that made the stored vectors of a head. [default: the name in the shards]",
)
@click.option(
    "--set",
    "changed",
    multiple=True,
    metavar="KEY=VALUE",
    help="Value of a key in place of the recipe's, such as stages.*.epochs=1; may be repeated. * is every entry of a "
    "list, a number one of them; a value is written as in TOML.",
)
@click.option("--refit", is_flag=True, help="Train on training and validation sets, for the recipe's refit epochs.")
@click.option("--seed", type=click.IntRange(0, MAX_SEED), help="Seed of everything random. [default: the recipe's]")
@click.option("--cache", type=click.Path(path_type=Path), help="Folder of decoded pictures. [default: user's cache]")
@click.option("--threads", type=click.IntRange(1, MAX_THREADS), help="Number of torch's threads. [default: torch's]")
@click.option(
    "--accelerator",
    type=click.Choice(["cpu", "gpu", "mps", "auto"]),
    default="cpu",
    show_default=True,
    help="Kind of the devices.",
)
@click.option(
    "--devices",
    type=click.IntRange(1, MAX_WORKERS),
    default=1,
    show_default=True,
    help="Number of devices, with one process each.",
)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "bf16"]),
    default="fp32",
    show_default=True,
    help="Precision of the computation; bf16 is mixed precision.",
)
def train(
    recipe: str,
    data: Path,
    out: Path,
    work: Path | None,
    model: str | None,
    seed: int | None,
    changed: tuple[str, ...],
    *,
    refit: bool,
    **compute: Any,
) -> None:
    """Train RECIPE (a name or a TOML file), calibrate, export with a parity check, and evaluate.

    A recipe of stored vectors (mien features writes them) trains a head; with the frozen network that made the vectors
    it becomes one bundle. A recipe of geometry (pls-geometry) fits landmarks, in minutes. A pretext over identities
    (identity-emotieffnet-b0) makes start weights for other recipes.
    """
    from mien.training import ComputeSettings, list_geometry_recipes, load_recipe
    from mien.training import train as train_recipe

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("mien").setLevel(logging.INFO)
    settings = ComputeSettings(**compute)
    if changed and recipe in list_geometry_recipes():
        raise ConfigError(f"{recipe} is a recipe of geometry; --set is for those of networks")
    chosen = load_recipe(recipe, dict(map(_change, changed))) if changed else recipe
    trained = train_recipe(chosen, data, out, settings, work=work, model=model, seed=seed, refit=refit)
    if trained is not None:
        _report(trained, out)


def _change(text: str) -> tuple[str, object]:
    """Key and value of ``--set``."""
    key, equals, written = text.partition("=")
    try:
        tables = tomllib.loads(f"value = {written}")
    except (RecursionError, tomllib.TOMLDecodeError):
        tables = {}
    if not key or not equals or set(tables) != {"value"}:
        raise ConfigError(f"--set {text}: write KEY=VALUE with a value as in TOML, such as model.start='\"scratch\"'")
    return key, tables["value"]


def _report(trained: Trained, out: Path) -> None:
    say(f"{trained.name} in {out}: {trained.provenance}")
    for metric in () if isinstance(trained, HeadSpec) else trained.metrics:
        say(f"{metric.data}, {metric.name}: {metric.value:.4f} [{metric.low:.4f}, {metric.high:.4f}]")

# SPDX-License-Identifier: Apache-2.0
"""``mien blend``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click


@click.command(short_help="Search the weights of several systems on labelled data.")
@click.argument("task")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of the data set.")
@click.option(
    "--predictions",
    "models",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    help="One system: a folder of affect tables (emi, eri: a file of answers). Give it twice or more.",
)
@click.option("--smooth", metavar="SETTINGS", help="Of the blend, such as expr=50,va=50,au=3.")
@click.option("--split", default="valid", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="JSON with every weight that was tried.")
def blend(task: str, data: Path, models: tuple[Path, ...], smooth: str | None, split: str, *, as_json: bool) -> None:
    """Search the weights of a blend of 2 or more systems for TASK (va, expr, au, mtl, emi, eri, ce).

    Weights go in steps of .1, for each part of mtl and each emotion of emi and eri on its own. For ce, which has no
    public labels, it lists the systems by how close their classes come to published frequencies.
    """
    from mien.affect import Smoothing
    from mien.evaluation.tuning import choose_compound_model, search_weights

    settings = Smoothing.of(smooth)
    if task == "ce":
        divergences = choose_compound_model(data, models, smoothing=settings)
        if as_json:
            click.echo(json.dumps(divergences, indent=1))
            return
        for name, divergence in divergences.items():
            click.echo(f"{name}  {divergence:.4f} nats from the published frequencies")
        return
    found = search_weights(task, data, models, split=split, smoothing=settings)
    if as_json:
        click.echo(json.dumps({name: asdict(search) for name, search in found.items()}, indent=1))
        return
    for name, search in found.items():
        alone = {weights.index(1.0): score for weights, score in search.tried if 1.0 in weights}
        singles = ", ".join(f"{alone[index]:.4f}" for index in range(len(models)))
        shares = ",".join(f"{weight:g}" for weight in search.weights)
        click.echo(f"{name}  {search.score:.4f} with {shares}  (each alone: {singles})")
    click.echo(f"chosen on the {split} rows that they are scored on; report it as such")
    if task not in ("emi", "eri"):
        options = " ".join(
            f"--weights {name}={','.join(f'{weight:g}' for weight in search.weights)}" for name, search in found.items()
        )
        click.echo(f"use them: mien submit or mien evaluate with the same --predictions and {options}")

# SPDX-License-Identifier: Apache-2.0
"""``mien blend``: searches the weights of a blend of models."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from mien.cli.main import say


@click.command(short_help="Search the weights of several models on labelled data.")
@click.argument("task", metavar="TASK")
@click.option("--data", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder of the data set.")
@click.option(
    "--predictions",
    "models",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Folder of affect tables of one model (emi, eri: file of predictions); give two or more.",
)
@click.option(
    "--smooth", metavar="SETTINGS", help="Half-widths in frames of the smoothing, such as expr=50,va=50,au=3."
)
@click.option("--split", default="valid", show_default=True, metavar="NAME", help="Split: train, valid or test.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON with every weight that was tried.")
def blend(task: str, data: Path, models: tuple[Path, ...], smooth: str | None, split: str, *, as_json: bool) -> None:
    """Search the weights of a blend of two or more models for TASK (va, expr, au, mtl, emi, eri, ce).

    Weights have steps of 0.1, for each task of mtl and each emotion of emi and eri on its own. For ce, which has no
    public labels, it lists the models by the distance of their class frequencies from the published ones.
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
            say(f"{name}  {divergence:.4f} nats from the published frequencies")
        return
    found = search_weights(task, data, models, split=split, smoothing=settings)
    if as_json:
        click.echo(json.dumps({name: asdict(search) for name, search in found.items()}, indent=1))
        return
    for name, search in found.items():
        alone = {weights.index(1.0): score for weights, score in search.tried if 1.0 in weights}
        singles = ", ".join(f"{alone[index]:.4f}" for index in range(len(models)))
        shares = ",".join(f"{weight:g}" for weight in search.weights)
        say(f"{name}  {search.score:.4f} with {shares}  (each alone: {singles})")
    say(f"chosen on the {split} rows that they are scored on; report it as such")
    for note in dict.fromkeys(search.note for search in found.values() if search.note):
        say(note)
    if task not in ("emi", "eri"):
        options = " ".join(
            f"--weights {name}={','.join(f'{weight:g}' for weight in search.weights)}" for name, search in found.items()
        )
        say(f"use them: mien submit or mien evaluate with the same --predictions and {options}")

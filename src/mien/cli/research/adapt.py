# SPDX-License-Identifier: Apache-2.0
"""The command ``mien adapt``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mien.cli.field_options import field_options, private_option
from mien.cli.main import say
from mien.core import AnalyzerConfig


@click.command(short_help="Correct a model for one person or one site from 5 to 50 faces.")
@click.option(
    "--examples",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="CSV with a column image and any of expression, valence, arousal, AU12 and the like; or a folder of images of "
    "neutral faces.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Overlay file to write (.json).")
@field_options(AnalyzerConfig, only=("model", "detector", "landmark_model", "threads"))
@private_option
def adapt(examples: Path, out: Path, **models: object) -> None:
    """Learn what a person or a site needs, and write it to an overlay file.

    Nothing is trained: logits get a bias and a temperature, valence and arousal an offset, each shrunk, and kept as far
    as leaving examples out shows a gain that is no chance. The overlay belongs to the weights of its bundle and holds
    neither images nor names. Use it with --adapt FILE, in analyze and live alike; leave the option out to go back.
    """
    from mien.affect import adapt as fit
    from mien.results import atomic_write, check_output, output_errors

    if out.suffix != ".json":
        raise click.UsageError(f"--out {out}: an overlay is a .json file")
    check_output("--out", out, {"--examples": examples})
    found = fit(AnalyzerConfig(**models), examples)  # type: ignore[arg-type]  # the options are its fields
    text = json.dumps(found.to_json(), indent=1) + "\n"
    with output_errors(out, "check that the folder may be written to"), atomic_write(out) as file:
        file.write(text.encode())
    for name, correction in found.tasks.items():
        moved = ", ".join(f"{label} {bias:+.2f}" for label, bias in correction.bias.items() if abs(bias) >= 0.005)
        temperature = "" if correction.temperature == 1 else f"; temperature {correction.temperature:g}"
        say(
            f"{name}: leave-one-out error {correction.error_before:.4f} without, {correction.error_after:.4f} with it; "
            f"{moved}{temperature}"
        )
    if not found.tasks:
        say("no correction shows less error on the examples that are left out: the overlay changes nothing")
    say(f"wrote {out}, from {found.n_examples} faces ({found.examples}), for {found.bundle} {found.sha256[:12]}")

# SPDX-License-Identifier: Apache-2.0
"""``mien submit``: writes or checks a challenge submission."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mien.cli.main import say
from mien.cli.research.blend_options import BlendCommand, blend_options, post_processing


@click.command(cls=BlendCommand, short_help="Write or check a challenge submission.")
@click.argument("task")
@click.option("--list", "list_path", required=True, type=click.Path(path_type=Path), help="Official list of rows.")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME",
    help="Bundle, or its folder, that runs on --crops; give one per model of a blend. [default: mien-light]",
)
@click.option(
    "--crops",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of official crops, <track>/00001.jpg, or of the data set.",
)
@click.option(
    "--predictions",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of affect tables (emi: of CSV files); give one per model of a blend.",
)
@blend_options
@click.option("--out", type=click.Path(path_type=Path), help="Submission to write.")
@click.option(
    "--validate", type=click.Path(path_type=Path), help="Finished submission to check, instead of writing one."
)
def submit(task: str, list_path: Path, out: Path | None, validate: Path | None, **given: Any) -> None:
    """Write the submission for TASK (va, expr, au, mtl, lsd, ce, emi), one row for each of the list, in its order.

    Frames without a face are interpolated from their neighbours. --validate checks header, order, number of rows,
    ranges and classes of a finished file, and names the first fault with its line.
    """
    from mien.evaluation import validate_submission, write_submission
    from mien.inference import find_bundle

    if validate is not None:
        if out or any(given.values()):
            raise click.UsageError("--validate only checks a file; leave out the options for writing one")
        n_rows = validate_submission(task, validate, list_path)
        say(f"{validate}: {n_rows} rows, valid for {task}")
        return
    predictions, heads, crops = given["predictions"], given["heads"], given["crops"]
    if out is None or not (predictions or crops or heads) or (given["models"] and not crops):
        raise click.UsageError(
            "give --predictions, or --crops and --model, or --head and --features, and --out to write a submission, "
            "or --validate to check one"
        )
    done = write_submission(
        task,
        [*map(find_bundle, given["models"]), *predictions, *heads] or None,
        list_path,
        out,
        crops=crops,
        features=given["features"],
        post_processing=post_processing(given),
    )
    for message in done.messages:
        say(f"note: {message}", err=True)
    if done.coverage is not None:
        say(f"coverage: {done.coverage}")
    filled = "" if heads else f", {done.n_filled} of them without a face"
    say(f"wrote {out}: {done.n_rows} rows{filled}")

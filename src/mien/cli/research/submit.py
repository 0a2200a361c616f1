# SPDX-License-Identifier: Apache-2.0
"""``mien submit``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Write or check a challenge submission.")
@click.argument("task")
@click.option("--list", "list_path", required=True, type=click.Path(path_type=Path), help="The official list of rows.")
@click.option(
    "--predictions",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder of affect tables (emi: of CSV files); one for each system of a blend.",
)
@click.option("--model", metavar="NAME", help="A bundle, or its folder, that looks at --crops; no tables then.")
@click.option("--crops", type=click.Path(path_type=Path), help="Folder of official crops: <track>/00001.jpg.")
@click.option("--head", "heads", multiple=True, type=click.Path(path_type=Path), help="Of whole clips; for each.")
@click.option("--features", multiple=True, type=click.Path(path_type=Path), help="What --head reads; for each folder.")
@click.option("--weights", multiple=True, metavar="TASK=W,...", help="Of the systems: va=.7,.3. [default: equal]")
@click.option("--out", type=click.Path(path_type=Path), help="The submission to write.")
@click.option("--validate", type=click.Path(path_type=Path), help="Check this finished submission instead.")
@click.option("--smooth", metavar="SETTINGS", help="expr=50,va=50,au=3, or bundle: what the bundle names.")
@click.option("--thresholds", metavar="P,...", help="12 probabilities, or bundle: those of the bundle. [default: .5]")
def submit(
    task: str,
    list_path: Path,
    predictions: tuple[Path, ...],
    model: str | None,
    crops: Path | None,
    heads: tuple[Path, ...],
    features: tuple[Path, ...],
    weights: tuple[str, ...],
    out: Path | None,
    validate: Path | None,
    smooth: str | None,
    thresholds: str | None,
) -> None:
    """Write the submission for TASK (va, expr, au, mtl, lsd, ce, emi), one row for each of the list, in its order.

    Frames without a face are filled in from their neighbours. A finished file is checked with --validate: header,
    order, count, ranges and classes; the first fault is named with its line.
    """
    from mien.cli.options import PostProcessing, clip_heads, weights_by_task
    from mien.evaluation.challenge.predictions import validate_predictions
    from mien.evaluation.challenge.submission_formats import submission_format
    from mien.evaluation.challenge.submissions import write_intensities, write_submission

    if validate is not None and (predictions or out or smooth or thresholds or weights or model or crops or heads):
        raise click.UsageError("--validate only checks a file; leave out the options for writing one")
    if validate is not None:
        n_rows = validate_predictions(submission_format(task), validate, list_path)
        click.echo(f"{validate}: {n_rows} rows, valid for {task}")
        return
    if out is None or sum(map(bool, (predictions, crops, heads))) != 1 or (model and not crops):
        raise click.UsageError(
            "give --predictions, or --crops and --model, or --head and --features, and --out to write a submission, "
            "or --validate to check one"
        )
    if heads:
        n_rows = write_intensities(task, clip_heads(task, heads, features, weights), list_path, out)
        click.echo(f"wrote {out}: {n_rows} rows")
        return
    post = PostProcessing.of(submission_format(task), smooth, thresholds, model, crops)
    done = write_submission(
        task,
        predictions or post.models,
        list_path,
        out,
        smoothing=post.smoothing,
        thresholds=post.thresholds,
        weights=weights_by_task(weights),
    )
    for message in done.messages:
        click.echo(f"note: {message}", err=True)
    click.echo(f"wrote {out}: {done.n_rows} rows, {done.n_filled} of them without a face")

# SPDX-License-Identifier: Apache-2.0
"""``mien evaluate``: measures a bundle or predictions by a named protocol."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.cli.main import say
from mien.cli.research.blend_options import BlendCommand, blend_options, post_processing

if TYPE_CHECKING:
    from mien.evaluation import PostProcessing, Report, TablePredictor


@click.command(cls=BlendCommand, short_help="Measure a bundle or predictions by a named protocol.")
@click.argument("protocol")
@click.option("--data", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder of the data set.")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME",
    help="Bundle, or its folder; give one per model of a blend. [default: mien-light; mien-points for landmarks]",
)
@click.option(
    "--predictions",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File of predictions in the challenge's format, or folder of affect tables; give one folder per model of a "
    "blend.",
)
@blend_options
@click.option("--search-thresholds", is_flag=True, help="Tune thresholds on the split, beside the F1 at 0.5 (au, mtl).")
@click.option(
    "--landmark-model", metavar="NAME", help="Landmark net of lfw-chain, or its folder. [default: mien-points]"
)
@click.option("--split", metavar="NAME", help="Split of the data set. [default: the protocol's own]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def evaluate(
    protocol: str,
    data: Path,
    split: str | None,
    landmark_model: str | None,
    *,
    search_thresholds: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Measure a bundle or predictions by PROTOCOL, with 95 % bootstrap intervals.

    \b
    An affect bundle on held-out faces: ferplus, ferplus-mtl, affect-detail,
    geometry, lfw, lfw-chain, flip-rate, au-teacher, au-ranks, au-rendered, fairness,
    reliability, uncertainty, quality
    A landmark net against its teacher, and on rendered faces: landmarks,
    landmarks-rendered
    Predictions or a bundle by the metric of a challenge, resampling whole
    videos: va, expr, au, mtl, lsd, ce, emi, eri, affectnet
    Predictions or a bundle on still images: rafdb, fer2013, ferplus-csv
    """  # noqa: D301 - \b is click's mark for text that it must not rewrap
    from mien.evaluation import evaluate as evaluate_protocol
    from mien.evaluation import search_thresholds_on
    from mien.inference import find_bundle

    predictions, heads = given["predictions"], given["heads"]
    subjects = [*map(find_bundle, given["models"]), *predictions, *heads]
    subject: Any = (subjects[0] if given["models"] and len(subjects) == 1 else subjects) or None
    post = post_processing(given)
    tables = _tables(protocol, predictions, post) if search_thresholds else None
    report = evaluate_protocol(
        protocol,
        subject,
        data,
        split,
        features=given["features"],
        post_processing=post,
        landmark_model=landmark_model,
    )
    options = {"data": data, "split": split, "landmark_model": landmark_model} | given
    report = replace(report, command=_command(protocol, options, search_thresholds=search_thresholds))
    tuned = None if tables is None else search_thresholds_on(protocol, data, tables, split or "valid")
    if as_json:
        tuning = {} if tuned is None else {"threshold_search": asdict(tuned) | {"note": tuned.note}}
        click.echo(json.dumps(report.to_json() | tuning, indent=1))
        return
    _print(report, "predictions" if predictions else "heads" if heads else "models" if len(subjects) > 1 else "bundle")
    if tuned is not None:
        say(f"P_AU tuned on these rows  {tuned.mean_f1:.4f}  (at 0.5: {tuned.mean_f1_at_half:.4f})")
        if tuned.note:
            say(tuned.note)
        say("--thresholds " + ",".join(f"{threshold:g}" for threshold in tuned.thresholds))


# Option -> its parameter, in the order in which a report repeats the command.
_OPTIONS = {
    "--data": "data",
    "--model": "models",
    "--predictions": "predictions",
    "--smooth": "smooth",
    "--head": "heads",
    "--features": "features",
    "--weights": "weights",
    "--thresholds": "thresholds",
    "--blend-on": "blend_on",
    "--confident": "confident",
    "--compound-mean": "compound_mean",
    "--landmark-model": "landmark_model",
    "--split": "split",
}


def _command(protocol: str, options: dict[str, Any], *, search_thresholds: bool) -> str:
    """The command line that gives the report again."""
    words = ["mien", "evaluate", protocol]
    for option, parameter in _OPTIONS.items():
        value = options[parameter]
        for single in value if isinstance(value, tuple) else () if value is None else (value,):
            words += [option, str(single)]
    return shlex.join([*words, *(["--search-thresholds"] if search_thresholds else [])])


def _tables(protocol: str, predictions: tuple[Path, ...], post: PostProcessing) -> TablePredictor:
    from mien.evaluation import PREDICTION_FORMATS, TablePredictor, create_predictor

    if protocol not in PREDICTION_FORMATS:
        raise click.UsageError(f"--search-thresholds is for action units (au, mtl), not for {protocol!r}")
    predictor = (
        create_predictor(predictions, PREDICTION_FORMATS[protocol], post_processing=post) if predictions else None
    )
    if not isinstance(predictor, TablePredictor):
        raise click.UsageError("--search-thresholds needs folders of affect tables as --predictions")
    return predictor


def _print(report: Report, kind: str) -> None:
    dropped = ", ".join(f"{n} {reason}" for reason, n in report.dropped.items()) or "none"
    say(f"{report.data}, {report.n_rows} rows (left out: {dropped})")
    say(f"{kind} {report.predictor} {report.digest[:12]}")
    if report.coverage is not None:
        say(f"coverage: {report.coverage}")
    for note in report.notes:
        say(f"note: {note}")
    width = max(len(metric.name) for metric in report.metrics)
    for m in report.metrics:
        say(f"{m.name:{width}}  {m.value:.4f}  [{m.low:.4f}, {m.high:.4f}]  n={m.n}")
    say(report.command)

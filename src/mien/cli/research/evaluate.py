# SPDX-License-Identifier: Apache-2.0
"""``mien evaluate``."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mien.evaluation import Predictor, Report, ThresholdSearch


@click.command(short_help="Measure a bundle or a file of predictions by a named protocol.")
@click.argument("protocol")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of the data set.")
@click.option(
    "--predictions",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Predictions in the form of the challenge, or a folder of affect tables; a folder for each system of a blend.",
)
@click.option("--smooth", metavar="SETTINGS", help="expr=50,va=50,au=3, or bundle: what the bundle names.")
@click.option("--head", "heads", multiple=True, type=click.Path(path_type=Path), help="Of whole clips; for each.")
@click.option("--features", multiple=True, type=click.Path(path_type=Path), help="What --head reads; for each folder.")
@click.option("--weights", multiple=True, metavar="TASK=W,...", help="Of the systems: va=.7,.3. [default: equal]")
@click.option("--thresholds", metavar="P,...", help="One for each action unit, or bundle: its own. [default: .5]")
@click.option("--search-thresholds", is_flag=True, help="Tune them on the split, beside the figure at .5 (au, mtl).")
@click.option("--landmark-model", metavar="NAME", help="Landmark net of lfw-chain. [default: mien-points]")
@click.option("--model", help="Name or folder of a bundle. [default: mien-light, unless there are predictions]")
@click.option("--split", help="Of the data set. [default: the one that the protocol measures]")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
def evaluate(
    protocol: str,
    data: Path,
    predictions: tuple[Path, ...],
    smooth: str | None,
    heads: tuple[Path, ...],
    features: tuple[Path, ...],
    weights: tuple[str, ...],
    thresholds: str | None,
    landmark_model: str | None,
    model: str | None,
    split: str | None,
    *,
    search_thresholds: bool,
    as_json: bool,
) -> None:
    """Measure a bundle, a file of answers, or affect tables of the videos, with 95 % bootstrap intervals.

    \b
    ferplus, ferplus-mtl, lfw, lfw-chain, flip-rate, au-teacher, fairness, reliability, quality: a bundle on faces
    that it was not taught
    landmarks: a landmark net (--model, else mien-points) against its teacher
    va, expr, au, mtl, lsd, ce, emi, eri, affectnet: the challenges' own measures, videos resampled as a whole
    """  # noqa: D301 - \b is click's mark for text that it must not rewrap
    if sum(map(bool, (predictions, model, heads))) > 1:
        raise click.UsageError("give one of --predictions, --model and --head")
    folders = bool(predictions) and all(path.is_dir() for path in predictions)
    if (weights or search_thresholds or len(predictions) > 1) and not folders and not (heads and weights):
        raise click.UsageError("weights, searches and several systems need folders of affect tables as --predictions")
    if (smooth or thresholds) and predictions and not folders:
        raise click.UsageError("a file of answers is decided already: leave out --smooth and --thresholds")
    from mien.cli.options import clip_heads

    predictor: Predictor | None = _predictor(predictions, smooth, weights, thresholds) if predictions else None
    if heads:
        if smooth or thresholds:
            raise click.UsageError("a clip has one answer: leave out --smooth and --thresholds")
        predictor = clip_heads(protocol, heads, features, weights)
    elif predictor is None and (smooth or thresholds):
        predictor = _bundle_over_time(protocol, data, smooth, thresholds, model)
    report = _measured(protocol, data, predictor, model, landmark_model, split)
    options = [("--data", data), *(("--predictions", path) for path in predictions), ("--smooth", smooth)]
    options += [*(("--head", path) for path in heads), *(("--features", path) for path in features)]
    options += [*(("--weights", text) for text in weights), ("--thresholds", thresholds)]
    options += [("--landmark-model", landmark_model), ("--model", model), ("--split", split)]
    given = [text for name, value in options if value is not None for text in (name, str(value))]
    given += ["--search-thresholds"] if search_thresholds else []
    report = replace(report, command=shlex.join(["mien", "evaluate", protocol, *given]))
    tuned = _tuned(protocol, data, predictor, split) if search_thresholds else None
    if as_json:
        tuning = {} if tuned is None else {"threshold_search": asdict(tuned)}
        click.echo(json.dumps(report.to_json() | tuning, indent=1))
        return
    dropped = ", ".join(f"{n} {reason}" for reason, n in report.dropped.items()) or "none"
    click.echo(f"{report.data}, {report.n_rows} rows (left out: {dropped})")
    click.echo(
        f"{'predictions' if predictions else 'heads' if heads else 'bundle'} {report.predictor} {report.digest[:12]}"
    )
    width = max(len(measure.name) for measure in report.metrics)
    for m in report.metrics:
        click.echo(f"{m.name:{width}}  {m.value:.4f}  [{m.low:.4f}, {m.high:.4f}]  n={m.n}")
    click.echo(report.command)
    if tuned is not None:
        click.echo(f"P_AU tuned on these rows  {tuned.mean_f1:.4f}  (at .5: {tuned.mean_f1_at_half:.4f})")
        click.echo("--thresholds " + ",".join(f"{threshold:g}" for threshold in tuned.thresholds))


def _predictor(
    predictions: tuple[Path, ...], smooth: str | None, weights: tuple[str, ...], thresholds: str | None
) -> Predictor:
    from mien.affect import Smoothing
    from mien.cli.options import numbers, weights_by_task
    from mien.evaluation import PredictionFile, TablePredictor

    if len(predictions) == 1 and not predictions[0].is_dir():
        return PredictionFile(predictions[0])
    return TablePredictor(
        predictions,
        smoothing=Smoothing.of(smooth),
        thresholds=numbers(thresholds, "--thresholds"),
        weights=weights_by_task(weights),
    )


def _bundle_over_time(
    protocol: str, data: Path, smooth: str | None, thresholds: str | None, model: str | None
) -> Predictor:
    """A bundle on the crops of the data set, smoothed and decided as asked for."""
    from mien.cli.options import PostProcessing
    from mien.datasets.crop_folders import find_crops
    from mien.evaluation import PREDICTION_FORMATS, TablePredictor

    crops = find_crops(data, None)
    if protocol not in PREDICTION_FORMATS or crops is None:
        raise click.UsageError(f"--smooth and --thresholds need the official crops of a challenge, {protocol} has none")
    post = PostProcessing.of(PREDICTION_FORMATS[protocol], smooth, thresholds, model, crops)
    return TablePredictor(post.models, smoothing=post.smoothing, thresholds=post.thresholds)


def _tuned(protocol: str, data: Path, predictor: Predictor | None, split: str | None) -> ThresholdSearch:
    from mien.evaluation import TablePredictor, search_thresholds_of

    if not isinstance(predictor, TablePredictor):
        raise click.UsageError("--search-thresholds needs folders of affect tables as --predictions")
    return search_thresholds_of(protocol, data, predictor, split or "valid")


def _measured(
    protocol: str,
    data: Path,
    predictor: Predictor | None,
    model: str | None,
    landmark_model: str | None,
    split: str | None,
) -> Report:
    from mien.evaluation import PROTOCOLS

    default_split = PROTOCOLS[protocol].split
    run = PROTOCOLS.load(protocol)
    if not default_split and (predictor or split):
        raise click.UsageError(f"{protocol} measures a bundle on a fixed split; leave out --predictions and --split")
    if predictor is not None:
        report: Report = run(data, predictor, split or default_split)
        return report
    from mien.faces import DEFAULT_LANDMARK_MODEL, load_landmark_net

    if PROTOCOLS[protocol].of == "points":
        measured: Report = run(load_landmark_net(model or DEFAULT_LANDMARK_MODEL), data)
        return measured
    from mien.affect import Analyzer
    from mien.inference import DEFAULT_BUNDLE

    analyzer = Analyzer(model or DEFAULT_BUNDLE, landmark_model=landmark_model or DEFAULT_LANDMARK_MODEL)
    if default_split:
        from mien.evaluation import BundleOnCrops

        report = run(data, BundleOnCrops(analyzer), split or default_split)
    else:
        report = run(analyzer, data)
    return report

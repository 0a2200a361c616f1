# SPDX-License-Identifier: Apache-2.0
"""``mien evaluate``."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mien.evaluation import Report


@click.command(short_help="Measure a bundle or a file of predictions by a named protocol.")
@click.argument("protocol")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of the data set.")
@click.option("--predictions", type=click.Path(path_type=Path), help="Answers in the form of the challenge.")
@click.option("--bundle", help="Name or folder of a bundle. [default: mien-light, unless there are predictions]")
@click.option("--split", help="Of the data set. [default: the one that the protocol measures]")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
def evaluate(
    protocol: str, data: Path, predictions: Path | None, bundle: str | None, split: str | None, *, as_json: bool
) -> None:
    """Measure a bundle, or a file of answers in the form of the challenge, with 95 % bootstrap intervals.

    \b
    ferplus, lfw: a bundle on faces that it was not taught
    va, expr, au, mtl, lsd, ce, emi, eri, affectnet: the challenges' own measures, videos resampled as a whole
    """  # noqa: D301 - \b is click's mark for text that it must not rewrap
    report = _measured(protocol, data, predictions, bundle, split)
    options = {"--data": data, "--predictions": predictions, "--bundle": bundle, "--split": split}
    given = [text for name, value in options.items() if value is not None for text in (name, str(value))]
    report = replace(report, command=shlex.join(["mien", "evaluate", protocol, *given]))
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=1))
        return
    dropped = ", ".join(f"{n} {reason}" for reason, n in report.dropped.items()) or "none"
    click.echo(f"{report.data}, {report.n_rows} rows (left out: {dropped})")
    click.echo(f"{'predictions' if predictions else 'bundle'} {report.predictor} {report.digest[:12]}")
    width = max(len(measure.name) for measure in report.measures)
    for m in report.measures:
        click.echo(f"{m.name:{width}}  {m.value:.4f}  [{m.low:.4f}, {m.high:.4f}]  n={m.n}")
    click.echo(report.command)


def _measured(protocol: str, data: Path, predictions: Path | None, bundle: str | None, split: str | None) -> Report:
    from mien.evaluation import PROTOCOLS

    default_split = PROTOCOLS[protocol].split
    run = PROTOCOLS.load(protocol)
    if not default_split and (predictions or split):
        raise click.UsageError(f"{protocol} measures a bundle on a fixed split; leave out --predictions and --split")
    if predictions and bundle:
        raise click.UsageError("give --predictions or --bundle, not both")
    if predictions:
        from mien.evaluation.predictors import AnswerFile

        report: Report = run(data, AnswerFile(predictions), split or default_split)
        return report
    from mien.affect import Analyzer
    from mien.inference import DEFAULT_BUNDLE

    analyzer = Analyzer(bundle or DEFAULT_BUNDLE)
    if default_split:
        from mien.evaluation.predictors import BundleOnCrops

        report = run(data, BundleOnCrops(analyzer), split or default_split)
    else:
        report = run(analyzer, data)
    return report

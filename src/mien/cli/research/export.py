# SPDX-License-Identifier: Apache-2.0
"""``mien export``: writes a smaller variant of a bundle, or joins two."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.main import say

if TYPE_CHECKING:
    from mien.core import ModelSpec
    from mien.training.export.variants import VariantReport


@click.command(short_help="Write a smaller variant of a bundle, or join two (extra: train).")
@click.option("--model", required=True, metavar="NAME", help="Bundle that the result is made from, or its folder.")
@click.option("--variant", type=click.Choice(["fp16", "int8"]), help="Kind of the variant, see above.")
@click.option(
    "--join",
    "second",
    metavar="NAME",
    help="Second bundle, or its folder: the result predicts the mean of both.",
)
@click.option(
    "--turned",
    metavar="NAME",
    help="Second landmark bundle, or its folder: the result has its landmarks and pose of heads that are turned far.",
)
@click.option(
    "--share",
    "shares",
    multiple=True,
    metavar="TASK=SHARE",
    help="Share of the second bundle in expression or valence_arousal, such as valence_arousal=0.7; may be repeated. "
    "[default: 0.5]",
)
@click.option(
    "--mirrored", is_flag=True, help="Read the mirror image of each crop, too: the mean of both, twice the time."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the new bundle.")
@click.option("--name", help="Name of a joined bundle. [default: name of the folder]")
@click.option("--version", default="1", show_default=True, help="Version of a joined bundle.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the open face sets, to calibrate, and to measure the result.",
)
def export(
    model: str,
    variant: str | None,
    second: str | None,
    turned: str | None,
    shares: tuple[str, ...],
    mirrored: bool,
    out: Path,
    name: str | None,
    version: str,
    data: Path | None,
) -> None:
    """Write a variant of a bundle and measure what it lost, or join two bundles and measure the result.

    \b
    --variant fp16: weights stored in half precision, arithmetic in float32; half the size, the same speed
    --variant int8: 8-bit weights and activations; less than half the size, faster; needs --data
    --join NAME: expression, valence and arousal are the mean of --model and NAME in one graph; everything
      else is that of --model
    --turned NAME: two landmark bundles; NAME reads the heads that --model sees turned by 20 degrees and more, and
      counts from 35 degrees of yaw on, alone from 50
    """  # noqa: D301 - \b is click's mark for text that it must not rewrap
    if [variant, second, turned].count(None) != 2:
        raise click.UsageError("name one of --variant, --join and --turned")
    if variant is not None and (name is not None or version != "1"):
        raise click.UsageError("--name and --version are for --join and --turned: a variant is named after its bundle")
    if second is None and (shares or mirrored):
        raise click.UsageError("--share and --mirrored are for --join")
    from mien.training import JoinSettings, export_variant, join_bundles, join_turned

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if second is not None:
        settings = JoinSettings(shares=dict(map(_share, shares)), mirrored=mirrored)
        joined = join_bundles(model, second, out, name=name or out.name, version=version, settings=settings, data=data)
        _print_joined(joined, out)
    elif turned is not None:
        _print_joined(join_turned(model, turned, out, name=name or out.name, version=version, data=data), out)
    elif variant is not None:
        _print(export_variant(model, variant, out, data), out)


def _share(text: str) -> tuple[str, float]:
    """Task and share of a value of ``--share``."""
    task, _, number = text.partition("=")
    try:
        return task, float(number)
    except ValueError as error:
        raise click.UsageError(f"--share needs TASK=SHARE, such as expression=0.4, got {text!r}") from error


def _print_joined(spec: ModelSpec, out: Path) -> None:
    for metric in spec.metrics:
        say(f"{metric.data}, {metric.name}: {metric.value:.4f} [{metric.low:.4f}, {metric.high:.4f}]")
    say(f"{spec.name} {spec.version} in {out}: {spec.provenance}")
    if not spec.metrics:
        say("it is not measured: give --data")


def _print(report: VariantReport, out: Path) -> None:
    width = max((len(c.metric.name) for c in report.comparisons), default=0)
    for data in dict.fromkeys(c.metric.data for c in report.comparisons):
        say(f"{data:{width}}  variant  origin   loss, points")
        for c in report.comparisons:
            if c.metric.data == data:
                mark = " *" if c.accepted_on else ""
                line = f"{c.metric.name:{width}}  {c.metric.value:.4f}   {c.origin:.4f}   {100 * c.loss:+.2f}{mark}"
                say(line)
    summary = (
        f"{report.spec.name} in {out}: {report.size:.2f} of the size, {report.cpu_time:.2f} of the CPU time per face; "
        f"predictions change by at most {report.largest_move:.4f}"
    )
    kept = report.same_expression
    say(summary if kept is None else f"{summary}, {kept:.1%} keep their top expression")
    if not report.comparisons:
        say("its loss was not measured: give --data")
    else:
        say(
            "recommended"
            if report.recommended
            else "not recommended: a metric marked * is worse by 0.30 points or more"
        )

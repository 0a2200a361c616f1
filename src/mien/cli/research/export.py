# SPDX-License-Identifier: Apache-2.0
"""``mien export``: writes a smaller variant of a bundle."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.main import say
from mien.core import MissingExtraError

if TYPE_CHECKING:
    from mien.training.export.variants import VariantReport


@click.command(short_help="Write a smaller variant of a bundle, with its measured loss (extra: train).")
@click.option("--model", required=True, metavar="NAME", help="Bundle that the variant is made from, or its folder.")
@click.option("--variant", required=True, type=click.Choice(["fp16", "int8"]), help="Kind of the variant, see above.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the new bundle.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the open face sets, to calibrate int8 and to measure the loss.",
)
def export(model: str, variant: str, out: Path, data: Path | None) -> None:
    """Write a variant of a bundle, and measure what it lost.

    \b
    fp16: weights stored in half precision, arithmetic in float32; half the size, the same speed
    int8: 8-bit weights and activations; less than half the size, faster; needs --data
    """  # noqa: D301 - \b is click's mark for text that it must not rewrap
    try:
        from mien.training.export.variants import export_variant
    except ModuleNotFoundError as error:
        package = (error.name or "torch").partition(".")[0]
        if package == "mien":
            raise  # a part of mien itself is missing, which no extra brings
        raise MissingExtraError(package, "train") from error
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    _print(export_variant(model, variant, out, data), out)


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

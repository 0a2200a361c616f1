# SPDX-License-Identifier: Apache-2.0
"""The command ``mien audit``."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.field_options import field_options, private_option
from mien.cli.main import say
from mien.core import AnalyzerConfig

if TYPE_CHECKING:
    from mien.evaluation import FacePair

_FILES = ("audit.html", "audit.csv", "audit.json")


@click.command(short_help="Audit a bundle over groups of people, pairs and corruptions.")
@click.argument("data", metavar="DATA", type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder for audit.html (the page), audit.csv (the raw table) and audit.json.",
)
@click.option("--split", default="valid", show_default=True, metavar="NAME", help="Split of FairFace.")
@click.option(
    "--pairs",
    type=click.IntRange(0, 10_000),
    default=0,
    show_default=True,
    help="Number of rendered pairs of each trait: skin tone, age, sex (extra: synthesis).",
)
@click.option(
    "--corruptions/--no-corruptions",
    default=True,
    show_default=True,
    help="Measure seven corruptions, and small shifts, scales, turns and mirroring of the crop.",
)
@field_options(AnalyzerConfig, only=("model", "landmark_model", "threads", "views", "adapt"))
@private_option
def audit(data: Path, out: Path, split: str, pairs: int, *, corruptions: bool, **models: object) -> None:
    """Audit a bundle on DATA and write one page with plots and a verdict per measure.

    DATA is a folder with FairFace (fairface/val.parquet and teacher/fairface_val.parquet; age, gender, race), or a CSV
    of your own with a column image, columns of groups, and any of expression, valence, arousal, AU12, person.
    """
    from mien.affect import Analyzer
    from mien.evaluation import audit as run
    from mien.evaluation import audit_page
    from mien.results import atomic_write, output_errors

    analyzer = Analyzer(AnalyzerConfig(**models))  # type: ignore[arg-type]  # the options are its fields
    with output_errors(out, "choose another folder"):
        out.mkdir(parents=True, exist_ok=True)
    given = sys.argv[1:] if sys.argv[1:2] == ["audit"] else ["audit", str(data), "--out", str(out)]
    report = run(
        data,
        analyzer,
        split=split,
        pairs=_pairs(pairs),
        corruptions=corruptions,
        command=shlex.join(["mien", *given]),
        notify=lambda text: say(text, err=True),
    )
    contents = (audit_page(report), report.raw_table(), json.dumps(report.to_json(), indent=1) + "\n")
    for name, text in zip(_FILES, contents, strict=True):
        with output_errors(out / name, "choose another folder"), atomic_write(out / name) as file:
            file.write(text.encode())
    for one in sorted(report.verdicts, key=lambda each: -abs(each.gap) / each.limit):
        if one.verdict != "within":
            say(
                f"{one.verdict}: {one.measure}, {one.column} {one.group}: {one.gap:+.3f} "
                f"({one.low:+.3f} to {one.high:+.3f}), limit {one.limit:g}"
            )
    n_within = sum(one.verdict == "within" for one in report.verdicts)
    say(f"{n_within} of {len(report.verdicts)} comparisons are within their limits; wrote {out / _FILES[0]}")


def _pairs(n: int) -> Iterator[FacePair]:
    if not n:
        return iter(())
    from mien.synthesis import counterfactual_pairs

    return counterfactual_pairs(n)

# SPDX-License-Identifier: Apache-2.0
"""``mien bench``: speed of every stage on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.cli.field_options import field_options
from mien.cli.main import say
from mien.core import AnalyzerConfig

if TYPE_CHECKING:
    from mien.pipeline import BenchReport


@click.command(short_help="Speed of every stage on this machine.")
@click.argument("clip", type=click.Path(path_type=Path))
@click.option(
    "--repeats",
    type=click.IntRange(1, 1000),
    default=3,
    show_default=True,
    metavar="N",
    help="Number of repetitions; medians are reported.",
)
@field_options(AnalyzerConfig, only=("model", "landmark_model", "runtime", "threads"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of a table.")
def bench(clip: Path, repeats: int, as_json: bool, **options: Any) -> None:
    """Measure decoding, faces, the affect network and the whole command on CLIP, side by side in one run.

    Some ten seconds of video are enough; the memory is that of `mien analyze` on the clip.
    """
    from mien import pipeline

    report = pipeline.bench(clip, repeats=repeats, **options)
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=1))
    else:
        _print(report, repeats)


def _print(report: BenchReport, repeats: int) -> None:
    say(
        f"{report.clip}: {report.n_frames} frames of {report.width} x {report.height}, "
        f"{report.faces_per_frame:.2f} faces per frame, one scan in {1 / report.scans_per_frame:.0f} frames"
    )
    say(f"{report.machine}; {report.versions}; {report.bundle}; medians of {repeats}")
    for stage in report.stages:
        ratio = "" if stage.to_decoding is None else f"  {stage.to_decoding:6.3f} x decoding"
        each_ms, cpu_ms = 1000 / stage.rate, 1000 * stage.cpu_seconds / stage.n
        say(
            f"{stage.name:46} {stage.rate:8.1f} {stage.unit + '/s':9} {each_ms:7.3f} ms each  "
            f"{cpu_ms:7.3f} ms CPU  spread {stage.spread:4.0%}{ratio}"
        )
    if report.memory is not None:
        held, most = report.memory.resident_mb, report.memory.peak_mb
        say(f"memory of the command: {held:.0f} MB near its end, {most:.0f} MB at most")
    if sentence := report.in_words():
        say(sentence)

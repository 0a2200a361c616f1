# SPDX-License-Identifier: Apache-2.0
"""``mien bench``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mien.pipeline.bench import BenchReport


@click.command(short_help="How fast every stage is on this machine.")
@click.argument("clip", type=click.Path(path_type=Path))
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--model", default="mien-light", show_default=True, help="Name or folder of a bundle.")
@click.option(
    "--landmark-model", default="mien-points", show_default=True, help="A landmark net, or its folder; or none."
)
@click.option("--runtime", default="onnxruntime", show_default=True, help="onnxruntime, or openvino (extra).")
@click.option("--threads", type=click.IntRange(min=1), help="Of each model. [default: all cores]")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
def bench(
    clip: Path,
    repeats: int,
    model: str,
    landmark_model: str,
    runtime: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Measure decoding, faces, the affect net and the whole way on CLIP, side by side in one run.

    Some ten seconds of video are enough; the memory is that of `mien analyze` on the clip.
    """
    from mien.pipeline.bench import bench as measure

    report = measure(
        clip, repeats=repeats, model=model, landmark_model=landmark_model, runtime=runtime, threads=threads
    )
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=1))
    else:
        _print(report, repeats)


def _print(report: BenchReport, repeats: int) -> None:
    click.echo(
        f"{report.clip}: {report.n_frames} frames of {report.width} x {report.height}, "
        f"{report.faces_per_frame:.2f} faces a frame, one scan in {1 / report.scans_per_frame:.0f} frames"
    )
    click.echo(f"{report.machine}; {report.versions}; {report.bundle}; medians of {repeats}")
    for stage in report.stages:
        ratio = "" if stage.to_decoding is None else f"  {stage.to_decoding:6.3f} x decoding"
        each_ms, cpu_ms = 1000 / stage.rate, 1000 * stage.cpu_seconds / stage.n
        click.echo(
            f"{stage.name:46} {stage.rate:8.1f} {stage.unit + '/s':9} {each_ms:7.2f} ms each  "
            f"{cpu_ms:7.2f} ms CPU  spread {stage.spread:4.0%}{ratio}"
        )
    if report.memory is not None:
        held, most = report.memory.resident_mb, report.memory.peak_mb
        click.echo(f"memory of the command: {held:.0f} MB near its end, {most:.0f} MB at most")

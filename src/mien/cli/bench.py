# SPDX-License-Identifier: Apache-2.0
"""``mien bench``."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command(short_help="How fast every stage is on this machine.")
@click.argument("clip", type=click.Path(path_type=Path))
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--model", default="mien-light", show_default=True, help="Name or folder of a bundle.")
@click.option("--runtime", default="onnxruntime", show_default=True, help="onnxruntime, or openvino (extra).")
@click.option("--threads", type=click.IntRange(min=1), help="Of each model. [default: all cores]")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
def bench(
    clip: Path,
    repeats: int,
    model: str,
    runtime: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Measure decoding, faces, the affect net and the whole way on CLIP, side by side in one run."""
    from mien.pipeline.bench import bench as measure

    report = measure(clip, repeats=repeats, model=model, runtime=runtime, threads=threads)
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=1))
        return
    click.echo(
        f"{report.clip}: {report.n_frames} frames of {report.width} x {report.height}, "
        f"{report.faces_per_frame:.2f} faces a frame"
    )
    click.echo(f"{report.machine}; {report.versions}; {report.bundle}; medians of {repeats}")
    for stage in report.stages:
        ratio = "" if stage.to_decoding is None else f"  {stage.to_decoding:5.2f} x decoding"
        each_ms = 1000 / stage.rate
        click.echo(
            f"{stage.name:46} {stage.rate:8.1f} {stage.unit}/s  {each_ms:7.2f} ms each  "
            f"spread {stage.spread:4.0%}{ratio}"
        )

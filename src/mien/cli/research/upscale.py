# SPDX-License-Identifier: Apache-2.0
"""``mien upscale``."""

from __future__ import annotations

import time
from pathlib import Path

import click

from mien.cli.main import result_code, say
from mien.core import MAX_WORKERS, ConfigError

_SECONDS_BETWEEN_LINES = 5.0


@click.command(short_help="Super-resolution of training images (extra: upscale).")
@click.argument("source", required=False, type=click.Path(path_type=Path), metavar="[SOURCE]")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the copy.")
@click.option(
    "--network",
    default="span-x4",
    show_default=True,
    metavar="NAME|FILE",
    help="Name of a network (see --networks), an .onnx file, or a .param file of ncnn beside its .bin file.",
)
@click.option(
    "--scale", type=click.IntRange(2, 4), default=2, show_default=True, help="Factor of the sides of an image."
)
@click.option(
    "--workers", type=click.IntRange(1, MAX_WORKERS), default=1, show_default=True, help="Number of processes."
)
@click.option("--engine", default="local", show_default=True, help="Job engine: local, ray or ray=ADDRESS.")
@click.option(
    "--networks",
    "list_networks",
    is_flag=True,
    help="List the networks with their licences and their CPU milliseconds for a face of 48 and 112 px; half a minute.",
)
@click.option("--quiet", is_flag=True, help="No progress.")
def upscale(
    source: Path | None,
    out: Path | None,
    network: str,
    scale: int,
    workers: int,
    engine: str,
    *,
    list_networks: bool,
    quiet: bool,
) -> int:
    """Copy a data set with enlarged training images.

    SOURCE is a folder of images or of Parquet files with encoded images in the column "image", or one such file.
    Images in folders and Parquet files that are named after validation or test stay unchanged, and so do rows of
    another split than train and images of more than 256 px. An interrupted run continues where it stopped.
    """
    from mien import synthesis

    if list_networks:
        if source is not None or out is not None:
            raise ConfigError("--networks lists the networks and takes no SOURCE and no --out")
        _list_networks()
        return 0
    if source is None or out is None:
        raise ConfigError("give SOURCE and --out, or --networks")
    next_line_s = time.monotonic() + _SECONDS_BETWEEN_LINES

    def show(done: int, total: int) -> None:
        nonlocal next_line_s
        now_s = time.monotonic()
        if not quiet and now_s >= next_line_s:
            next_line_s = now_s + _SECONDS_BETWEEN_LINES
            say(f"{done} of {total} images", err=True)

    report = synthesis.upscale(
        source, out, network=network, scale=scale, workers=workers, engine=engine, on_progress=show
    )
    for _place, reason in report.failures:
        say(f"mien: {reason}", err=True)
    if not quiet:
        say(
            f"{report.n_enlarged} images enlarged; unchanged: {report.n_held_out} of validation and test, "
            f"{report.n_large} that are large already; {report.n_present} finished before",
            err=True,
        )
    return result_code(any_done=report.any_done, complete=not report.failures)


def _list_networks() -> None:
    """Print a line per network."""
    from mien import synthesis

    costs = synthesis.measure_upscalers()
    for name in synthesis.UPSCALERS:
        record = synthesis.UPSCALERS[name]
        own = [cost for cost in costs if cost.name == name]
        measured = ", ".join(f"{cost.cpu_ms:.1f} ms at {cost.size_px} px" for cost in own if cost.cpu_ms is not None)
        say(f"{name}: {record.summary}")
        say(f"    {measured or next(cost.reason for cost in own)}; licence: {record.licence}")
    say("CPU time per face on one thread, median of 3 runs, with the reduction to twice the size")

# SPDX-License-Identifier: Apache-2.0
"""``mien analyze``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command(short_help="Photos, videos or a camera to a table of affect.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="A table for everything (.parquet, .csv, .jsonl), or a folder with one table per input.",
)
@click.option("--faces", type=click.Choice(["all", "largest"]), default="all", show_default=True)
@click.option("--every", type=click.IntRange(min=1), default=1, metavar="N", help="Each n-th frame of videos only.")
@click.option("--from", "start_s", type=float, metavar="SECONDS", help="Leave out what videos show before.")
@click.option("--to", "stop_s", type=float, metavar="SECONDS", help="Leave out what videos show from here on.")
@click.option("--landmarks", is_flag=True, help="Add the five points of each face to the table.")
@click.option("--overlay", type=click.Path(path_type=Path), help="Write a video or picture with everything drawn.")
@click.option("--overlay-anonymous", "anonymous", is_flag=True, help="Make faces unrecognisable in the overlay.")
@click.option("--model", default="mien-light", show_default=True, help="Name or folder of a bundle.")
@click.option("--detector", default="mtcnn", show_default=True, help="mtcnn, or yunet=FILE.onnx of your own.")
@click.option("--runtime", default="onnxruntime", show_default=True, help="onnxruntime, or openvino (extra).")
@click.option("--threads", type=click.IntRange(min=1), help="Of each model. [default: all cores]")
@click.option("--log", type=click.Choice(["text", "json"]), default="text", show_default=True)
def analyze(inputs: tuple[str, ...], out: Path, log: str, **options: Any) -> int:
    """Analyse photos, videos, folders, globs or a camera (its number) into a table with one row per face and frame.

    \b
    Exit codes: 0 all done; 1 some inputs failed or were read in part; 2 wrong usage; 3 no input could be read or the
    output cannot be written; 4 a model is missing or damaged; 5 an extra is not installed; 130 interrupted.
    """  # noqa: D301 - \b is click's mark for text that it must not rewrap
    from mien import pipeline
    from mien.cli.progress import JsonView, TextView

    view = JsonView() if log == "json" else TextView()
    with view:
        result = pipeline.analyze(inputs, out, on_progress=view, **options)
    for record in result.inputs:
        lost = f", {record.n_frames_lost} lost" if record.n_frames_lost else ""
        view.say(
            "input",
            f"{record.path}: {record.n_rows} rows, {record.n_faces} faces in {record.n_frames_decoded} frames{lost}",
            path=record.path,
            n_rows=record.n_rows,
            n_faces=record.n_faces,
            n_frames_decoded=record.n_frames_decoded,
            n_frames_lost=record.n_frames_lost,
        )
        for message in record.messages:
            view.say("warning", f"{record.path}: {message}", path=record.path)
    for message in result.messages:
        view.say("warning", message)
    for failure in result.failures:
        view.say("failure", failure.reason, path=failure.path)
    for table in result.tables:
        view.say("table", f"wrote {table}", path=str(table))
    return result.exit_code

# SPDX-License-Identifier: Apache-2.0
"""``mien analyze``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mien.cli.main import INTERRUPTED, exit_code
from mien.core import MienError
from mien.jobs import sigterm_as_interrupt


@click.command(short_help="Photos, videos or a camera to a table of affect.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "--out",
    required=True,
    metavar="PATH",
    help="A table for everything (.parquet, .csv, .jsonl), or a folder that gets one table per input.",
)
@click.option(
    "--faces", default="all", show_default=True, metavar="WHICH", help="all, largest (of each frame), or track=ID."
)
@click.option("--every", type=click.IntRange(min=1), default=1, metavar="N", help="Each n-th frame of videos only.")
@click.option("--from", "start_s", type=float, metavar="SECONDS", help="Leave out what videos show before.")
@click.option("--to", "stop_s", type=float, metavar="SECONDS", help="Leave out what videos show from here on.")
@click.option(
    "--smooth", metavar="SETTINGS", help="Videos over time: expr=50,va=50,au=3 (frames each side), or bundle."
)
@click.option(
    "--adaptive",
    metavar="STRIDES",
    help="25,5,1: read sure stretches of videos each 25th frame, unsure ones more often, and interpolate.",
)
@click.option(
    "--min-quality",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="Q",
    help="Abstain below: such faces keep their row, with no affect. [default: 0, never]",
)
@click.option("--landmarks", is_flag=True, help="Add the 68 points of each face to the table.")
@click.option(
    "--overlay",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw everything into a video, or a picture for a photo. For a single input.",
)
@click.option("--overlay-anonymous", "anonymous", is_flag=True, help="Make faces unrecognisable in the overlay.")
@click.option(
    "--openface",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The same in OpenFace's columns: a .csv for a single input, or a folder.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE.html",
    help="A page about everything: timelines, key frames, summary.",
)
@click.option("--no-frames", is_flag=True, help="Leave the faces out of the report.")
@click.option("--model", default="mien-light", show_default=True, metavar="NAME", help="A bundle, or its folder.")
@click.option(
    "--detector", default="mtcnn", show_default=True, metavar="NAME", help="mtcnn, or yunet=FILE.onnx of your own."
)
@click.option(
    "--landmark-model",
    default="mien-points",
    show_default=True,
    metavar="NAME",
    help="A landmark net, or its folder; none for the detector's five points.",
)
@click.option(
    "--runtime", default="onnxruntime", show_default=True, metavar="NAME", help="onnxruntime, or openvino (extra)."
)
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Of each model. [default: all cores]")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Inputs at the same time, for a folder of tables.",
)
@click.option(
    "--engine",
    default="local",
    show_default=True,
    metavar="NAME",
    help="What the workers are: local processes, or ray (extra; ray=ADDRESS for a cluster).",
)
@click.option(
    "--log",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: one object a line on standard error, for programs.",
)
def analyze(inputs: tuple[str, ...], out: str, log: str, *, no_frames: bool, **options: Any) -> int:
    """Analyse photos, videos, folders, globs or a camera (its number) into a table with one row per face and frame.

    A frame without a face has one row too. Beside the table, a manifest says what was read and what was lost. Where
    --out is a folder, inputs that an earlier run has finished are skipped, and failures.csv lists what failed.

    \b
    Exit codes: 0 all done; 1 some inputs failed or were read in part; 2 wrong
    usage; 3 no input could be read or the output cannot be written; 4 a model
    is missing or damaged; 5 an extra is not installed; 130 interrupted.
    """  # noqa: D301 - \b is click's mark for text that it must not rewrap
    from mien import pipeline
    from mien.cli.progress import create_view, reporter

    view = create_view(log)
    with sigterm_as_interrupt(), view:
        try:
            result = pipeline.analyze(
                inputs, out, on_progress=view.progress, on_event=reporter(view), report_frames=not no_frames, **options
            )
        except KeyboardInterrupt:
            view.say("interrupted", "interrupted; a table that was written holds what was done", exit_code=INTERRUPTED)
            return INTERRUPTED
        except MienError as error:
            # Here rather than in main, so that programs get their JSON line.
            view.say("error", f"mien: {error}", exit_code=exit_code(error))
            return exit_code(error)
        if options["report"] is not None and result.tables:
            view.say("report", f"wrote {options['report']}", report=str(options["report"]))
        n_named = len({record.path for record in result.inputs} | {failure.path for failure in result.failures})
        if result.failures and n_named > 1:
            view.say("summary", f"{n_named - len(result.failures)} of {n_named} inputs done, see above for the others")
    return result.exit_code

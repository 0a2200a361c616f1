# SPDX-License-Identifier: Apache-2.0
"""``mien features``."""

from __future__ import annotations

from typing import Any

import click

from mien.cli.main import INTERRUPTED, exit_code
from mien.core import MienError


@click.command(short_help="Embeddings and raw scores of every frame, to train heads on.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--out", required=True, metavar="DIR", help="Folder of the Parquet shards; an interrupted run goes on.")
@click.option("--model", default="mien-light", show_default=True, metavar="NAME", help="A bundle, or its folder.")
@click.option("--crops", is_flag=True, help="INPUT are folders of faces cut out already: <track>/00001.jpg.")
@click.option(
    "--audio", metavar="NAME", help="The sound instead of faces: egemaps (extra: audio), or onnx=FILE of your own."
)
@click.option("--float16", is_flag=True, help="Half precision: half the room.")
@click.option("--every", type=click.IntRange(min=1), default=1, metavar="N", help="Each n-th frame only.")
@click.option("--faces", default="all", show_default=True, metavar="WHICH", help="all, largest, or track=ID.")
@click.option(
    "--detector", default="mtcnn", show_default=True, metavar="NAME", help="mtcnn, or yunet=FILE.onnx of your own."
)
@click.option(
    "--landmark-model",
    default="mien-points",
    show_default=True,
    metavar="NAME",
    help="A landmark net, its folder, or none.",
)
@click.option(
    "--runtime", default="onnxruntime", show_default=True, metavar="NAME", help="onnxruntime, or openvino (extra)."
)
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Of each model. [default: all cores]")
@click.option("--log", type=click.Choice(["text", "json"]), default="text", show_default=True)
def features(inputs: tuple[str, ...], out: str, log: str, **options: Any) -> int:
    """Write the embedding and the raw scores of every face to Parquet shards.

    Videos and photos go through the face detector, crops are read as they stand. Run the same command again after an
    interruption or a kill: it goes on after the last row that is safe.

    \b
    Exit codes: 0 all done; 1 some inputs or frames could not be read; 2 wrong
    usage; 3 nothing could be read or written; 4 a model is missing or damaged;
    5 an extra is not installed; 130 interrupted.
    """  # noqa: D301 - \b is click's mark for text that it must not rewrap
    from dataclasses import asdict

    from mien.cli.progress import counted, create_view
    from mien.pipeline import Note, extract_features
    from mien.pipeline.feature_extraction.extraction import FeatureEvent
    from mien.results import InputFailure, SourceRecord

    view = create_view(log)

    def report(event: FeatureEvent) -> None:
        match event:
            case SourceRecord(source=source, n_frames=n_frames, n_rows=n_rows, messages=messages):
                text = f"{source}: {counted(n_rows, 'row')} from {counted(n_frames, 'frame')}"
                view.say("input", "; ".join((text, *messages)), **asdict(event))
            case InputFailure(path=path, reason=reason):
                view.say("failure", f"failed: {reason}", path=path, reason=reason)
            case Note(message):
                view.say("note", f"note: {message}")

    with view:
        try:
            result = extract_features(inputs, out, on_progress=view.progress, on_event=report, **options)
        except KeyboardInterrupt:
            view.say("interrupted", "interrupted; run the same command to go on", exit_code=INTERRUPTED)
            return INTERRUPTED
        except MienError as error:
            # Here rather than in main, so that programs get their JSON line.
            view.say("error", f"mien: {error}", exit_code=exit_code(error))
            return exit_code(error)
        new = result.n_rows - result.n_rows_found
        view.say(
            "features",
            f"{result.folder} holds {counted(result.n_rows, 'row')}, {new} of them new",
            folder=str(result.folder),
            n_rows=result.n_rows,
            n_rows_new=new,
        )
    return result.exit_code

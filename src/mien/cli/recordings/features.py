# SPDX-License-Identifier: Apache-2.0
"""``mien features``: embeddings and raw scores of faces or sound to shards."""

from __future__ import annotations

from typing import Any

import click

from mien.cli.field_options import GroupedCommand, field_options, log_option
from mien.cli.main import INTERRUPTED, exit_code, result_code
from mien.core import AnalyzerConfig, FeatureOptions, MienError, Outputs, VideoOptions, counted
from mien.jobs import sigterm_as_interrupt


@click.command(cls=GroupedCommand, short_help="Embeddings and raw scores of every frame, to train heads on.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--out", required=True, metavar="DIR", help="Folder of the Parquet shards; runs can be resumed.")
@field_options(FeatureOptions)
@field_options(VideoOptions, only=("every",))
@field_options(AnalyzerConfig, without=("min_quality", "views", "adapt", "va"))
@field_options(Outputs, only=("private",))
@log_option
def features(inputs: tuple[str, ...], out: str, log: str, **options: Any) -> int:
    """Write the embedding and the raw scores of every face to Parquet shards.

    Videos and photos go through the face detector, crops are used whole. Run the same command again after an
    interruption or a crash: it resumes after the last row that is safe.

    \b
    Exit codes: 0 all done; 1 some inputs or frames could not be read; 2 wrong
    usage; 3 nothing could be read or written; 4 a model is missing, damaged
    or of the wrong kind; 5 an extra is not installed; 130 interrupted.
    """  # noqa: D301 - \b is click's mark for text that it must not rewrap
    from dataclasses import asdict

    from mien.cli.progress import create_view
    from mien.pipeline import FeatureEvent, Note, extract_features
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

    with sigterm_as_interrupt(), view:
        try:
            result = extract_features(inputs, out, on_progress=view.progress, on_event=report, **options)
        except KeyboardInterrupt:
            view.say(
                "interrupted",
                "interrupted; run the same command again to go on after the last row that is safe",
                exit_code=INTERRUPTED,
            )
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
    return result_code(any_done=bool(result.records), complete=result.complete)

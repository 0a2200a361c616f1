# SPDX-License-Identifier: Apache-2.0
"""``mien analyze``: photos, videos or a camera to a table."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from mien.cli.field_options import GroupedCommand, field_options, log_option
from mien.cli.main import INTERRUPTED, exit_code, result_code
from mien.core import AnalyzerConfig, JobOptions, MienError, Outputs, VideoOptions
from mien.jobs import sigterm_as_interrupt

if TYPE_CHECKING:
    from mien.cli.progress import RunView
    from mien.pipeline import RunResult

_MAX_VIDEOS_IN_WORDS = 5
_MAX_ROWS_IN_WORDS = 200_000  # a sentence is not worth a minute


_OUT_HELP = (
    "Table for all inputs (.parquet, .csv, .jsonl), folder that gets one table per input, or - for JSON Lines on "
    "standard output. Without it the faces of photos are printed."
)


@click.command(cls=GroupedCommand, short_help="Photos, videos or a camera to a table of affect.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@field_options(Outputs, VideoOptions, AnalyzerConfig, JobOptions, help_texts={"table": _OUT_HELP})
@log_option
def analyze(inputs: tuple[str, ...], log: str, **options: Any) -> int:
    """Analyse photos, videos, folders, globs or a camera (its number) into a table with one row per face and frame.

    A frame without a face has one row too. Beside the table, a manifest records what was read and what was lost. Where
    --out is a folder, inputs that an earlier run has finished are skipped, and failures.csv lists what failed.

    \b
    Exit codes: 0 all done; 1 some inputs failed or were read in part; 2 wrong
    usage; 3 no input could be read or the output cannot be written; 4 a model
    is missing, damaged or of the wrong kind; 5 an extra is not installed;
    130 interrupted.
    """  # noqa: D301 - \b is click's mark for text that it must not rewrap
    from mien import pipeline
    from mien.cli.progress import create_view, reporter

    view = create_view(log)
    with sigterm_as_interrupt(), view, ExitStack() as stack:
        lines = None
        if options["table"] == "-":
            lines = Path(stack.enter_context(TemporaryDirectory(prefix="mien-")), "rows.jsonl")
            stack.callback(_print_lines, lines)  # after an interrupt, too: what was done is printed
            options["table"] = lines
        try:
            result = pipeline.analyze(inputs, on_progress=view.progress, on_event=reporter(view, lines), **options)
        except KeyboardInterrupt:
            view.say("interrupted", "interrupted; a table that was written holds what was done", exit_code=INTERRUPTED)
            return INTERRUPTED
        except MienError as error:
            # Here rather than in main, so that programs get their JSON line.
            view.say("error", f"mien: {error}", exit_code=exit_code(error))
            return exit_code(error)
        for name in ("overlay", "report"):
            if options[name] is not None and result.inputs:
                view.say(name, f"wrote {options[name]}", **{name: str(options[name])})
        _say_what_was_seen(result, view, options["display_smooth"])
        n_named = len({record.path for record in result.inputs} | {failure.path for failure in result.failures})
        if result.failures and n_named > 1:
            view.say("summary", f"{n_named - len(result.failures)} of {n_named} inputs done, see above for the others")
        if result.in_memory is not None and result.inputs:
            from mien.cli.recordings.console_table import print_faces

            photos = {record.path for record in result.inputs if record.kind == "image"}
            stack.callback(print_faces, result.in_memory, photos)  # after the bars are gone
    return result_code(any_done=bool(result.inputs), complete=result.complete)


def _print_lines(path: Path) -> None:
    from mien.cli.recordings.console_table import print_lines

    if path.exists():
        print_lines(path)


def _say_what_was_seen(result: RunResult, view: RunView, smooth: str | None) -> None:
    """A sentence about the expressions of each video of a run, where these are few and short."""
    from mien.pipeline import in_words

    videos = {record.path for record in result.inputs if record.kind != "image"}
    few = len(videos) <= _MAX_VIDEOS_IN_WORDS and sum(one.n_rows for one in result.inputs) <= _MAX_ROWS_IN_WORDS
    if not few or not videos:
        return
    for source, sentence in in_words(result.table, smooth=smooth):
        if source in videos:
            view.say("seen", f"seen in {source}: {sentence}", path=source)

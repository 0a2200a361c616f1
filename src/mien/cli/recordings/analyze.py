# SPDX-License-Identifier: Apache-2.0
"""``mien analyze``: photos, videos or a camera to a table."""

from __future__ import annotations

from typing import Any

import click

from mien.cli.field_options import field_options, log_option
from mien.cli.main import INTERRUPTED, exit_code, result_code
from mien.core import AnalyzerConfig, JobOptions, MienError, Outputs, VideoOptions
from mien.jobs import sigterm_as_interrupt


@click.command(short_help="Photos, videos or a camera to a table of affect.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@field_options(Outputs, VideoOptions, AnalyzerConfig, JobOptions, required=("table",))
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
    with sigterm_as_interrupt(), view:
        try:
            result = pipeline.analyze(inputs, on_progress=view.progress, on_event=reporter(view), **options)
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
    return result_code(any_done=bool(result.inputs), complete=result.complete)

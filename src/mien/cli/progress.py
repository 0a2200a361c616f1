# SPDX-License-Identifier: Apache-2.0
"""Shows the progress and events of a run on standard error: lines for people, JSON lines for programs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from mien.cli.json_log import write_event
from mien.cli.main import say
from mien.core import counted
from mien.pipeline import Event, FailuresListed, Note, Progress, TablesSkipped, TableWritten
from mien.results import InputFailure, InputRecord, manifest_path

_SECONDS_BETWEEN_LINES = 1.0
_SECONDS_BETWEEN_PLAIN_LINES = 5.0


class RunView(Protocol):
    """A view of a run, which takes progress and events."""

    def progress(self, progress: Progress) -> None:
        """Show progress."""

    def say(self, event: str, message: str, **facts: Any) -> None:
        """Show an event.

        Args:
            event: Name of the event.
            message: One sentence for people.
            **facts: JSON values for programs.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class JsonView:
    """One JSON object per line: one for every event, and ``progress`` at most once per second."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def progress(self, progress: Progress) -> None:
        """Write a line unless the last one was a moment ago."""
        now = time.monotonic()
        if now >= self._next_s:
            self._next_s = now + _SECONDS_BETWEEN_LINES
            self._line("progress", vars(progress))

    def say(self, event: str, message: str, **facts: Any) -> None:
        """Write an event."""
        self._line(event, {"message": message, **facts})

    def _line(self, event: str, facts: dict[str, Any]) -> None:
        write_event(event, facts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class PlainView:
    """One line per event, and one every few seconds of a long input, for a pipe or a file."""

    def __init__(self) -> None:
        self._next_s = time.monotonic() + _SECONDS_BETWEEN_PLAIN_LINES

    def progress(self, progress: Progress) -> None:
        """Print a line if the last one is some seconds old."""
        now = time.monotonic()
        if now < self._next_s:
            return
        self._next_s = now + _SECONDS_BETWEEN_PLAIN_LINES
        place = f"{progress.number + 1} of {progress.n_inputs}: " if progress.n_inputs > 1 else ""
        expected = "" if progress.n_frames_expected is None else f" of {progress.n_frames_expected}"
        say(f"{place}{progress.source}: {progress.n_frames}{expected} frames", err=True)

    def say(self, event: str, message: str, **facts: Any) -> None:  # noqa: ARG002 - the port names them
        """Print the message."""
        say(message, err=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class QuietView(PlainView):
    """Failures, warnings and errors, nothing else."""

    def progress(self, progress: Progress) -> None:
        """Do nothing."""

    def say(self, event: str, message: str, **facts: Any) -> None:
        """Print the message if it is of something that went wrong."""
        if event in ("failure", "failures", "warning", "error", "interrupted", "summary"):
            super().say(event, message, **facts)


def create_view(log: str) -> RunView:
    """The view of ``--log json`` or ``quiet``, or of ``--log text``: with bars where standard error is a terminal."""
    if log == "json":
        return JsonView()
    if log == "quiet":
        return QuietView()
    if not sys.stderr.isatty():
        return PlainView()
    from mien.cli.bars import BarView

    return BarView()


# A damaged video has one remark per damaged place; people need their number, not each of them.
_REMARKS_SHOWN = 3


def reporter(view: RunView, unnamed: Path | None = None) -> Callable[[Event], None]:
    """A callback that shows every event of a run in ``view``.

    Args:
        view: View of the run.
        unnamed: Path of a table that is only on its way to standard output, which is not named.
    """

    def report(event: Event) -> None:
        match event:
            case InputRecord():
                _say_input(view, event)
            case InputFailure(path=path, reason=reason, error=error):
                view.say("failure", f"failed: {reason}", path=path, reason=reason, error=error)
            case TableWritten(table=table) if table == unnamed:
                pass
            case TableWritten(table=table, replaced=replaced):
                message = f"wrote {table}" + (", in place of the table of an earlier run" if replaced else "")
                facts = {"table": str(table), "manifest": str(manifest_path(table)), "replaced": replaced}
                view.say("table", message, **facts)
            case TablesSkipped(tables, n_inputs):
                message = f"skipped {len(tables)} of {counted(n_inputs, 'input')}: finished before and unchanged"
                view.say("skipped", message, n_tables=len(tables), n_inputs=n_inputs)
            case FailuresListed(path=listed):
                view.say("failures", f"listed what failed in {listed}", failures=str(listed))
            case Note(message):
                view.say("note", f"note: {message}")

    return report


def _say_input(view: RunView, record: InputRecord) -> None:
    lost = f" ({counted(record.n_frames_lost, 'frame')} lost)" if record.n_frames_lost else ""
    lost += "" if record.complete else " (cut off)"
    frames = "" if record.kind == "image" else f" in {counted(record.n_frames_decoded, 'frame')}{lost}"
    summary = f"{record.path}: {counted(record.n_faces, 'face')}{frames}, {counted(record.n_rows, 'row')}"
    facts = asdict(record)
    path = facts.pop("path")
    view.say("input", summary, path=path, **{name: value for name, value in facts.items() if name != "messages"})
    remarks = list(dict.fromkeys(record.messages))  # one damaged place may give the same remark many times
    hidden = len(remarks) - _REMARKS_SHOWN
    for message in remarks[:_REMARKS_SHOWN]:
        view.say("warning", f"warning: {record.path}: {message}", path=path)
    if hidden > 0:
        view.say("warning", f"warning: {record.path}: {counted(hidden, 'more remark')} in the manifest", path=path)

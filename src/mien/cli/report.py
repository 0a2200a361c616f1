# SPDX-License-Identifier: Apache-2.0
"""The events of a run in words for people and facts for programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from mien.cli.progress import RunView
from mien.pipeline import Event, FailuresListed, Note, TablesSkipped, TableWritten
from mien.results import InputFailure, InputRecord, manifest_path

# A damaged video has one remark per damaged place; people need to see that there are many, not all of them.
_REMARKS_SHOWN = 3


def reporter(view: RunView) -> Callable[[Event], None]:
    """What shows every event of a run in ``view``."""

    def report(event: Event) -> None:
        match event:
            case InputRecord():
                _say_input(view, event)
            case InputFailure(path=path, reason=reason, error=error):
                view.say("failure", f"failed: {reason}", path=path, reason=reason, error=error)
            case TableWritten(table):
                view.say("table", f"wrote {table}", table=str(table), manifest=str(manifest_path(table)))
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


def counted(n: int, noun: str) -> str:
    """``1 face``, ``2 faces``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"

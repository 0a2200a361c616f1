# SPDX-License-Identifier: Apache-2.0
"""How a run shows itself on standard error: a bar and plain lines for people, JSON lines for programs."""

from __future__ import annotations

import json
import time
from types import TracebackType
from typing import Any, Protocol, Self

import click
from rich import progress as bars
from rich.console import Console

from mien.pipeline import Progress

_SECONDS_BETWEEN_LINES = 1.0
_NAME_WIDTH = 40


class RunView(Protocol):
    """Takes progress and events."""

    def progress(self, progress: Progress) -> None:
        """Show progress."""

    def say(self, event: str, message: str, **facts: Any) -> None:
        """Show an event: ``message`` for people, ``facts`` for programs."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class JsonView:
    """One JSON object a line: ``progress`` at most once a second, and one for every event."""

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
        # ASCII alone: any other character could be turned into something that is not JSON by the stream's encoding.
        click.echo(json.dumps({"event": event, **facts}), err=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class TextView:
    """Plain lines for events, and where ``console`` is a terminal, a bar with rate and remaining time under them.

    Args:
        console: where to; standard error if None.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        # File names may look like rich's markup: nothing is interpreted.
        self._bar = bars.Progress(
            bars.TextColumn("{task.description}", markup=False),
            bars.BarColumn(),
            bars.TextColumn("{task.completed:.0f} frames, {task.fields[rate]:.0f}/s, {task.fields[n_faces]} faces"),
            bars.TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task: bars.TaskID | None = None
        self._number = -1
        self._started_s = 0.0

    def progress(self, progress: Progress) -> None:
        """Move the bar; a new input restarts it."""
        if self._bar.disable:
            return
        if self._task is None or progress.number != self._number:
            if self._task is not None:
                self._bar.remove_task(self._task)
            label = f"[{progress.number + 1}/{progress.n_inputs}] {progress.source[-_NAME_WIDTH:]}"
            self._task = self._bar.add_task(label, total=progress.n_frames_expected, rate=0.0, n_faces=0)
            self._number, self._started_s = progress.number, time.monotonic()
        elapsed_s = max(time.monotonic() - self._started_s, 1e-3)
        self._bar.update(
            self._task, completed=progress.n_frames, rate=progress.n_frames / elapsed_s, n_faces=progress.n_faces
        )

    def say(self, event: str, message: str, **facts: Any) -> None:  # noqa: ARG002 - people read the message alone
        """Print the message."""
        self._console.print(message, markup=False, highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

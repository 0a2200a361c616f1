# SPDX-License-Identifier: Apache-2.0
"""How a run shows itself on standard error: lines and bars for people, JSON lines for programs."""

from __future__ import annotations

import json
import sys
import time
from types import TracebackType
from typing import Any, Protocol, Self

import click

from mien.pipeline import Progress

_SECONDS_BETWEEN_LINES = 1.0


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


class PlainView:
    """A line for every event, and no progress: where nobody watches, in a pipe or a file."""

    def progress(self, progress: Progress) -> None:
        """Nothing."""

    def say(self, event: str, message: str, **facts: Any) -> None:  # noqa: ARG002 - the port names them
        """Print the message."""
        click.echo(message, err=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


def create_view(log: str) -> RunView:
    """The view of ``--log json``, or of ``--log text``: with bars where standard error is a terminal."""
    if log == "json":
        return JsonView()
    if not sys.stderr.isatty():
        return PlainView()
    from mien.cli.bars import BarView

    return BarView()

# SPDX-License-Identifier: Apache-2.0
"""``mien live`` in the terminal: a table that changes in place, or a line a second where there is no terminal."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol, Self

import click
import numpy as np
from rich.console import Console
from rich.live import Live
from rich.table import Table

from mien.pipeline import LiveFigures, LiveFrame

_REFRESHES_HZ = 8
_BAR_WIDTH = 12
_ACTIVE = 0.5  # probability from which an action unit is named


class LiveView(Protocol):
    """Shows answers."""

    def show(self, answer: LiveFrame) -> None:
        """Show one."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def create_text_view(console: Console | None = None) -> LiveView:
    """The view that suits where the output goes; standard error if ``console`` is None."""
    console = console or Console(stderr=True)
    return TerminalView(console) if console.is_terminal else LineView()


class TerminalView:
    """A table with a line per face, redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=_REFRESHES_HZ, transient=True)
        self._next_s = 0.0

    def show(self, answer: LiveFrame) -> None:
        """Show an answer, unless the last one was a moment ago: nobody reads faster."""
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + 1 / _REFRESHES_HZ
            self._live.update(face_table(answer))

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


class LineView:
    """A line a second on standard error."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def show(self, answer: LiveFrame) -> None:
        """Write a line, unless the last one was written a moment ago."""
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + 1
            tops = ", ".join(top or "-" for top in answer.frame.faces.top_expressions()) or "no face"
            click.echo(f"{answer.frame.time_s:8.2f} s  {tops}  ({figures_line(answer.figures)})", err=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


def figures_line(figures: LiveFigures) -> str:
    """How well the answers keep up, in a line."""
    latency = f"{figures.latency_p50_s * 1000:.0f} ms, 95 %: {figures.latency_p95_s * 1000:.0f} ms"
    return f"{figures.fps:.1f} answers/s, latency {latency}, {figures.n_dropped} frames dropped"


def face_table(answer: LiveFrame) -> Table:
    """The faces of an answer as rich shows them."""
    table = Table(title=answer.source, caption=figures_line(answer.figures), title_justify="left", min_width=70)
    for name in ("track", "expression", "", "valence", "arousal", "action units"):
        table.add_column(name, no_wrap=name != "action units")
    faces = answer.frame.faces
    for face, top in zip(faces, faces.top_expressions(), strict=True):
        probability = float(np.nanmax(face.expression)) if top is not None else 0.0
        active = [
            label
            for label, value in zip(face.action_unit_labels, face.action_units[0], strict=True)
            if value >= _ACTIVE
        ]
        table.add_row(
            str(int(face.track_ids[0])),
            top or "-",
            "█" * round(probability * _BAR_WIDTH),
            f"{float(face.valence[0]):+.2f}",
            f"{float(face.arousal[0]):+.2f}",
            " ".join(active),
        )
    if not len(faces):
        table.add_row("-", "no face", "", "", "", "")
    return table

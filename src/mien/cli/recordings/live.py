# SPDX-License-Identifier: Apache-2.0
"""``mien live``: shows a camera in the terminal, or on a page of this machine."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Any, Protocol, Self

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mien.cli.field_options import GroupedCommand, field_options
from mien.cli.main import EXIT_CODES, INTERRUPTED, say
from mien.core import AnalyzerConfig, InputError, Outputs, VideoOptions, counted, printable
from mien.jobs import sigterm_as_interrupt
from mien.pipeline import LiveFrame, LiveStatistics

_REFRESHES_HZ = 8
_BAR_WIDTH = 12


class LiveView(Protocol):
    """Shows analysed frames."""

    def show(self, frame: LiveFrame) -> None:
        """Show one frame."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def create_text_view(console: Console | None = None) -> LiveView:
    """The view for the kind of output; standard error if ``console`` is None."""
    console = console or Console(stderr=True)
    return TerminalView(console) if console.is_terminal else LineView()


class TerminalView:
    """A table with one line per face, redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=_REFRESHES_HZ, transient=True)
        self._next_s = 0.0

    def show(self, frame: LiveFrame) -> None:
        """Show a frame, unless the last one was a moment ago."""
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + 1 / _REFRESHES_HZ
            self._live.update(face_table(frame))

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


class LineView:
    """One line per second on standard error."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def show(self, frame: LiveFrame) -> None:
        """Write a line, unless the last one was written a moment ago."""
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + 1
            tops = ", ".join(top or "-" for top in frame.shown.faces.top_expressions()) or "no face"
            click.echo(f"{frame.frame.time_s:8.2f} s  {tops}  ({statistics_line(frame.statistics)})", err=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


def statistics_line(statistics: LiveStatistics) -> str:
    """Speed of a live run in one line."""
    latency = f"{statistics.latency_p50_s * 1000:.0f} ms, 95 %: {statistics.latency_p95_s * 1000:.0f} ms"
    return f"{statistics.fps:.1f} frames/s, latency {latency}, {statistics.n_dropped} frames dropped"


def face_table(frame: LiveFrame) -> Table:
    """Table of the faces of a frame for the terminal."""
    table = Table(
        title=Text(printable(frame.source)),
        caption="; ".join(filter(None, (statistics_line(frame.statistics), frame.smoothing))),
        title_justify="left",
        min_width=70,
    )
    for name in ("track", "expression", "", "valence", "arousal", "action units"):
        table.add_column(name, no_wrap=name != "action units")
    faces = frame.shown.faces
    present = faces.present_action_units(frame.thresholds)
    for face, units in zip(faces, present, strict=True):
        probability = None if face.expression is None else face.probabilities[face.expression]
        table.add_row(
            "-" if face.track_id is None else str(face.track_id),
            face.expression or "-",
            "█" * round((probability or 0.0) * _BAR_WIDTH),
            *("" if value is None else f"{value:+.2f}" for value in (face.valence, face.arousal)),
            " ".join(units),
        )
    if not len(faces):
        table.add_row("-", "no face", "", "", "", "")
    return table


@click.command(cls=GroupedCommand, short_help="Watch a camera: in the terminal, or on a page of this machine.")
@click.argument("source", default="0", metavar="[CAMERA_OR_VIDEO]")
@click.option("--page", is_flag=True, help="Show images and numbers on a web page that only this machine can open.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Port of the page. [default: a free one]"
)
@click.option("--anonymous", is_flag=True, help="Make faces unrecognisable on the page.")
@field_options(
    Outputs,
    only=("table", "landmarks", "intervals", "private", "display_smooth"),
    help_texts={
        "table": "Table (.parquet, .csv, .jsonl) to write the predictions into; none if not given.",
        "display_smooth": "Smooth the values that are shown over the time before each frame, not those of the table: a "
        "half-width such as 0.4s, settings as for analyze --smooth, or none.",
    },
)
@field_options(
    VideoOptions,
    only=("stop_s", "network"),
    help_texts={"stop_s": "Time in seconds after which to stop; at Ctrl-C if not given."},
)
@field_options(AnalyzerConfig)
def live(source: str, page: bool, port: int, anonymous: bool, **options: Any) -> int:
    """Watch a camera (its number, or with --network its address) or a video at its own pace, until Ctrl-C.

    Frames that come while another one is being analysed are dropped, so that what is shown is never old. The latency is
    the time from the arrival of a frame to its predictions. Nothing is stored unless --out names a table, and nothing
    leaves this machine.
    """
    from mien import pipeline
    from mien.cli.live_page import LivePage
    from mien.cli.recordings.live import create_text_view

    if anonymous and not page:
        raise click.UsageError("--anonymous is about images; add --page")
    statistics = None
    code = 0
    with sigterm_as_interrupt(), ExitStack() as stack:
        frames = stack.enter_context(closing(pipeline.live(source, **options)))
        try:
            views: list[Any] = []
            for frame in frames:
                if not views:  # only now is it certain that there is something to see
                    views.append(stack.enter_context(create_text_view()))
                    if page:
                        views.append(stack.enter_context(LivePage(port, anonymous=anonymous)))
                        click.echo(f"open {views[-1].url} in a browser of this machine; Ctrl-C ends it", err=True)
                statistics = frame.statistics
                for view in views:
                    view.show(frame)
        except KeyboardInterrupt:
            code = INTERRUPTED
    if statistics is None and not code:
        say(f"{printable(source)}: no frame was analysed before it ended; give it more time (--to)", err=True)
        code = EXIT_CODES[InputError]
    if statistics is not None:
        say(f"{counted(statistics.n_frames, 'frame')} analysed; {statistics_line(statistics)}", err=True)
        if options["table"] is not None:
            say(f"wrote {options['table']}", err=True)
    return code

# SPDX-License-Identifier: Apache-2.0
"""``mien live``: the camera in the terminal, or on a page of this machine."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import click
import numpy as np
from rich.console import Console
from rich.live import Live
from rich.table import Table

from mien.cli.main import INTERRUPTED
from mien.jobs import sigterm_as_interrupt
from mien.pipeline import LiveFigures, LiveFrame

_REFRESHES_HZ = 8
_BAR_WIDTH = 12


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
    present = faces.present_action_units(answer.thresholds)
    for face, top, units in zip(faces, faces.top_expressions(), present, strict=True):
        probability = float(np.nanmax(face.expression)) if top is not None else 0.0
        table.add_row(
            str(int(face.track_ids[0])),
            top or "-",
            "█" * round(probability * _BAR_WIDTH),
            f"{float(face.valence[0]):+.2f}",
            f"{float(face.arousal[0]):+.2f}",
            " ".join(units),
        )
    if not len(faces):
        table.add_row("-", "no face", "", "", "", "")
    return table


@click.command(short_help="Watch a camera: in the terminal, or on a page of this machine.")
@click.argument("source", default="0", metavar="[CAMERA_OR_VIDEO]")
@click.option("--page", is_flag=True, help="Show pictures and figures on a page that only this machine can open.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Of the page. [default: a free one]"
)
@click.option("--anonymous", is_flag=True, help="Make faces unrecognisable on the page.")
@click.option("--out", type=click.Path(path_type=Path), metavar="TABLE", help="Write the answers into a table as well.")
@click.option("--to", "stop_s", type=float, metavar="SECONDS", help="End after so many seconds. [default: Ctrl-C]")
@click.option("--faces", default="all", show_default=True, metavar="WHICH", help="all, or largest (of each frame).")
@click.option("--model", default="mien-light", show_default=True, metavar="NAME", help="A bundle, or its folder.")
@click.option("--detector", default="mtcnn", show_default=True, metavar="NAME", help="mtcnn, or yunet=FILE.onnx.")
@click.option(
    "--landmark-model",
    default="mien-points",
    show_default=True,
    metavar="NAME",
    help="A landmark net, its folder, or none.",
)
@click.option("--runtime", default="onnxruntime", show_default=True, metavar="NAME", help="Or openvino (extra).")
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Of each model. [default: all cores]")
def live(source: str, page: bool, port: int, anonymous: bool, out: Path | None, **options: Any) -> int:
    """Watch a camera (its number) or a video at its own pace, until Ctrl-C.

    Frames that come while another one is being read are dropped, so that what is shown is never old. The latency is
    from the arrival of a picture to its answer. Nothing is stored unless --out names a table, and nothing leaves this
    machine.
    """
    from mien import pipeline
    from mien.cli.live_page import LivePage
    from mien.cli.recordings.live import create_text_view

    if anonymous and not page:
        raise click.UsageError("--anonymous is about pictures; add --page")
    figures = None
    code = 0
    with sigterm_as_interrupt(), ExitStack() as stack:
        answers = stack.enter_context(closing(pipeline.live(source, out=out, **options)))
        try:
            views: list[Any] = []
            for answer in answers:
                if not views:  # only now is it certain that there is something to see
                    views.append(stack.enter_context(create_text_view()))
                    if page:
                        views.append(stack.enter_context(LivePage(port, anonymous=anonymous)))
                        click.echo(f"open {views[-1].url} in a browser of this machine; Ctrl-C ends it", err=True)
                figures = answer.figures
                for view in views:
                    view.show(answer)
        except KeyboardInterrupt:
            code = INTERRUPTED
    if figures is not None:
        click.echo(
            f"{figures.n_frames} frames answered, {figures.n_dropped} dropped; "
            f"latency {figures.latency_p50_s * 1000:.0f} ms, 95 %: {figures.latency_p95_s * 1000:.0f} ms",
            err=True,
        )
        if out is not None:
            click.echo(f"wrote {out}", err=True)
    return code

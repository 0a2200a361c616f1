# SPDX-License-Identifier: Apache-2.0
"""``mien live``."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import click

from mien.cli.main import INTERRUPTED
from mien.cli.signals import terminated_like_interrupted


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
    "--points", default="mien-points", show_default=True, metavar="NAME", help="A landmark net, its folder, or none."
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
    from mien.cli.live_text import create_text_view

    if anonymous and not page:
        raise click.UsageError("--anonymous is about pictures; add --page")
    figures = None
    code = 0
    with terminated_like_interrupted(), ExitStack() as stack:
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

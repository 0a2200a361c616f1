# SPDX-License-Identifier: Apache-2.0
import io

from rich.console import Console

from mien.cli.bars import BarView
from mien.pipeline import Progress


def frame(n: int, *, source: str = "clip.mp4", number: int = 0) -> Progress:
    return Progress(source=source, number=number, n_inputs=2, n_frames=n, n_frames_expected=100, n_faces=2 * n)


def shown(*frames: Progress) -> str:
    screen = io.StringIO()
    with BarView(Console(file=screen, force_terminal=True, width=120)) as view:
        for each in frames:
            view.progress(each)
            view._bar.refresh()
    return screen.getvalue()


def test_a_terminal_shows_a_bar_for_each_input() -> None:
    text = shown(frame(5), frame(50), frame(1, source="next.mp4", number=1))
    assert "[1/2] clip.mp4" in text
    assert "50 frames" in text
    assert "100 faces" in text
    assert "[2/2] next.mp4" in text


def test_names_are_not_markup() -> None:
    assert "[1/2] a[/x][bold]b.mp4" in shown(frame(1, source="a[/x][bold]b.mp4"))

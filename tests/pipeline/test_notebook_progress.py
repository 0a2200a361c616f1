# SPDX-License-Identifier: Apache-2.0
import sys
from types import SimpleNamespace

import pytest

from mien.pipeline import Progress
from mien.pipeline.notebook_progress import notebook_progress


class ZMQInteractiveShell:
    """Stands for the shell of a notebook, which is known by its class name."""


class Handle:
    def __init__(self, shown: list[object]) -> None:
        self._shown = shown

    def update(self, bar: object) -> None:
        self._shown.append(bar)


def test_a_notebook_gets_one_bar_that_is_updated(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[object] = []

    def display(bar: object, *, display_id: bool) -> Handle:
        assert display_id
        shown.append(bar)
        return Handle(shown)

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=ZMQInteractiveShell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    show = notebook_progress()
    assert show is not None
    for n_frames in (1, 2, 50):
        show(Progress(source="<b>.mp4", number=0, n_inputs=1, n_frames=n_frames, n_frames_expected=50, n_faces=3))
    assert len(shown) == 2  # the second came too soon after the first, the last is always shown
    html = shown[-1]._repr_html_()  # type: ignore[attr-defined]
    assert 'value="50" max="50"' in html
    assert "&lt;b&gt;.mp4" in html
    assert repr(shown[0]) == "<b>.mp4, 1 of 50 frames, 3 faces"


def test_a_script_and_a_terminal_get_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert notebook_progress() is None

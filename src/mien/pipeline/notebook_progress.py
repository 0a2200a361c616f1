# SPDX-License-Identifier: Apache-2.0
"""The progress bar of `mien.analyze` in notebooks, which need no further package for it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from html import escape
from importlib import import_module
from typing import Any

from mien.core import printable
from mien.pipeline.run_progress import Progress

_SECONDS_BETWEEN = 0.2


def notebook_progress() -> Callable[[Progress], None] | None:
    """A callback that shows the progress of a run as a bar in the notebook that called; None outside of notebooks.

    Examples:
        >>> notebook_progress() is None
        True
    """
    ipython = sys.modules.get("IPython")  # a notebook has imported it
    shell = None if ipython is None else ipython.get_ipython()
    if type(shell).__name__ != "ZMQInteractiveShell":
        return None
    return _NotebookBar(import_module("IPython.display").display)


class _NotebookBar:
    def __init__(self, display: Callable[..., Any]) -> None:
        self._display = display
        self._handle: Any = None
        self._next_s = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        last = progress.number + 1 == progress.n_inputs and progress.n_frames == progress.n_frames_expected
        if now < self._next_s and not last:
            return
        self._next_s = now + _SECONDS_BETWEEN
        bar = _Bar(progress)
        if self._handle is None:
            self._handle = self._display(bar, display_id=True)
        else:
            self._handle.update(bar)


class _Bar:
    """A progress as one line of HTML, and as text where a notebook shows no HTML."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __repr__(self) -> str:
        one = self._progress
        expected = "" if one.n_frames_expected is None else f" of {one.n_frames_expected}"
        place = f"{one.number + 1} of {one.n_inputs}: " if one.n_inputs > 1 else ""
        return f"{place}{printable(one.source, limit=80)}, {one.n_frames}{expected} frames, {one.n_faces} faces"

    def _repr_html_(self) -> str:
        one = self._progress
        share = f'value="{one.n_frames}" max="{one.n_frames_expected}"' if one.n_frames_expected else ""
        return f"<progress {share}></progress> {escape(repr(self))}"

# SPDX-License-Identifier: Apache-2.0
"""Shows a run on a terminal with progress bars; apart from the other views because rich takes a while to load."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from rich import progress as bars
from rich.console import Console

from mien.core import printable
from mien.pipeline import Progress

_NAME_WIDTH = 40
_FINAL_EVENTS = ("failure", "input")  # events after which an input shows no more progress


@dataclass
class _InputBar:
    """The bar of one input.

    Attributes:
        task: Identifier of the bar in rich's list.
        started_s: Time at which the input was first seen, on the monotonic clock.
        share: Share of the input that is done, from 0 to 1.
    """

    task: bars.TaskID
    started_s: float
    share: float = 0.0


class BarView:
    """A `RunView` with plain lines for events, and bars with rate and remaining time under them.

    There is a bar for every input that is being analysed, and where there are several inputs, one for the whole run.

    Args:
        console: A terminal; standard error if None.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        # File names may look like rich's markup: nothing is interpreted.
        self._bar = bars.Progress(
            bars.TextColumn("{task.description}", markup=False),
            bars.BarColumn(),
            bars.TextColumn("{task.fields[facts]}", markup=False),
            bars.TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._inputs: dict[str, _InputBar] = {}
        self._whole: bars.TaskID | None = None

    def progress(self, progress: Progress) -> None:
        """Move the bar of this input, and that of the run."""
        if progress.n_inputs > 1 and self._whole is None:
            # Inputs that were done before do not count for the speed: the bar begins where they end.
            n_done = progress.n_inputs_done
            self._whole = self._bar.add_task("all", total=progress.n_inputs, completed=n_done, facts="")
        if progress.source not in self._inputs:
            label = f"[{progress.number + 1}/{progress.n_inputs}] {printable(progress.source)[-_NAME_WIDTH:]}"
            task = self._bar.add_task(label, total=progress.n_frames_expected, facts="")
            self._inputs[progress.source] = _InputBar(task, time.monotonic())
        bar = self._inputs[progress.source]
        rate = progress.n_frames / max(time.monotonic() - bar.started_s, 1e-3)
        facts = f"{progress.n_frames} frames, {rate:.0f}/s, {progress.n_faces} faces"
        self._bar.update(bar.task, completed=progress.n_frames, facts=facts)
        bar.share = min(1.0, progress.n_frames / progress.n_frames_expected) if progress.n_frames_expected else 0.0
        if self._whole is not None:
            begun = sum(each.share for each in self._inputs.values())
            facts = f"{progress.n_inputs_done} of {progress.n_inputs} inputs done"
            self._bar.update(self._whole, completed=progress.n_inputs_done + begun, facts=facts)

    def say(self, event: str, message: str, **facts: Any) -> None:
        """Print the message; an input that is finished loses its bar."""
        self._console.print(printable(message, keep="\n"), markup=False, highlight=False, soft_wrap=True)
        bar = self._inputs.pop(facts.get("path", ""), None) if event in _FINAL_EVENTS else None
        if bar is not None:
            self._bar.remove_task(bar.task)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

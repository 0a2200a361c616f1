# SPDX-License-Identifier: Apache-2.0
"""Jobs one after the other in this process and thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mien.jobs.engine import Done, Event, Failed, Setup, Told


def run_here(setup: Setup, items: Sequence[Any], report: Callable[[Event], None]) -> None:
    """Work on the items in order; see `mien.jobs.Engine.run`. Interrupts reach the work as they come."""
    work = setup()
    for number, item in enumerate(items):
        teller = _Teller(number, report)
        try:
            result = work(item, teller)
        except Exception as error:
            if error is teller.error:  # of whoever listens, not of the work: it ends the run
                raise
            report(Failed(number, error))
        else:
            report(Done(number, result))


class _Teller:
    """Passes messages on and remembers an exception of the listener, which comes back through the work."""

    def __init__(self, number: int, report: Callable[[Event], None]) -> None:
        self._number = number
        self._report = report
        self.error: BaseException | None = None

    def __call__(self, message: Any) -> None:
        try:
            self._report(Told(self._number, message))
        except BaseException as error:
            self.error = error
            raise

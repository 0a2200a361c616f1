# SPDX-License-Identifier: Apache-2.0
"""An engine for tests that need neither processes nor a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mien.core import JobError
from mien.jobs.engine import Event, Failed, Setup
from mien.jobs.here import run_here


class FakeEngine:
    """An `Engine` that works in this process, from the last item to the first, and loses the workers of some.

    Args:
        crashes: numbers of the items whose worker "dies", and the reason to give.
        workers: what `n_workers` says.
    """

    shares_cores = True

    def __init__(self, crashes: Mapping[int, str] | None = None, *, workers: int = 2) -> None:
        self._crashes = dict(crashes or {})
        self.n_workers = workers

    def run(self, setup: Setup, items: Sequence[Any], report: Callable[[Event], None]) -> None:
        """Work on the items; see `Engine.run`."""
        for number, reason in self._crashes.items():
            report(Failed(number, JobError(reason)))
        alive = [number for number in reversed(range(len(items))) if number not in self._crashes]

        def renumbered(event: Event) -> None:
            report(type(event)(alive[event.number], *list(vars(event).values())[1:]))

        run_here(setup, [items[number] for number in alive], renumbered)

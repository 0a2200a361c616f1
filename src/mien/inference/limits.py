# SPDX-License-Identifier: Apache-2.0
"""Limits of time and memory for graphs that are loaded and run for the first time."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy.typing as npt

from mien.inference.runtime import LimitedSession, Session, process_data_bytes

LOAD_LIMIT_S = 50.0
"""Longest time in seconds for loading a graph."""

FIRST_RUN_LIMIT_S = 20.0
"""Longest time in seconds for the first run of a graph."""

# Memory that a graph may take while it is loaded and run once, beyond what the process has: a number above every
# published face network, and some copies of the weights.
_EXTRA_BYTES = 4_000_000_000
_COPIES_OF_WEIGHTS = 8

_one_at_a_time = threading.Lock()


@contextmanager
def stopped_after(limit_s: float, stop: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Call a function if the block takes longer than a limit.

    Args:
        limit_s: Time in seconds.
        stop: Function that ends the work of the block; it runs in another thread.

    Yields:
        Function that says whether the limit was reached.

    Examples:
        >>> with stopped_after(5.0, lambda: None) as reached:
        ...     reached()
        False
    """
    reached = threading.Event()

    def end() -> None:
        reached.set()
        stop()

    timer = threading.Timer(limit_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield reached.is_set
    finally:
        timer.cancel()


def first_run(session: Session, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """The outputs of a graph that was never run before: it is stopped if it does not end.

    A session that cannot stop a run has no limit.

    Args:
        session: Session of the graph.
        inputs: Inputs by name.

    Raises:
        ModelError: The graph fails, or takes more than `FIRST_RUN_LIMIT_S`.
    """
    return session.run_within(inputs, FIRST_RUN_LIMIT_S) if isinstance(session, LimitedSession) else session.run(inputs)


@contextmanager
def bounded_memory(graph_bytes: int) -> Iterator[None]:
    """Bound the memory of this process in the block, on Linux: an allocation far beyond it fails.

    Elsewhere nothing is bounded. One block runs at a time.

    Args:
        graph_bytes: Size of the graph that the block loads and runs.
    """
    used = process_data_bytes()
    if sys.platform != "linux" or used is None:
        yield
        return
    import resource

    with _one_at_a_time:
        before, most = resource.getrlimit(resource.RLIMIT_DATA)
        bound = used + _EXTRA_BYTES + _COPIES_OF_WEIGHTS * graph_bytes
        present = [limit for limit in (before, most) if limit != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_DATA, (min([bound, *present]), most))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, (before, most))

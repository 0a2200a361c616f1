# SPDX-License-Identifier: Apache-2.0
"""Interrupts that wait for a safe moment, so that they cannot tear a message in two."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class PendingInterrupts:
    """Counts interrupts.

    Attributes:
        n: how many came so far.
    """

    def __init__(self) -> None:
        self.n = 0

    def take(self, _signal: int, _frame: FrameType | None) -> None:
        """A signal handler."""
        self.n += 1


@contextmanager
def deferred_interrupts() -> Iterator[PendingInterrupts]:
    """Count Ctrl-C, and SIGTERM where the program handles it in Python, instead of raising from any line.

    When the block ends the handlers are as before, and KeyboardInterrupt is raised if there was an interrupt. In a
    thread other than the main one, which no interrupt ever reaches, nothing is changed.

    Raises:
        KeyboardInterrupt: an interrupt came.
    """
    pending = PendingInterrupts()
    if threading.current_thread() is not threading.main_thread():
        yield pending
        return
    # What is ignored, or kills the process, stays as it is: that was somebody's choice.
    before: dict[signal.Signals, Any] = {each: signal.getsignal(each) for each in _SIGNALS}
    deferred = {each: handler for each, handler in before.items() if callable(handler)}
    for each in deferred:
        signal.signal(each, pending.take)
    try:
        yield pending
    finally:
        for each, handler in deferred.items():
            signal.signal(each, handler)
    if pending.n:
        raise KeyboardInterrupt


@contextmanager
def kept_handlers() -> Iterator[None]:
    """Undo what the block does to the handlers of interrupts, as libraries do that were not asked to."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.getsignal(each) for each in _SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def born_deaf() -> Iterator[None]:
    """Processes started in this block never see the interrupts of the terminal, not even while Python starts.

    A terminal sends Ctrl-C to every process; only the first one shall act on it. On Windows there are no signal
    masks, and a worker is deaf only from its first line on.
    """
    if os.name != "posix":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore_interrupts() -> None:
    """Leave interrupts to the process that started this one."""
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM, which job schedulers, ``timeout`` and ``kill`` send, ends the block as Ctrl-C does: with whole files."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python handles signals in its main thread alone
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

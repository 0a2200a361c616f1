# SPDX-License-Identifier: Apache-2.0
"""Context managers that defer, block or translate SIGINT and SIGTERM, so that no message or file is cut in two."""

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
    """Counter of interrupts.

    Attributes:
        n: Number of interrupts so far.
    """

    def __init__(self) -> None:
        self.n = 0

    def count(self, _signal: int, _frame: FrameType | None) -> None:
        """Signal handler that counts the interrupt."""
        self.n += 1


@contextmanager
def deferred_interrupts() -> Iterator[PendingInterrupts]:
    """Count Ctrl-C, and SIGTERM if the program handles it in Python, instead of raising at an arbitrary line.

    At the end of the block the handlers are restored, and KeyboardInterrupt is raised if there was an interrupt. In a
    thread other than the main thread, which receives no signals, nothing changes.

    Raises:
        KeyboardInterrupt: There was an interrupt during the block.

    Examples:
        >>> import signal
        >>> before = signal.signal(signal.SIGINT, signal.default_int_handler)
        >>> try:
        ...     with deferred_interrupts() as interrupts:
        ...         signal.raise_signal(signal.SIGINT)
        ...         print(f"{interrupts.n} interrupt, and the block continues")
        ... except KeyboardInterrupt:
        ...     print("stopped after the block")
        1 interrupt, and the block continues
        stopped after the block
        >>> _ = signal.signal(signal.SIGINT, before)
    """
    pending = PendingInterrupts()
    if threading.current_thread() is not threading.main_thread():
        yield pending
        return
    # Signals that are ignored or end the process at once keep their handlers: the caller has chosen them.
    before: dict[signal.Signals, Any] = {each: signal.getsignal(each) for each in _SIGNALS}
    deferred = {each: handler for each, handler in before.items() if callable(handler)}
    for each in deferred:
        signal.signal(each, pending.count)
    try:
        yield pending
    finally:
        for each, handler in deferred.items():
            signal.signal(each, handler)
    if pending.n:
        raise KeyboardInterrupt


@contextmanager
def restored_handlers() -> Iterator[None]:
    """Restore the handlers of SIGINT and SIGTERM after the block, since some libraries replace them."""
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
def blocked_interrupts() -> Iterator[None]:
    """Block SIGINT and SIGTERM for processes that are started in the block, even while Python starts.

    A terminal sends Ctrl-C to every process; only the parent process handles it. Windows has no signal masks: there a
    worker ignores interrupts only once it calls `ignore_interrupts`.
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
    """Ignore SIGINT and SIGTERM in this process; the parent process handles them."""
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM, which job schedulers, ``timeout`` and ``kill`` send, as on Ctrl-C.

    Examples:
        >>> import signal
        >>> try:
        ...     with sigterm_as_interrupt():
        ...         signal.raise_signal(signal.SIGTERM)
        ... except KeyboardInterrupt:
        ...     print("results saved")
        results saved
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python handles signals in its main thread alone
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

# SPDX-License-Identifier: Apache-2.0
"""Context managers that defer, block or translate SIGINT and SIGTERM, so that no message or file is cut in two."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_CLEAN_UP_S = 2.0
_GRACE_S, _HURRY_S = 30.0, 5.0

Counter = TypeVar("Counter", bound="PendingInterrupts")


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

    def forward(self, n: int) -> None:
        """Count interrupts that an inner block has deferred."""
        self.n += n


class InterruptGate(PendingInterrupts):
    """Counter of interrupts that also raises KeyboardInterrupt while it is open."""

    def __init__(self) -> None:
        super().__init__()
        self._is_open = False
        self._raised_s = float("-inf")

    def count(self, _signal: int, _frame: FrameType | None) -> None:
        """Signal handler that counts the interrupt and raises it if the gate is open.

        Once raised, further ones are only counted for a moment, so that a second Ctrl-C does not end the clean-up of
        the first. After that they are raised again, since an exception in a callback of a library is lost.
        """
        self.n += 1
        self._raise_if_open()

    def forward(self, n: int) -> None:
        """Count interrupts that an inner block has deferred, and raise if the gate is open."""
        self.n += n
        self._raise_if_open()

    def _raise_if_open(self) -> None:
        now_s = time.monotonic()
        if self._is_open and now_s - self._raised_s > _CLEAN_UP_S:
            self._raised_s = now_s
            raise KeyboardInterrupt

    @contextmanager
    def open(self) -> Iterator[None]:
        """A block that interrupts may end; one that came before the block ends it at once.

        Raises:
            KeyboardInterrupt: There was an interrupt.
        """
        self._is_open = True
        try:
            if self.n:
                raise KeyboardInterrupt
            yield
        finally:
            self._is_open = False


class StopClock:
    """Time that workers have to write what they hold, once a run is being stopped.

    They have half a minute. After a second interrupt, which may only be an impatient one, they have a few seconds, so
    that a file that is being finished is finished. A third interrupt ends them at once.

    Args:
        interrupts: Counter of the interrupts of the run.
    """

    def __init__(self, interrupts: PendingInterrupts) -> None:
        self._interrupts = interrupts
        self._end_s: float | None = None
        self._is_hurried = False

    @property
    def is_running(self) -> bool:
        """Whether the run is being stopped."""
        return self._end_s is not None

    def start(self) -> None:
        """Begin to stop the run."""
        if self._end_s is None:
            self._end_s = time.monotonic() + _GRACE_S

    def is_over(self) -> bool:
        """Whether the workers that are left are to be ended."""
        if self._end_s is None:
            return False
        if self._interrupts.n > 1 and not self._is_hurried:
            self._is_hurried = True
            self._end_s = min(self._end_s, time.monotonic() + _HURRY_S)
        return self._interrupts.n > 2 or time.monotonic() > self._end_s


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
    with _counted(PendingInterrupts()) as pending:
        yield pending


@contextmanager
def gated_interrupts() -> Iterator[InterruptGate]:
    """As `deferred_interrupts`, but for the blocks that `InterruptGate.open` marks as ready to end early.

    Raises:
        KeyboardInterrupt: There was an interrupt outside of these blocks.

    Examples:
        >>> import signal
        >>> before = signal.signal(signal.SIGINT, signal.default_int_handler)
        >>> try:
        ...     with gated_interrupts() as gate:
        ...         try:
        ...             with gate.open():
        ...                 signal.raise_signal(signal.SIGINT)
        ...         except KeyboardInterrupt:
        ...             print("work stopped")
        ...         signal.raise_signal(signal.SIGINT)
        ...         print("results saved")
        ... except KeyboardInterrupt:
        ...     print("stopped after the block")
        work stopped
        results saved
        stopped after the block
        >>> _ = signal.signal(signal.SIGINT, before)
    """
    with _counted(InterruptGate()) as gate:
        yield gate


@contextmanager
def _counted(pending: Counter) -> Iterator[Counter]:
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
    if not pending.n:
        return
    for handler in deferred.values():
        outer = getattr(handler, "__self__", None)
        if isinstance(outer, PendingInterrupts):
            outer.forward(pending.n)  # the outer block decides when it ends
            return
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
    before = signal.getsignal(signal.SIGTERM)
    if before != signal.SIG_DFL:
        yield  # the caller has chosen what happens
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

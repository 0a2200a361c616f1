# SPDX-License-Identifier: Apache-2.0
"""Deferred, blocked, restored and translated signals."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mien.jobs.signals import (
    PendingInterrupts,
    StopClock,
    blocked_interrupts,
    deferred_interrupts,
    ignore_interrupts,
    restored_handlers,
    sigterm_as_interrupt,
)

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def python_handlers() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, SIGTERM has the system's default; both are restored afterwards."""
    before = [signal.getsignal(each) for each in SIGNALS]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for each, handler in zip(SIGNALS, before, strict=True):
        signal.signal(each, handler)


def handlers() -> list[Any]:
    return [signal.getsignal(each) for each in SIGNALS]


def test_interrupts_are_counted_and_raised_after_the_block() -> None:
    counts: list[int] = []

    def interrupted_block() -> None:
        with deferred_interrupts() as interrupts:
            for _ in range(2):
                signal.raise_signal(signal.SIGINT)
                counts.append(interrupts.n)

    before = handlers()
    with pytest.raises(KeyboardInterrupt):
        interrupted_block()
    assert counts == [1, 2]
    assert handlers() == before


def test_a_block_without_an_interrupt_raises_nothing() -> None:
    before = handlers()
    with deferred_interrupts() as interrupts:
        assert signal.getsignal(signal.SIGINT) == interrupts.count
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, "SIGTERM was not handled in Python before"
    assert interrupts.n == 0
    assert handlers() == before


def test_sigterm_is_deferred_where_python_handles_it() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt), deferred_interrupts() as interrupts:
        signal.raise_signal(signal.SIGTERM)
    assert interrupts.n == 1


def test_an_error_of_the_block_restores_the_handlers() -> None:
    before = handlers()
    with pytest.raises(ValueError, match="broken"), deferred_interrupts():
        raise ValueError("broken")
    assert handlers() == before


@pytest.mark.parametrize("block", [deferred_interrupts, restored_handlers, sigterm_as_interrupt])
def test_another_thread_changes_no_handler(block: Any) -> None:
    inside: list[Any] = []

    def enter() -> None:
        with block():
            inside.extend(handlers())

    before = handlers()
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert inside == before


def test_handlers_that_the_block_replaces_are_restored() -> None:
    before = handlers()
    with restored_handlers():
        ignore_interrupts()
        assert handlers() == [signal.SIG_IGN, signal.SIG_IGN]
    assert handlers() == before


def test_sigterm_ends_the_block_as_an_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt), sigterm_as_interrupt():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.skipif(os.name != "posix", reason="Windows has no signal masks")
def test_processes_started_in_the_block_do_not_see_interrupts() -> None:
    code = (
        "import os, signal; os.kill(os.getpid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGTERM); print('alive')"
    )
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with blocked_interrupts():
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    output, _ = process.communicate()
    assert output == "alive\n"
    assert process.returncode == 0


def test_workers_have_less_time_after_each_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    interrupts = PendingInterrupts()
    clock = StopClock(interrupts)
    assert (clock.is_running, clock.is_over()) == (False, False)
    interrupts.forward(1)
    clock.start()
    now_s = 129.0
    assert (clock.is_running, clock.is_over()) == (True, False)
    now_s = 131.0
    assert clock.is_over()
    now_s = 110.0
    interrupts.forward(1)
    assert not clock.is_over()
    now_s = 114.0
    assert not clock.is_over()
    now_s = 116.0
    assert clock.is_over()
    now_s = 111.0
    assert not clock.is_over()
    interrupts.forward(1)
    assert clock.is_over()

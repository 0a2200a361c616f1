# SPDX-License-Identifier: Apache-2.0
"""`LocalEngine`, which runs jobs in processes on this machine, and the main loop of a worker process."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from mien.core import MAX_WORKERS, ConfigError, JobError, check_number
from mien.jobs.engine import Done, Event, Failed, Message, Setup, Work, run_inline
from mien.jobs.signals import PendingInterrupts, StopClock, blocked_interrupts, deferred_interrupts, ignore_interrupts


@dataclass(frozen=True)
class Ready:
    """Message of a worker whose setup is done."""


@dataclass(frozen=True)
class SetupFailed:
    """Message of a worker whose setup raised.

    Attributes:
        error: Exception of the setup.
    """

    error: Exception


@dataclass(frozen=True)
class Stopped:
    """Message of a worker that ended an item early on request.

    Attributes:
        number: Index of the item, from 0.
    """

    number: int


STOP = None
"""Request that is sent in place of an item: stop now, or at the next message."""


def serve(connection: Connection, setup: Setup) -> None:
    """Process items and send events until `STOP` arrives or the parent process ends."""
    ignore_interrupts()
    threading.Thread(target=_exit_with_parent, name="mien-parent", daemon=True).start()
    try:
        work = setup()
    except Exception as error:  # noqa: BLE001 - raised again in the parent
        connection.send(SetupFailed(picklable_error(error)))
        return
    connection.send(Ready())
    while (request := connection.recv()) is not STOP:
        number, item = request
        if not _process_item(connection, work, number, item):
            return


def serve_and_leave(connection: Connection, setup: Setup) -> None:
    """As `serve`, in a process that ends with it: before the interpreter shuts down (see `mien.__main__`)."""
    serve(connection, setup)
    connection.close()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # a program without a console has none
            stream.flush()
    os._exit(0)


def _process_item(connection: Connection, work: Work, number: int, item: Any) -> bool:
    """Process one item; return False if it was stopped."""
    stopped = False

    def emit(message: Any) -> None:
        nonlocal stopped
        try:
            connection.send(Message(number, message))
            stop_requested = not stopped and connection.poll()  # while an item is processed, only STOP is sent
            if stop_requested:
                connection.recv()
        except (EOFError, OSError):
            os._exit(1)  # the parent has ended: see _exit_with_parent
        if stop_requested:
            stopped = True  # once: a message that the work sends while it saves its results must not stop it again
            raise KeyboardInterrupt

    try:
        result = work(item, emit)
    except KeyboardInterrupt:
        connection.send(Stopped(number))
        return False
    except Exception as error:  # noqa: BLE001 - the parent reports it as the failure of the item
        connection.send(Failed(number, picklable_error(error)))
    else:
        connection.send(Done(number, result))
    return True


def picklable_error(error: Exception) -> Exception:
    """The error with its traceback as a note, or a `mien.core.JobError` with its text if it cannot be pickled.

    Examples:
        >>> picklable_error(ValueError("3 channels expected"))
        ValueError('3 channels expected')
        >>> class TwoArgumentsError(Exception):
        ...     def __init__(self, path, line):
        ...         super().__init__(f"{path}:{line}")
        >>> picklable_error(TwoArgumentsError("a.csv", 7))
        JobError('TwoArgumentsError: a.csv:7')
    """
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - third-party classes may raise anything here
        return JobError(f"{type(error).__name__}: {error}")
    return error


def _exit_with_parent() -> None:
    """Exit at once when the parent ends, even by SIGKILL; the next run does the unfinished items."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


_POLL_S = 0.2
_JOIN_S = 5.0


class LocalEngine:
    """An `Engine` that runs in processes on this machine.

    With one worker, and where there is one item, the items run in this process. Several workers are new Python
    processes (spawned on every system), which end with this process even if it crashes. A worker that crashes loses
    only its current item and is replaced. A script with more than one worker must keep its main code behind
    ``if __name__ == "__main__":``.

    Args:
        workers: Number of items to process at the same time, at least 1.

    Raises:
        ConfigError: ``workers`` is not from 1 to 1,024.

    Examples:
        >>> def setup():
        ...     def work(item, emit):
        ...         emit(f"squaring {item}")
        ...         return item**2
        ...     return work
        >>> LocalEngine().run(setup, [2, 3], print)
        Message(number=0, message='squaring 2')
        Done(number=0, result=4)
        Message(number=1, message='squaring 3')
        Done(number=1, result=9)
    """

    shares_cores = True

    def __init__(self, workers: int = 1) -> None:
        check_number("workers", workers, 1, MAX_WORKERS)
        self._n_workers = workers

    @property
    def n_workers(self) -> int:
        """Number of processes that run at the same time."""
        return self._n_workers

    def run(self, setup: Setup, items: Sequence[Any], report: Callable[[Event], None]) -> None:
        """Process the items; see `Engine.run`."""
        n_workers = min(self._n_workers, len(items))
        if n_workers <= 1:  # a process for a lone item would only add its start
            run_inline(setup, items, report)
            return
        with deferred_interrupts() as interrupts:
            _Pool(setup, items, report, interrupts).run(n_workers)


def create_local(workers: int, address: str | None) -> LocalEngine:
    """Create the engine for the registry `mien.jobs.ENGINES`.

    Raises:
        ConfigError: An address was given, or ``workers`` is not from 1 to 1,024.
    """
    if address is not None:
        raise ConfigError("the engine local takes no address; write local alone")
    return LocalEngine(workers)


class _Worker:
    """One worker process and its state.

    Attributes:
        process: Handle of the process.
        connection: This process's end of the pipe.
        number: Index of the current item; None while idle or not ready yet.
        ready: Whether its setup is done.
    """

    def __init__(self, setup: Setup) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve_and_leave, args=(theirs, setup), name="mien-worker", daemon=True)
        with blocked_interrupts():
            self.process.start()
        theirs.close()  # while this copy is open, the end of the process would not close the pipe
        self.number: int | None = None
        self.ready = False

    def exit_reason(self) -> str:
        """Exit code or signal name of the ended process."""
        self.process.join(_JOIN_S)
        code = self.process.exitcode
        if code is None or code >= 0:
            return f"exit code {code}"
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"

    def kill(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.join(_JOIN_S)
        self.connection.close()


class _Pool:
    """State of one run with several workers."""

    def __init__(
        self, setup: Setup, items: Sequence[Any], report: Callable[[Event], None], interrupts: PendingInterrupts
    ) -> None:
        self._setup = setup
        self._items = items
        self._report = report
        self._interrupts = interrupts
        self._waiting = deque(range(len(items)))
        self._workers: dict[Connection, _Worker] = {}
        self._error: BaseException | None = None
        self._clock = StopClock(interrupts)

    def run(self, n_workers: int) -> None:
        """Process all items, or until the run is stopped."""
        try:
            for _ in range(n_workers):
                self._add_worker()
            while self._workers:
                readable = wait(list(self._workers), _POLL_S)
                for worker in [worker for pipe, worker in self._workers.items() if pipe in readable]:
                    if worker.connection in self._workers:  # the message of one worker may have ended another
                        self._receive(worker)
                if self._interrupts.n:
                    self._stop()
                if self._clock.is_over():
                    break
        finally:
            for worker in self._workers.values():
                worker.kill()
        if self._error is not None:
            raise self._error

    def _add_worker(self) -> None:
        worker = _Worker(self._setup)
        self._workers[worker.connection] = worker

    def _receive(self, worker: _Worker) -> None:
        """Handle one message of a worker."""
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            self._handle_crash(worker)
            return
        match message:
            case Ready():
                worker.ready = True
                self._assign_next(worker)
            case SetupFailed(error):
                self._retire(worker)
                self._abort(error)
            case Message():
                self._forward(message)
            case Done() | Failed():
                worker.number = None
                self._forward(message)
                self._assign_next(worker)
            case Stopped():
                self._retire(worker)

    def _assign_next(self, worker: _Worker) -> None:
        """Send a worker its next item, or end it."""
        if not self._waiting or self._clock.is_running:
            self._retire(worker)
            return
        worker.number = self._waiting.popleft()
        self._send(worker, (worker.number, self._items[worker.number]))

    def _retire(self, worker: _Worker) -> None:
        del self._workers[worker.connection]
        self._send(worker, STOP)
        worker.process.join(_JOIN_S)
        worker.kill()

    def _handle_crash(self, worker: _Worker) -> None:
        """Report the item of a crashed process as failed and replace the process."""
        del self._workers[worker.connection]
        exit_reason = worker.exit_reason()
        worker.kill()
        if worker.number is not None:
            reason = f"its worker process crashed ({exit_reason}); a damaged file or too little memory can cause this"
            self._forward(Failed(worker.number, JobError(reason)))
            if self._waiting and not self._clock.is_running:
                self._add_worker()
        elif not self._workers and self._waiting and not self._clock.is_running:
            # A worker that cannot start is not replaced; the others go on, as long as there are any.
            advice = 'in a script, keep the main code behind if __name__ == "__main__":'
            self._abort(JobError(f"no worker process can start ({exit_reason}, see above); {advice}"))

    def _forward(self, event: Event) -> None:
        try:
            self._report(event)
        except BaseException as error:
            if self._error is not None:  # the second exception: further events would fail as well
                raise
            self._abort(error)

    def _abort(self, error: BaseException) -> None:
        self._error = self._error or error
        self._stop()

    def _stop(self) -> None:
        """Start no further item and ask the running workers to stop."""
        if self._clock.is_running:
            return
        self._clock.start()
        for worker in list(self._workers.values()):
            if worker.ready:
                self._send(worker, STOP)
            else:
                del self._workers[worker.connection]
                worker.kill()

    def _send(self, worker: _Worker, request: Any) -> None:
        try:
            worker.connection.send(request)
        except OSError:
            return  # it has crashed, which is handled with its exit reason when its pipe closes

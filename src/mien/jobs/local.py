# SPDX-License-Identifier: Apache-2.0
"""`LocalEngine`: jobs in processes of this machine, and what a worker process does."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from mien.core import ConfigError, JobError
from mien.jobs.engine import Done, Event, Failed, Message, Setup, Work, run_inline
from mien.jobs.signals import PendingInterrupts, born_deaf, deferred_interrupts, ignore_interrupts


@dataclass(frozen=True)
class Ready:
    """The work is set up."""


@dataclass(frozen=True)
class Unfit:
    """The work could not be set up."""

    error: Exception


@dataclass(frozen=True)
class Stopped:
    """The work on an item has ended early, as it was asked to."""

    number: int


STOP = None
"""What is sent instead of an item: end now, or at the next message."""


def serve(connection: Connection, setup: Setup) -> None:
    """Take items and send events until `STOP` comes or the parent is gone."""
    ignore_interrupts()
    threading.Thread(target=_die_with_parent, name="mien-parent", daemon=True).start()
    try:
        work = setup()
    except Exception as error:  # noqa: BLE001 - raised again in the parent
        connection.send(Unfit(portable(error)))
        return
    connection.send(Ready())
    while (order := connection.recv()) is not STOP:
        number, item = order
        if not _worked(connection, work, number, item):
            return


def _worked(connection: Connection, work: Work, number: int, item: Any) -> bool:
    """Work on one item; False if that was stopped."""
    stopped = False

    def tell(message: Any) -> None:
        nonlocal stopped
        try:
            connection.send(Message(number, message))
            asked = not stopped and connection.poll()  # during work, nothing but STOP is sent
            if asked:
                connection.recv()
        except (EOFError, OSError):
            os._exit(1)  # the parent is gone: see _die_with_parent
        if asked:
            stopped = True  # said once: what the work tells while it saves its results must not stop it again
            raise KeyboardInterrupt

    try:
        result = work(item, tell)
    except KeyboardInterrupt:
        connection.send(Stopped(number))
        return False
    except Exception as error:  # noqa: BLE001 - listed by the parent as what became of the item
        connection.send(Failed(number, portable(error)))
    else:
        connection.send(Done(number, result))
    return True


def portable(error: Exception) -> Exception:
    """The error with its traceback as a note, or a stand-in where it does not survive pickling."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - classes of others may raise anything here
        return JobError(f"{type(error).__name__}: {error}")
    return error


def _die_with_parent() -> None:
    """End at once when the parent is gone, even by ``kill -9``: what is unfinished is for the next run."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


_POLL_S = 0.2
# What a worker gets to end an item that was stopped, which includes writing its results.
_GRACE_S = 30.0
_JOIN_S = 5.0


class LocalEngine:
    """An `Engine` of processes on this machine.

    One worker is this process itself. More are fresh Python processes (started the same way on every system), which
    end with this one whatever happens to it. One that dies costs the item that it was working on, and is replaced.
    A script that uses more than one must keep its own start behind ``if __name__ == "__main__":``.

    Args:
        workers: at least 1.

    Raises:
        ConfigError: ``workers`` is below 1.
    """

    shares_cores = True

    def __init__(self, workers: int = 1) -> None:
        if workers < 1:
            raise ConfigError(f"workers must be at least 1, got {workers}")
        self._n_workers = workers

    @property
    def n_workers(self) -> int:
        """Processes that work at the same time."""
        return self._n_workers

    def run(self, setup: Setup, items: Sequence[Any], report: Callable[[Event], None]) -> None:
        """Work on the items; see `Engine.run`."""
        if self._n_workers == 1:
            run_inline(setup, items, report)
            return
        with deferred_interrupts() as interrupts:
            _Pool(setup, items, report, interrupts).run(min(self._n_workers, len(items)))


def create_local(workers: int, address: str | None) -> LocalEngine:
    """The engine for the table of engines.

    Raises:
        ConfigError: an address was given, or ``workers`` is below 1.
    """
    if address is not None:
        raise ConfigError("the engine local takes no address; write local alone")
    return LocalEngine(workers)


class _Worker:
    """One process and what it is doing.

    Attributes:
        process: the process.
        connection: our end of the line.
        number: of the item in work; None while idle or not ready yet.
        ready: whether its setup is done.
    """

    def __init__(self, setup: Setup) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, setup), name="mien-worker", daemon=True)
        with born_deaf():
            self.process.start()
        theirs.close()  # with this copy open, the end of the process would go unnoticed
        self.number: int | None = None
        self.ready = False

    def ending(self) -> str:
        """How the process ended, in words."""
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
    """One run over several workers."""

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
        self._deadline_s: float | None = None  # set once the run is being stopped

    def run(self, n_workers: int) -> None:
        """Work on everything, or until something stops the run."""
        try:
            for _ in range(n_workers):
                self._add_worker()
            while self._workers:
                speaking = wait(list(self._workers), _POLL_S)
                for worker in [worker for line, worker in self._workers.items() if line in speaking]:
                    if worker.connection in self._workers:  # what one said may have ended another
                        self._hear(worker)
                if self._interrupts.n and self._deadline_s is None:
                    self._stop()
                if self._interrupts.n > 1 or (self._deadline_s is not None and time.monotonic() > self._deadline_s):
                    break
        finally:
            for worker in self._workers.values():
                worker.kill()
        if self._error is not None:
            raise self._error

    def _add_worker(self) -> None:
        worker = _Worker(self._setup)
        self._workers[worker.connection] = worker

    def _hear(self, worker: _Worker) -> None:
        """Take one message of a worker."""
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            self._lost(worker)
            return
        match message:
            case Ready():
                worker.ready = True
                self._next(worker)
            case Unfit(error):
                self._retire(worker)
                self._end_with(error)
            case Message():
                self._pass_on(message)
            case Done() | Failed():
                worker.number = None
                self._pass_on(message)
                self._next(worker)
            case Stopped():
                self._retire(worker)

    def _next(self, worker: _Worker) -> None:
        """Give a worker its next item, or let it go."""
        if not self._waiting or self._deadline_s is not None:
            self._retire(worker)
            return
        worker.number = self._waiting.popleft()
        self._send(worker, (worker.number, self._items[worker.number]))

    def _retire(self, worker: _Worker) -> None:
        del self._workers[worker.connection]
        self._send(worker, STOP)
        worker.process.join(_JOIN_S)
        worker.kill()

    def _lost(self, worker: _Worker) -> None:
        """A process died: its item has failed, another process takes its place."""
        del self._workers[worker.connection]
        ending = worker.ending()
        worker.kill()
        if worker.number is not None:
            reason = f"the process that worked on it died ({ending}); a damaged file or a lack of memory can do that"
            self._pass_on(Failed(worker.number, JobError(reason)))
            if self._waiting and self._deadline_s is None:
                self._add_worker()
        elif not self._workers and self._waiting and self._deadline_s is None:
            # One that cannot even start is not replaced: the others go on, as long as there are any.
            advice = 'in a script, keep the start behind if __name__ == "__main__":'
            self._end_with(JobError(f"no worker process can start ({ending}, see above); {advice}"))

    def _pass_on(self, event: Event) -> None:
        try:
            self._report(event)
        except BaseException as error:
            if self._error is not None:  # also the second time: then nobody wants to hear the rest
                raise
            self._end_with(error)

    def _end_with(self, error: BaseException) -> None:
        self._error = self._error or error
        self._stop()

    def _stop(self) -> None:
        """Begin nothing more, and ask those at work to end."""
        if self._deadline_s is not None:
            return
        self._deadline_s = time.monotonic() + _GRACE_S
        for worker in list(self._workers.values()):
            if worker.ready:
                self._send(worker, STOP)
            else:
                del self._workers[worker.connection]
                worker.kill()

    def _send(self, worker: _Worker, order: Any) -> None:
        try:
            worker.connection.send(order)
        except OSError:
            return  # it has died: that is heard, with the reason, when its line ends

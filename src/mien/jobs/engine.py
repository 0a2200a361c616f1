# SPDX-License-Identifier: Apache-2.0
"""`Engine`, the interface that maps a function over many items and reports events; its registry and its fake."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from mien.core import MAX_WORKERS, ConfigError, JobError, Registry, check_number
from mien.jobs.temporary_folders import RAY_PREFIX, delete_leftovers

Emit = Callable[[Any], None]
"""Callback for the work, which sends messages to the caller of the run. It raises KeyboardInterrupt once the run is
stopped: the work then saves its results and lets the exception pass, as after Ctrl-C."""

Work = Callable[[Any, Emit], Any]
"""``work(item, emit) -> result``. With several workers, items, messages and results are pickled."""

Setup = Callable[[], Work]
"""Function that returns the work. Each worker calls it once and loads there what is slow to load. It must be
picklable: a dataclass with ``__call__``, or a function of a module."""


@dataclass(frozen=True)
class Message:
    """A message that the work sent about an item.

    Attributes:
        number: Index of the item, from 0.
        message: Object that the work sent.
    """

    number: int
    message: Any


@dataclass(frozen=True)
class Done:
    """The result of a finished item.

    Attributes:
        number: Index of the item, from 0.
        result: Return value of the work.
    """

    number: int
    result: Any


@dataclass(frozen=True)
class Failed:
    """The error of an item that gave no result; the other items go on.

    Attributes:
        number: Index of the item, from 0.
        error: Exception of the work; a `mien.core.JobError` if its process crashed.
    """

    number: int
    error: Exception


Event = Message | Done | Failed


@runtime_checkable
class Engine(Protocol):
    """Interface of a job engine."""

    @property
    def n_workers(self) -> int:
        """Maximum number of items that are processed at the same time."""

    @property
    def shares_cores(self) -> bool:
        """Whether the workers share the cores of this machine."""

    def run(self, setup: Setup, items: Sequence[Any], report: Callable[[Event], None]) -> None:
        """Process every item; return when each one is done or has failed.

        An interrupt or an exception of ``report`` stops the run: no further item starts, running items are asked to
        stop and save their results (their last messages still arrive), then the exception is raised.

        Args:
            setup: Function that returns the work, called once per worker.
            items: Items in the order in which they start; they may end in another order.
            report: Callback for every event, called in the calling thread.

        Raises:
            JobError: No worker can start.
            Exception: The exception of ``setup``.
            KeyboardInterrupt: The run was interrupted.
        """


@dataclass(frozen=True, kw_only=True)
class EngineInfo:
    """One entry of the engine registry.

    Attributes:
        name: Name that callers pass.
        target: ``"module:name"`` of a callable ``(workers, address) -> Engine``.
        summary: One-line description for listings.
    """

    name: str
    target: str
    summary: str


ENGINES = Registry(
    "engine",
    (
        EngineInfo(name="local", target="mien.jobs.local:create_local", summary="processes on this machine"),
        EngineInfo(
            name="ray",
            target="mien.jobs.ray_engine:create_ray",
            summary="Ray, for many machines (extra mien[ray]); ray=ADDRESS connects to a cluster",
        ),
    ),
)
"""Registry of `EngineInfo` by name; the first one is the default."""


def create_engine(engine: str | Engine = "local", *, workers: int = 1) -> Engine:
    """Create an engine by name; an engine object is returned unchanged.

    Args:
        engine: ``"local"``, ``"ray"``, ``"ray=ADDRESS"``, or any object with the methods of `Engine`.
        workers: Number of items to process at the same time, at least 1; only for an engine by name.

    Raises:
        ConfigError: The name is unknown, the engine takes no address, or ``workers`` is not from 1 to 1,024.
        MissingExtraError: The engine is not installed.

    Examples:
        >>> create_engine("local", workers=2).n_workers
        2
        >>> create_engine("local=here")
        Traceback (most recent call last):
        mien.core.errors.ConfigError: the engine local takes no address; write local alone
    """
    if not isinstance(engine, str):
        if not isinstance(engine, Engine):
            raise ConfigError(f"an engine has a method run(setup, items, report), {type(engine).__name__} has none")
        return engine
    check_number("workers", workers, 1, MAX_WORKERS)
    delete_leftovers(RAY_PREFIX)  # of a Ray that was killed: its objects may show faces
    name, _, address = engine.partition("=")
    created: Engine = ENGINES.load(name)(workers, address or None)
    return created


def run_inline(setup: Setup, items: Sequence[Any], report: Callable[[Event], None]) -> None:
    """Process the items one after the other in this thread; see `mien.jobs.Engine.run`.

    Interrupts are raised inside the work at once.

    Examples:
        >>> def setup():
        ...     return lambda item, emit: 10 / item
        >>> run_inline(setup, [5, 0], print)
        Done(number=0, result=2.0)
        Failed(number=1, error=ZeroDivisionError('division by zero'))
    """
    work = setup()
    for number, item in enumerate(items):
        emitter = _Emitter(number, report)
        try:
            result = work(item, emitter)
        except Exception as error:
            if error is emitter.error:  # raised by report, not by the work: it ends the run
                raise
            report(Failed(number, error))
        else:
            report(Done(number, result))


class _Emitter:
    """Callback that forwards messages to ``report`` and keeps its exception, which comes back through the work."""

    def __init__(self, number: int, report: Callable[[Event], None]) -> None:
        self._number = number
        self._report = report
        self.error: BaseException | None = None

    def __call__(self, message: Any) -> None:
        try:
            self._report(Message(self._number, message))
        except BaseException as error:
            self.error = error
            raise


class FakeEngine:
    """An `Engine` for tests: it runs in this process, from the last item to the first, and simulates crashes.

    Args:
        crashes: Index of each item whose worker crashes, with the reason to report.
        workers: Value of `n_workers`.

    Examples:
        >>> def setup():
        ...     return lambda item, emit: item**2
        >>> FakeEngine({1: "out of memory"}).run(setup, [2, 3, 4], print)
        Failed(number=1, error=JobError('out of memory'))
        Done(number=2, result=16)
        Done(number=0, result=4)
    """

    shares_cores = True

    def __init__(self, crashes: Mapping[int, str] | None = None, *, workers: int = 2) -> None:
        self._crashes = dict(crashes or {})
        self.n_workers = workers

    def run(self, setup: Setup, items: Sequence[Any], report: Callable[[Event], None]) -> None:
        """Process the items; see `Engine.run`."""
        for number, reason in self._crashes.items():
            report(Failed(number, JobError(reason)))
        alive = [number for number in reversed(range(len(items))) if number not in self._crashes]

        def renumbered(event: Event) -> None:
            report(type(event)(alive[event.number], *list(vars(event).values())[1:]))

        run_inline(setup, [items[number] for number in alive], renumbered)

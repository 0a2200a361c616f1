# SPDX-License-Identifier: Apache-2.0
"""The engine port: maps a function over many items and reports events; the table of engines; a fake for tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from mien.core import ConfigError, JobError, Registry

Emit = Callable[[Any], None]
"""Given to the work, which may pass messages to whoever started the run. It raises KeyboardInterrupt where the run was
stopped: the work then saves what it has and lets the exception pass, as after Ctrl-C."""

Work = Callable[[Any, Emit], Any]
"""``work(item, tell) -> result``. With several workers items, messages and results travel pickled."""

Setup = Callable[[], Work]
"""Makes the work, once in every worker: what is slow to load is loaded there. It must pickle: a dataclass with
``__call__``, or a function of a module."""


@dataclass(frozen=True)
class Message:
    """A message of the work on an item.

    Attributes:
        number: of the item, from 0.
        message: whatever the work told.
    """

    number: int
    message: Any


@dataclass(frozen=True)
class Done:
    """The work on an item has ended with a result."""

    number: int
    result: Any


@dataclass(frozen=True)
class Failed:
    """The work on an item has ended without a result; the other items go on.

    Attributes:
        number: of the item, from 0.
        error: what the work raised; a `mien.core.JobError` where its process died.
    """

    number: int
    error: Exception


Event = Message | Done | Failed


@runtime_checkable
class Engine(Protocol):
    """Runs jobs somewhere."""

    @property
    def n_workers(self) -> int:
        """Items that are worked on at the same time at most."""

    @property
    def shares_cores(self) -> bool:
        """Whether the workers divide the cores of this machine among them."""

    def run(self, setup: Setup, items: Sequence[Any], report: Callable[[Event], None]) -> None:
        """Work on every item; returns when each is done or has failed.

        An interrupt, and an exception of ``report``, stop the run: no further item is begun, those in work are asked
        to end and save what they have (their last messages still arrive), then the exception passes on.

        Args:
            setup: makes the work, once a worker.
            items: what to work on. They begin in this order and may end in another.
            report: takes every event, one at a time, in the thread that called.

        Raises:
            JobError: no worker can start.
            Exception: what ``setup`` raised.
            KeyboardInterrupt: the run was interrupted.
        """


@dataclass(frozen=True, kw_only=True)
class EngineInfo:
    """One line of the table of engines.

    Attributes:
        name: what callers write.
        target: ``"module:name"`` of a callable ``(workers, address) -> Engine``.
        summary: one line for listings.
    """

    name: str
    target: str
    summary: str


ENGINES = Registry(
    "engine",
    (
        EngineInfo(name="local", target="mien.jobs.local:create_local", summary="processes of this machine"),
        EngineInfo(
            name="ray",
            target="mien.jobs.ray_engine:create_ray",
            summary="Ray, for many machines; the extra mien[ray]; ray=ADDRESS for a cluster",
        ),
    ),
)
"""Name -> `EngineInfo`; the first is the default."""


def create_engine(engine: str | Engine = "local", *, workers: int = 1) -> Engine:
    """An engine by name, or the given object as it is.

    Args:
        engine: ``"local"``, ``"ray"``, ``"ray=ADDRESS"``, or any object with the methods of `Engine`.
        workers: items to work on at the same time, for an engine by name.

    Raises:
        ConfigError: the name is unknown, it takes no address, or ``workers`` is below 1.
        MissingExtraError: the engine is not installed.
    """
    if not isinstance(engine, str):
        if not isinstance(engine, Engine):
            raise ConfigError(f"an engine has a method run(setup, items, report), {type(engine).__name__} has none")
        return engine
    if workers < 1:
        raise ConfigError(f"workers must be at least 1, got {workers}")
    name, _, address = engine.partition("=")
    created: Engine = ENGINES.load(name)(workers, address or None)
    return created


def run_inline(setup: Setup, items: Sequence[Any], report: Callable[[Event], None]) -> None:
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
            self._report(Message(self._number, message))
        except BaseException as error:
            self.error = error
            raise


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

        run_inline(setup, [items[number] for number in alive], renumbered)

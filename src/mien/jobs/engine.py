# SPDX-License-Identifier: Apache-2.0
"""The engine port: what runs a function over many items and tells what becomes of each, and the table of engines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from mien.core import ConfigError, Registry

Tell = Callable[[Any], None]
"""Given to the work, which may pass messages to whoever started the run. It raises KeyboardInterrupt where the run was
stopped: the work then saves what it has and lets the exception pass, as after Ctrl-C."""

Work = Callable[[Any, Tell], Any]
"""``work(item, tell) -> result``. With several workers items, messages and results travel pickled."""

Setup = Callable[[], Work]
"""Makes the work, once in every worker: what is slow to load is loaded there. It must pickle: a dataclass with
``__call__``, or a function of a module."""


@dataclass(frozen=True)
class Told:
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


Event = Told | Done | Failed


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

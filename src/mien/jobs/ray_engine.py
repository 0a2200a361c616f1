# SPDX-License-Identifier: Apache-2.0
"""`RayEngine`: jobs on the machines of a Ray cluster, or on a local Ray (extra ``ray``), and its actor."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from mien.core import ConfigError, JobError, MissingExtraError
from mien.jobs.engine import Done, Event, Failed, Message, Setup, Work
from mien.jobs.local import portable
from mien.jobs.signals import PendingInterrupts, deferred_interrupts, kept_handlers


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of an item.

    Attributes:
        messages: those that nobody has taken yet, in order.
        result: of the work.
        error: what the work, or its setup, raised.
        unfit: whether it was the setup.
        stopped: whether the work ended early, as it was asked to.
    """

    messages: list[Any]
    result: Any = None
    error: Exception | None = None
    unfit: bool = False
    stopped: bool = False


class RayWorker:
    """One actor; `work` runs in one thread, the other methods meanwhile in another.

    Args:
        setup: makes the work, before the first item.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._work: Work | None = None
        self._messages: deque[Any] = deque()
        self._stop_asked = False
        self._stop_told = False

    def work(self, item: Any) -> Answer:
        """Work on an item; errors are part of the answer."""
        if self._work is None:
            try:
                self._work = self._setup()
            except Exception as error:  # noqa: BLE001 - raised again by the engine
                return Answer(messages=self.take_messages(), error=portable(error), unfit=True)
        try:
            result = self._work(item, self._tell)
        except KeyboardInterrupt:
            return Answer(messages=self.take_messages(), stopped=True)
        except Exception as error:  # noqa: BLE001 - listed by the engine as what became of the item
            return Answer(messages=self.take_messages(), error=portable(error))
        return Answer(messages=self.take_messages(), result=result)

    def take_messages(self) -> list[Any]:
        """What was told since the last time."""
        return [self._messages.popleft() for _ in range(len(self._messages))]

    def stop(self) -> None:
        """Let the work end at its next message."""
        self._stop_asked = True

    def _tell(self, message: Any) -> None:
        self._messages.append(message)
        if self._stop_asked and not self._stop_told:
            self._stop_told = True  # once: what is told while the results are saved must not stop that
            raise KeyboardInterrupt


_POLL_S = 0.5
_GRACE_S = 30.0


class RayEngine:
    """An `Engine` of Ray actors, one core each.

    Every machine must have this version of mien installed and see inputs and outputs under the same paths. Without an
    address, and without ``RAY_ADDRESS`` in the environment, a Ray is started on this machine, with a temporary folder
    of its own, no dashboard and no usage reports, and stopped afterwards. A Ray that the program has already
    connected to is used, and stays.

    Args:
        workers: items to work on at the same time, at least 1.
        address: of the cluster, such as ``"auto"`` or ``"ray://head:10001"``.

    Raises:
        ConfigError: ``workers`` is below 1.
        MissingExtraError: Ray is not installed.
    """

    shares_cores = False

    def __init__(self, workers: int = 1, address: str | None = None) -> None:
        if workers < 1:
            raise ConfigError(f"workers must be at least 1, got {workers}")
        self._ray = _import_ray()
        self._n_workers = workers
        self._address = address

    @property
    def n_workers(self) -> int:
        """Actors that work at the same time."""
        return self._n_workers

    def run(self, setup: Setup, items: Sequence[Any], report: Callable[[Event], None]) -> None:
        """Work on the items; see `mien.jobs.Engine.run`."""
        if not items:
            return
        with ExitStack() as stack:
            interrupts = stack.enter_context(deferred_interrupts())
            stack.enter_context(_connected(self._ray, self._address, self._n_workers))
            _RayRun(self._ray, setup, items, report, interrupts).run(min(self._n_workers, len(items)))


def create_ray(workers: int, address: str | None) -> RayEngine:
    """The engine for the table of engines; see `RayEngine`."""
    return RayEngine(workers, address)


class _RayRun:
    """One run over several actors."""

    def __init__(
        self,
        ray: Any,
        setup: Setup,
        items: Sequence[Any],
        report: Callable[[Event], None],
        interrupts: PendingInterrupts,
    ) -> None:
        self._ray = ray
        self._setup = setup
        self._items = items
        self._report = report
        self._interrupts = interrupts
        self._waiting = deque(range(len(items)))
        self._working: dict[Any, tuple[Any, int]] = {}  # answer to come -> actor and number of the item
        self._error: BaseException | None = None
        self._deadline_s: float | None = None

    def run(self, n_workers: int) -> None:
        """Work on everything, or until something stops the run."""
        for _ in range(n_workers):
            self._begin(self._create())
        while self._working:
            ended, _ = self._ray.wait(list(self._working), timeout=_POLL_S)
            for answer in ended:
                self._take(answer)
            if not ended:
                self._collect_messages()
            if self._interrupts.n and self._deadline_s is None:
                self._stop()
            if self._interrupts.n > 1 or (self._deadline_s is not None and time.monotonic() > self._deadline_s):
                break
        for actor, _ in self._working.values():
            self._ray.kill(actor)
        if self._error is not None:
            raise self._error

    def _create(self) -> Any:
        # Two threads: one works, the other is asked for messages and told to stop.
        return self._ray.remote(RayWorker).options(num_cpus=1, max_concurrency=2).remote(self._setup)

    def _begin(self, actor: Any) -> None:
        """Give an actor its next item, or let it go."""
        if not self._waiting or self._deadline_s is not None:
            self._ray.kill(actor)
            return
        number = self._waiting.popleft()
        self._working[actor.work.remote(self._items[number])] = (actor, number)

    def _take(self, reference: Any) -> None:
        """What an actor answers about its item."""
        actor, number = self._working.pop(reference)
        try:
            answer: Answer = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self._pass_on(Failed(number, JobError(f"the Ray worker on it was lost: {str(error).splitlines()[0]}")))
            if self._waiting and self._deadline_s is None:
                self._begin(self._create())
            return
        for message in answer.messages:
            self._pass_on(Message(number, message))
        if answer.unfit and answer.error is not None:
            self._end_with(answer.error)
        elif answer.error is not None:
            self._pass_on(Failed(number, answer.error))
        elif not answer.stopped:
            self._pass_on(Done(number, answer.result))
        self._begin(actor)

    def _collect_messages(self) -> None:
        for actor, number in list(self._working.values()):
            try:
                messages = self._ray.get(actor.take_messages.remote(), timeout=_POLL_S)
            except self._ray.exceptions.RayError:
                continue  # it has died, which its answer will say, or is still starting
            for message in messages:
                self._pass_on(Message(number, message))

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
        if self._deadline_s is None:
            self._deadline_s = time.monotonic() + _GRACE_S
            for actor, _ in self._working.values():
                actor.stop.remote()


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("ray", "ray") from error
    return ray


@contextmanager
def _connected(ray: Any, address: str | None, n_workers: int) -> Iterator[None]:
    """Be connected to the cluster, or to a Ray of our own."""
    if ray.is_initialized():
        yield
        return
    quiet = {"log_to_driver": False, "logging_level": "error"}
    address = address or os.environ.get("RAY_ADDRESS")
    if address:
        try:
            with kept_handlers():
                ray.init(address=address, **quiet)
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            raise JobError(f"cannot connect to Ray at {address}: {error}") from error
        try:
            yield
        finally:
            ray.shutdown()
        return
    # Short, as sockets with long paths cannot be opened; and our own, as /tmp/ray is other people's as well.
    folder = tempfile.mkdtemp(prefix="mien-ray-")
    try:
        with _environment("RAY_USAGE_STATS_ENABLED", "0"), kept_handlers():
            ray.init(
                num_cpus=n_workers, include_dashboard=False, _temp_dir=folder, _node_ip_address="127.0.0.1", **quiet
            )
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """An environment variable for the processes that are started in the block."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before

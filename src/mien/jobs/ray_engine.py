# SPDX-License-Identifier: Apache-2.0
"""`RayEngine`, which runs jobs on a Ray cluster or a local Ray (extra ``ray``), and its actor."""

from __future__ import annotations

import os
import secrets
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.core import MAX_WORKERS, ConfigError, JobError, MissingExtraError, check_number
from mien.jobs.engine import Done, Event, Failed, Message, Setup, Work
from mien.jobs.local import picklable_error
from mien.jobs.signals import PendingInterrupts, StopClock, deferred_interrupts, restored_handlers
from mien.jobs.temporary_folders import RAY_PREFIX, temporary_folder


@dataclass(frozen=True, kw_only=True)
class Reply:
    """Outcome of one item, as an actor returns it.

    Attributes:
        messages: Messages that were not collected yet, in order.
        result: Return value of the work.
        error: Exception of the work or of its setup.
        setup_failed: Whether the error comes from the setup.
        stopped: Whether the work ended early on request.
    """

    messages: list[Any]
    result: Any = None
    error: Exception | None = None
    setup_failed: bool = False
    stopped: bool = False


class RayWorker:
    """Ray actor; `work` runs in one thread, the other methods run in a second one.

    Args:
        setup: Function that returns the work, called before the first item.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._work: Work | None = None
        self._messages: deque[Any] = deque()
        self._stop_requested = False
        self._stop_raised = False

    def work(self, item: Any) -> Reply:
        """Process an item; errors are part of the reply."""
        if self._work is None:
            try:
                self._work = self._setup()
            except Exception as error:  # noqa: BLE001 - raised again by the engine
                return Reply(messages=self.take_messages(), error=picklable_error(error), setup_failed=True)
        try:
            result = self._work(item, self._emit)
        except KeyboardInterrupt:
            return Reply(messages=self.take_messages(), stopped=True)
        except Exception as error:  # noqa: BLE001 - the engine reports it as the failure of the item
            return Reply(messages=self.take_messages(), error=picklable_error(error))
        return Reply(messages=self.take_messages(), result=result)

    def take_messages(self) -> list[Any]:
        """Messages since the last call."""
        return [self._messages.popleft() for _ in range(len(self._messages))]

    def stop(self) -> None:
        """Stop the work at its next message."""
        self._stop_requested = True

    def _emit(self, message: Any) -> None:
        self._messages.append(message)
        if self._stop_requested and not self._stop_raised:
            self._stop_raised = True  # once: a message that the work sends while it saves its results must not stop it
            raise KeyboardInterrupt


_LOOPBACK = "127.0.0.1"
_QUIET = {"log_to_driver": False, "logging_level": "error"}
_POLL_S = 0.5


class RayEngine:
    """An `Engine` that runs in Ray actors with one core each.

    Every machine must have this version of mien installed and see inputs and outputs under the same paths. Without an
    address, a Ray is started that listens on the loopback interface alone, asks for a random token (Ray 2.52 and
    later), has its own temporary folder, no dashboard and no usage reports, and is stopped afterwards. A Ray to which
    the program is already connected is used and stays connected.

    Args:
        workers: Number of items to process at the same time, at least 1.
        address: Address of the cluster, such as ``"auto"`` or ``"ray://head:10001"``. No other cluster is used:
            ``RAY_ADDRESS`` in the environment counts for ``"auto"`` only, and is refused without an address.

    Raises:
        ConfigError: ``workers`` is not from 1 to 1,024, or ``RAY_ADDRESS`` is set and no address is given.
        MissingExtraError: Ray is not installed.
    """

    shares_cores = False

    def __init__(self, workers: int = 1, address: str | None = None) -> None:
        check_number("workers", workers, 1, MAX_WORKERS)
        self._ray = _import_ray()
        named = os.environ.get("RAY_ADDRESS")
        if not address and named and named != "local" and not self._ray.is_initialized():
            raise ConfigError(
                f"RAY_ADDRESS is set to {named!r}: write ray=auto to send work to that cluster, "
                "or unset it to start a Ray on this machine"
            )
        self._n_workers = workers
        self._address = address

    @property
    def n_workers(self) -> int:
        """Number of actors that run at the same time."""
        return self._n_workers

    def run(self, setup: Setup, items: Sequence[Any], report: Callable[[Event], None]) -> None:
        """Process the items; see `mien.jobs.Engine.run`."""
        if not items:
            return
        with ExitStack() as stack:
            interrupts = stack.enter_context(deferred_interrupts())
            stack.enter_context(_connected(self._ray, self._address, self._n_workers))
            _RayRun(self._ray, setup, items, report, interrupts).run(min(self._n_workers, len(items)))


def create_ray(workers: int, address: str | None) -> RayEngine:
    """Create the engine for the registry `mien.jobs.ENGINES`; see `RayEngine`."""
    return RayEngine(workers, address)


class _RayRun:
    """State of one run with several actors."""

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
        self._working: dict[Any, tuple[Any, int]] = {}  # pending reply -> actor and index of the item
        self._error: BaseException | None = None
        self._clock = StopClock(interrupts)

    def run(self, n_workers: int) -> None:
        """Process all items, or until the run is stopped."""
        for _ in range(n_workers):
            self._assign_next(self._create())
        while self._working:
            ended, _ = self._ray.wait(list(self._working), timeout=_POLL_S)
            for reference in ended:
                self._handle_reply(reference)
            if not ended:
                self._collect_messages()
            if self._interrupts.n:
                self._stop()
            if self._clock.is_over():
                break
        for actor, _ in self._working.values():
            self._ray.kill(actor)
        if self._error is not None:
            raise self._error

    def _create(self) -> Any:
        # Two threads: one processes the item, the other serves take_messages and stop.
        return self._ray.remote(RayWorker).options(num_cpus=1, max_concurrency=2).remote(self._setup)

    def _assign_next(self, actor: Any) -> None:
        """Send an actor its next item, or end it."""
        if not self._waiting or self._clock.is_running:
            self._ray.kill(actor)
            return
        number = self._waiting.popleft()
        self._working[actor.work.remote(self._items[number])] = (actor, number)

    def _handle_reply(self, reference: Any) -> None:
        """Report the outcome of an item and assign the next one."""
        actor, number = self._working.pop(reference)
        try:
            reply: Reply = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self._forward(Failed(number, JobError(f"its Ray worker was lost: {str(error).splitlines()[0]}")))
            if self._waiting and not self._clock.is_running:
                self._assign_next(self._create())
            return
        for message in reply.messages:
            self._forward(Message(number, message))
        if reply.setup_failed and reply.error is not None:
            self._abort(reply.error)
        elif reply.error is not None:
            self._forward(Failed(number, reply.error))
        elif not reply.stopped:
            self._forward(Done(number, reply.result))
        self._assign_next(actor)

    def _collect_messages(self) -> None:
        for actor, number in list(self._working.values()):
            try:
                messages = self._ray.get(actor.take_messages.remote(), timeout=_POLL_S)
            except self._ray.exceptions.RayError:
                continue  # it has crashed, which its reply will report, or is still starting
            for message in messages:
                self._forward(Message(number, message))

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
        """Start no further item and ask the running actors to stop."""
        if not self._clock.is_running:
            self._clock.start()
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
    """Connect to the cluster that the caller named, or start and stop a private Ray."""
    if ray.is_initialized():
        yield
        return
    if address:
        try:
            with restored_handlers():
                ray.init(address=address, **_QUIET)
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            raise JobError(f"cannot connect to Ray at {address}: {error}") from error
        try:
            yield
        finally:
            ray.shutdown()
        return
    with temporary_folder(RAY_PREFIX) as folder, _private_settings(ray):
        try:
            _start_private(ray, folder, n_workers)
            yield
        finally:
            ray.shutdown()


def _start_private(ray: Any, folder: Path, n_workers: int) -> None:
    """Start a Ray that only this machine can reach; it would execute whatever reaches it.

    Raises:
        JobError: This version of Ray listens on other addresses, too.
    """
    with restored_handlers():
        ray.init(
            address="local",
            num_cpus=n_workers,
            include_dashboard=False,
            _temp_dir=str(folder),
            _node_ip_address=_LOOPBACK,
            **_QUIET,
        )
    # Ray's servers listen on all interfaces unless the address of the node is that of the loopback interface.
    addresses = {str(node["NodeManagerAddress"]) for node in ray.nodes()}
    if not addresses <= {_LOOPBACK, "::1"}:
        listed = ", ".join(sorted(addresses))
        raise JobError(f"Ray {ray.__version__} listens on {listed} and not on this machine alone; use --engine local")


@contextmanager
def _private_settings(ray: Any) -> Iterator[None]:
    """Settings of a Ray that this process starts: loopback addresses, a random token, no usage reports."""
    token = secrets.token_hex(32)
    settings = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ADDRESS": None,
        # Despite its name, Ray reads it on every system; 0 keeps it on the loopback interface.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        # Other users of this machine can reach the loopback interface; earlier versions than 2.52 ignore the token.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token,
        "RAY_AUTH_TOKEN_PATH": None,
    }
    constants = ray._private.ray_constants
    reachable = getattr(constants, "ENABLE_RAY_CLUSTER", True)
    try:
        with _environment(settings):
            constants.ENABLE_RAY_CLUSTER = False
            _read_token_settings(ray)
            yield
    finally:
        constants.ENABLE_RAY_CLUSTER = reachable
        _read_token_settings(ray)


def _read_token_settings(ray: Any) -> None:
    """Make Ray read the mode of authentication and the token again, which it keeps after its import."""
    compiled = ray._raylet
    if hasattr(compiled, "AuthenticationTokenLoader"):
        compiled.Config.initialize("")
        compiled.AuthenticationTokenLoader.instance().reset_cache()


@contextmanager
def _environment(settings: Mapping[str, str | None]) -> Iterator[None]:
    """Set environment variables for the processes that are started in the block; None removes one."""
    before = {name: os.environ.get(name) for name in settings}
    _set_environment(settings)
    try:
        yield
    finally:
        _set_environment(before)


def _set_environment(settings: Mapping[str, str | None]) -> None:
    for name, value in settings.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value

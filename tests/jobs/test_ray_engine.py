# SPDX-License-Identifier: Apache-2.0
"""The Ray actor without Ray, and the engine on a local Ray; the latter is skipped if Ray is not installed."""

import importlib.util
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from mien.core import ConfigError, JobError, ModelError
from mien.jobs import Done, Message, create_engine
from mien.jobs.ray_engine import RayEngine, RayWorker, Reply

HELPERS = Path(__file__).resolve().parents[1] / "helpers"


@pytest.fixture
def importable_by_workers(monkeypatch: pytest.MonkeyPatch, jobs_for_tests: ModuleType) -> None:  # noqa: ARG001 - imports it
    monkeypatch.setenv(
        "PYTHONPATH",
        os.pathsep.join([str(HELPERS), os.environ.get("PYTHONPATH", "")]),
    )


@pytest.fixture
def leftovers() -> Iterator[set[str]]:
    """Temporary folders of Ray that were there before; the test may leave no others."""
    before = ray_folders()
    yield {str(path) for path in before}
    assert ray_folders() <= before


def ray_folders() -> set[Path]:
    return {path for parent in {tempfile.gettempdir(), "/tmp"} for path in Path(parent).glob("mien-ray-*")}


def listening_addresses() -> set[str]:
    """Hexadecimal addresses on which this process and its descendants listen (Linux)."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[status.parent.name] = status.read_text().rpartition(")")[2].split()[1]
    family = {str(os.getpid())}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    sockets = set()
    for process in family:
        for descriptor in Path("/proc", process, "fd").glob("*"):
            with suppress(OSError):
                sockets.add(str(descriptor.readlink()))
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path("/proc/net", name).read_text().splitlines()[1:]]
    return {row[1].partition(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}


def test_an_actor_sets_up_once_and_returns_results_and_errors(jobs_for_tests: ModuleType) -> None:
    calls: list[int] = []

    def setup() -> Any:
        calls.append(1)
        return jobs_for_tests.act

    worker = RayWorker(setup)
    replies = [worker.work(item) for item in (3, "bug", 4)]
    assert len(calls) == 1
    assert [reply.result for reply in replies] == [9, None, 16]
    assert (type(replies[1].error), str(replies[1].error)) == (ZeroDivisionError, "a bug")
    assert not any(reply.setup_failed or reply.stopped for reply in replies)
    assert [reply.messages for reply in replies] == [[os.getpid()], [], [os.getpid()]]


def test_an_actor_reports_a_failed_setup(jobs_for_tests: ModuleType) -> None:
    reply = RayWorker(jobs_for_tests.FailingSetup()).work(1)
    assert reply.setup_failed
    assert (type(reply.error), str(reply.error)) == (ModelError, "weights: is damaged")


def test_an_actor_stops_once_at_the_next_message() -> None:
    def work(_item: Any, emit: Any) -> None:
        try:
            emit("first")
            emit("second")
        finally:
            emit("saved")

    worker = RayWorker(lambda: work)
    worker.stop()
    reply = worker.work(1)
    assert reply.stopped
    assert reply.error is None
    assert reply.messages == ["first", "saved"]
    assert worker.take_messages() == []


def test_messages_are_collected_once() -> None:
    collected: list[list[Any]] = []

    def work(_item: Any, emit: Any) -> None:
        emit(1)
        emit(2)
        collected.append(worker.take_messages())
        emit(3)

    worker = RayWorker(lambda: work)
    assert worker.work(None).messages == [3]
    assert collected == [[1, 2]]


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'mien[ray]'")
# Warnings that Ray itself causes at its start and end.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("importable_by_workers", "leftovers")
def test_ray_runs_fails_and_stops_items_as_other_engines_do(jobs_for_tests: ModuleType, tmp_path: Path) -> None:
    # One run for all checks, since Ray takes seconds to start.
    ended: dict[int, Any] = {}
    processes = set()
    items = [1, "exit", 2, "bug", 3, ("long", tmp_path / "log"), 4]
    handler = signal.getsignal(signal.SIGTERM)
    addresses: set[str] = set()
    modes: set[int] = set()

    def report(event: Any) -> None:
        if isinstance(event, Message) and event.number != 5:
            processes.add(event.message)
            addresses.update(listening_addresses())
            modes.update(path.stat().st_mode & 0o777 for path in ray_folders())
        elif isinstance(event, Message) and len(ended) >= 6:
            raise KeyboardInterrupt
        elif not isinstance(event, Message):
            assert event.number not in ended
            ended[event.number] = event.result if isinstance(event, Done) else event.error

    with pytest.raises(KeyboardInterrupt):
        create_engine("ray", workers=2).run(jobs_for_tests.Setup(tmp_path), items, report)
    assert [ended[number] for number in (0, 2, 4, 6)] == [1, 4, 9, 16]
    assert isinstance(ended[1], JobError)
    assert (type(ended[3]), str(ended[3])) == (ZeroDivisionError, "a bug")
    assert (tmp_path / "log").read_text() == "saved"
    assert processes
    assert os.getpid() not in processes
    settings = ("RAY_USAGE_STATS_ENABLED", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER")
    assert not [name for name in settings if name in os.environ]
    assert modes == {0o700}
    if sys.platform == "linux":
        assert addresses
        assert addresses <= {"0100007F", "0" * 16 + "FFFF00000100007F"}, "only the loopback interface"
    assert signal.getsignal(signal.SIGTERM) is handler


def test_at_least_one_worker() -> None:
    with pytest.raises(ConfigError, match="workers must be from 1 to 1,024, got 0"):
        RayEngine(workers=0)
    with pytest.raises(ConfigError, match="workers must be from 1 to 1,024, got 0"):
        create_engine("ray", workers=0)


class FakeRay:
    """What `RayEngine` uses of Ray to start and to connect; every actor returns the items unchanged."""

    __version__ = "2.60.0"
    exceptions = SimpleNamespace(RayError=RuntimeError)

    def __init__(self, node_address: str = "127.0.0.1") -> None:
        self.node_address = node_address
        self.started: list[dict[str, Any]] = []
        self.environments: list[dict[str, str]] = []
        self.n_shutdowns = 0
        self._private = SimpleNamespace(ray_constants=SimpleNamespace(ENABLE_RAY_CLUSTER=True))
        self._raylet = SimpleNamespace()

    def is_initialized(self) -> bool:
        return False

    def init(self, **arguments: Any) -> None:
        self.started.append({**arguments, "reachable": self._private.ray_constants.ENABLE_RAY_CLUSTER})
        self.environments.append({name: text for name, text in os.environ.items() if name.startswith("RAY_")})

    def nodes(self) -> list[dict[str, str]]:
        return [{"NodeManagerAddress": self.node_address}]

    def shutdown(self) -> None:
        self.n_shutdowns += 1

    def remote(self, kind: type) -> Any:
        def work(item: Any) -> tuple[Any]:
            return (item,)

        actor = SimpleNamespace(work=SimpleNamespace(remote=work), kind=kind)
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda _setup: actor))

    def wait(self, pending: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:  # noqa: ARG002 - Ray's names
        return pending, []

    def get(self, reference: Any) -> Any:
        return Reply(messages=[], result=reference[0])

    def kill(self, _actor: Any) -> None:
        pass


@pytest.fixture
def fake_ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    fake = FakeRay()
    monkeypatch.setattr("mien.jobs.ray_engine._import_ray", lambda: fake)
    for name in [name for name in os.environ if name.startswith("RAY_")]:
        monkeypatch.delenv(name)
    return fake


def run_items(engine: Any) -> list[Any]:
    ended: list[Any] = []
    engine.run(lambda: None, ["a", "b"], lambda event: ended.append(event.result))
    return ended


@pytest.mark.usefixtures("leftovers")
def test_a_started_ray_is_on_loopback_with_a_random_token_in_a_private_folder(fake_ray: FakeRay) -> None:
    for _ in range(2):
        assert run_items(create_engine("ray")) == ["a", "b"]
    for arguments in fake_ray.started:
        assert (arguments["address"], arguments["_node_ip_address"]) == ("local", "127.0.0.1")
        assert arguments["include_dashboard"] is False
        assert arguments["reachable"] is False
        assert Path(arguments["_temp_dir"]).parent.name.startswith("mien-ray-")
    first, second = fake_ray.environments
    assert (first["RAY_AUTH_MODE"], first["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"]) == ("token", "0")
    assert len(first["RAY_AUTH_TOKEN"]) == 64
    assert first["RAY_AUTH_TOKEN"] != second["RAY_AUTH_TOKEN"]
    assert fake_ray._private.ray_constants.ENABLE_RAY_CLUSTER is True
    assert not [name for name in os.environ if name.startswith("RAY_")]
    assert fake_ray.n_shutdowns == 2


@pytest.mark.usefixtures("leftovers")
def test_a_ray_that_listens_elsewhere_is_stopped(fake_ray: FakeRay) -> None:
    fake_ray.node_address = "192.0.2.7"
    with pytest.raises(JobError, match=r"Ray 2\.60\.0 listens on 192\.0\.2\.7 and not on this machine alone"):
        run_items(create_engine("ray"))
    assert fake_ray.n_shutdowns == 1


def test_only_a_cluster_that_is_named_is_used(fake_ray: FakeRay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "ray://elsewhere:10001")
    with pytest.raises(ConfigError, match="RAY_ADDRESS is set to 'ray://elsewhere:10001': write ray=auto"):
        create_engine("ray")
    assert run_items(create_engine("ray=auto")) == ["a", "b"]
    (arguments,) = fake_ray.started
    assert arguments["address"] == "auto"
    assert arguments["reachable"] is True
    assert fake_ray.environments == [{"RAY_ADDRESS": "ray://elsewhere:10001"}], "its token is the caller's business"
    monkeypatch.setenv("RAY_ADDRESS", "local")
    assert run_items(create_engine("ray")) == ["a", "b"]

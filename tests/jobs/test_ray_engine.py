# SPDX-License-Identifier: Apache-2.0
"""The Ray actor without Ray, and the engine on a local Ray; the latter is skipped if Ray is not installed."""

import importlib.util
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mien.core import ConfigError, JobError, ModelError
from mien.jobs import Done, Message, create_engine
from mien.jobs.ray_engine import RayEngine, RayWorker

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
    before = set(Path(tempfile.gettempdir()).glob("mien-ray-*"))
    yield {str(path) for path in before}
    assert set(Path(tempfile.gettempdir()).glob("mien-ray-*")) <= before


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

    def report(event: Any) -> None:
        if isinstance(event, Message) and event.number != 5:
            processes.add(event.message)
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
    assert "RAY_USAGE_STATS_ENABLED" not in os.environ
    assert signal.getsignal(signal.SIGTERM) is handler


def test_at_least_one_worker() -> None:
    with pytest.raises(ConfigError, match="workers must be at least 1, got 0"):
        RayEngine(workers=0)
    with pytest.raises(ConfigError, match="workers must be at least 1, got 0"):
        create_engine("ray", workers=0)

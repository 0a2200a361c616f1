# SPDX-License-Identifier: Apache-2.0
"""Behaviour that every engine shares, the registry of engines, and the fake."""

import os
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mien.core import ConfigError, InputError, JobError, MissingExtraError, ModelError
from mien.jobs import Engine, FakeEngine, LocalEngine, Message, create_engine, temporary_folders
from tests.helpers.engine_runs import run_engine

ENGINES = {"one": lambda: LocalEngine(1), "two": lambda: LocalEngine(2), "fake": FakeEngine}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    engine: Engine = ENGINES[request.param]()
    return engine


def test_every_item_is_done_once(engine: Engine, jobs_for_tests: ModuleType, tmp_path: Path) -> None:
    ended, messages = run_engine(engine, jobs_for_tests.Setup(tmp_path), list(range(10)))
    assert ended == {number: number**2 for number in range(10)}
    assert sorted(event.number for event in messages) == list(range(10))
    processes = {event.message for event in messages}
    assert len(list(tmp_path.glob("setup-*"))) <= 2, "the work was set up more than once in a worker"
    assert {f"setup-{process}" for process in processes} <= {path.name for path in tmp_path.iterdir()}


def test_an_item_that_fails_does_not_stop_the_others(
    engine: Engine, jobs_for_tests: ModuleType, tmp_path: Path
) -> None:
    ended, _ = run_engine(engine, jobs_for_tests.Setup(tmp_path), [1, "bad", 2, "bug", 3])
    assert (ended[0], ended[2], ended[4]) == (1, 4, 9)
    assert (type(ended[1]), str(ended[1])) == (InputError, "clip.mp4: is empty")
    assert (type(ended[3]), str(ended[3])) == (ZeroDivisionError, "a bug")


def test_no_items(engine: Engine, jobs_for_tests: ModuleType, tmp_path: Path) -> None:
    assert run_engine(engine, jobs_for_tests.Setup(tmp_path), []) == ({}, [])


def test_what_the_setup_raises_comes_out(engine: Engine, jobs_for_tests: ModuleType) -> None:
    with pytest.raises(ModelError, match="weights: is damaged"):
        run_engine(engine, jobs_for_tests.FailingSetup(), [1, 2, 3])


def test_a_listener_that_raises_ends_the_run(engine: Engine, jobs_for_tests: ModuleType, tmp_path: Path) -> None:
    events = []

    def report(event: Any) -> None:
        events.append(event)
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        engine.run(jobs_for_tests.Setup(tmp_path), list(range(100)), report)
    assert len(events) <= 2 * engine.n_workers


def test_a_stopped_job_saves_what_it_has(engine: Engine, jobs_for_tests: ModuleType, tmp_path: Path) -> None:
    def report(event: Any) -> None:
        if isinstance(event, Message) and event.message == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.run(jobs_for_tests.Setup(tmp_path), [("long", tmp_path / "log"), 1, 2], report)
    assert (tmp_path / "log").read_text() == "saved"


def test_the_fake_loses_the_workers_it_shall(jobs_for_tests: ModuleType, tmp_path: Path) -> None:
    ended, _ = run_engine(FakeEngine({1: "gone"}), jobs_for_tests.Setup(tmp_path), [1, 2, 3])
    assert (ended[0], ended[2]) == (1, 9)
    assert (type(ended[1]), str(ended[1])) == (JobError, "gone")


@pytest.mark.parametrize(
    ("engine", "workers", "message"),
    [
        ("local", 0, "workers must be from 1 to 1,024, got 0"),
        ("lokal", 1, "no engine is named 'lokal'; did you mean 'local'"),
        ("local=here", 1, "the engine local takes no address"),
        (object(), 1, "an engine has a method run"),
    ],
)
def test_wrong_engines(engine: Any, workers: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        create_engine(engine, workers=workers)


def test_engines_by_name_and_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert create_engine("local", workers=3).n_workers == 3
    own = FakeEngine()
    assert create_engine(own, workers=5) is own
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install '.*\[ray\]'"):
        create_engine("ray")


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_any_run_deletes_the_folder_of_a_ray_that_was_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(temporary_folders, "_short_parent", lambda: str(tmp_path))
    left = tmp_path / f"{temporary_folders.RAY_PREFIX}abc"
    left.mkdir()
    (left / "lock").touch()
    past = time.time() - 10
    os.utime(left, (past, past))
    create_engine("local")
    assert not left.exists()

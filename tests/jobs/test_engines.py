# SPDX-License-Identifier: Apache-2.0
"""What every engine owes, and what only processes can get wrong."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mien.core import ConfigError, InputError, JobError, MissingExtraError, ModelError
from mien.jobs import Done, Engine, FakeEngine, LocalEngine, Message, create_engine

ENGINES = {"one": lambda: LocalEngine(1), "two": lambda: LocalEngine(2), "fake": FakeEngine}

HELPERS = Path(__file__).resolve().parents[1] / "helpers"


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    made: Engine = ENGINES[request.param]()
    return made


def run(engine: Engine, setup: Any, items: list[Any]) -> tuple[dict[int, Any], list[Message]]:
    """What became of each item, and what was told."""
    ended: dict[int, Any] = {}
    told = []

    def report(event: Any) -> None:
        if isinstance(event, Message):
            told.append(event)
            return
        assert event.number not in ended, "an item ended twice"
        ended[event.number] = event.result if isinstance(event, Done) else event.error

    engine.run(setup, items, report)
    return ended, told


def test_every_item_is_done_once(engine: Engine, jobs_for_tests: ModuleType, tmp_path: Path) -> None:
    ended, told = run(engine, jobs_for_tests.Setup(tmp_path), list(range(10)))
    assert ended == {number: number**2 for number in range(10)}
    assert sorted(event.number for event in told) == list(range(10))
    processes = {event.message for event in told}
    assert len(list(tmp_path.glob("setup-*"))) <= 2, "the work was set up more than once in a worker"
    assert {f"setup-{process}" for process in processes} <= {path.name for path in tmp_path.iterdir()}


def test_an_item_that_fails_does_not_stop_the_others(
    engine: Engine, jobs_for_tests: ModuleType, tmp_path: Path
) -> None:
    ended, _ = run(engine, jobs_for_tests.Setup(tmp_path), [1, "bad", 2, "bug", 3])
    assert (ended[0], ended[2], ended[4]) == (1, 4, 9)
    assert (type(ended[1]), str(ended[1])) == (InputError, "clip.mp4: is empty")
    assert (type(ended[3]), str(ended[3])) == (ZeroDivisionError, "a bug")


def test_no_items(engine: Engine, jobs_for_tests: ModuleType, tmp_path: Path) -> None:
    assert run(engine, jobs_for_tests.Setup(tmp_path), []) == ({}, [])


def test_what_the_setup_raises_comes_out(engine: Engine, jobs_for_tests: ModuleType) -> None:
    with pytest.raises(ModelError, match="weights: is damaged"):
        run(engine, jobs_for_tests.FailingSetup(), [1, 2, 3])


def test_a_listener_that_raises_ends_the_run(engine: Engine, jobs_for_tests: ModuleType, tmp_path: Path) -> None:
    heard = []

    def report(event: Any) -> None:
        heard.append(event)
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        engine.run(jobs_for_tests.Setup(tmp_path), list(range(100)), report)
    assert len(heard) <= 2 * engine.n_workers


def test_a_stopped_job_saves_what_it_has(engine: Engine, jobs_for_tests: ModuleType, tmp_path: Path) -> None:
    def report(event: Any) -> None:
        if isinstance(event, Message) and event.message == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.run(jobs_for_tests.Setup(tmp_path), [("long", tmp_path / "log"), 1, 2], report)
    assert (tmp_path / "log").read_text() == "saved"


def test_a_worker_that_dies_costs_its_item_alone(jobs_for_tests: ModuleType, tmp_path: Path) -> None:
    ended, _ = run(LocalEngine(2), jobs_for_tests.Setup(tmp_path), [1, "exit", 2, "kill", 3, "unpicklable"])
    assert [ended[number] for number in (0, 2, 4)] == [1, 4, 9]
    assert all(isinstance(ended[number], JobError) for number in (1, 3, 5))
    assert "died (exit code 7)" in str(ended[1])
    assert str(ended[5]) == "UnpicklableError: two arguments"
    if os.name == "posix":
        assert "died (SIGKILL)" in str(ended[3])


def test_workers_that_cannot_start_end_the_run(jobs_for_tests: ModuleType) -> None:
    with pytest.raises(JobError, match=r"no worker process can start \(exit code 9"):
        run(LocalEngine(2), jobs_for_tests.FailingSetup(dies=True), [1, 2, 3])


@pytest.mark.skipif(os.name != "posix", reason="kill of this kind is POSIX")
def test_ctrl_c_stops_the_workers_in_order(jobs_for_tests: ModuleType, tmp_path: Path) -> None:
    logs = [tmp_path / "first", tmp_path / "second"]
    begun: set[int] = set()
    pressed = False

    def report(event: Any) -> None:
        nonlocal pressed
        begun.add(event.number)
        if len(begun) == 2 and isinstance(event, Message) and not pressed:
            pressed = True  # a second time would mean: at once
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            LocalEngine(2).run(jobs_for_tests.Setup(tmp_path), [("long", log) for log in logs], report)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert [log.read_text() for log in logs] == ["saved", "saved"]


@pytest.mark.skipif(os.name != "posix", reason="kill of this kind is POSIX")
def test_workers_die_with_their_parent(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).resolve().parents[1] / 'helpers')!r})\n"
        "from pathlib import Path; from jobs_for_tests import Setup; from mien.jobs import LocalEngine\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "LocalEngine(2).run(Setup(folder), [('long', folder / 'log')] * 2, lambda _: None)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    while len(list(tmp_path.glob("setup-*"))) < 2:
        assert parent.poll() is None
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    workers = [int(path.name.removeprefix("setup-")) for path in tmp_path.glob("setup-*")]
    deadline = time.monotonic() + 60
    while any(_alive(worker) for worker in workers):
        assert time.monotonic() < deadline, "a worker outlived its parent"
        time.sleep(0.05)
    assert not (tmp_path / "log").exists(), "a worker went on without its parent"


def _alive(process: int) -> bool:
    try:
        # A dead one that nobody has collected yet is still listed.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_in_a_thread_interrupts_are_left_alone(jobs_for_tests: ModuleType, tmp_path: Path) -> None:
    found: list[Any] = []
    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(
        target=lambda: found.append(run(LocalEngine(2), jobs_for_tests.Setup(tmp_path), [2, 3])[0])
    )
    thread.start()
    thread.join()
    assert found == [{0: 4, 1: 9}]
    assert signal.getsignal(signal.SIGINT) is before


def test_the_fake_loses_the_workers_it_shall(jobs_for_tests: ModuleType, tmp_path: Path) -> None:
    ended, _ = run(FakeEngine({1: "gone"}), jobs_for_tests.Setup(tmp_path), [1, 2, 3])
    assert (ended[0], ended[2]) == (1, 9)
    assert (type(ended[1]), str(ended[1])) == (JobError, "gone")


@pytest.mark.parametrize(
    ("engine", "workers", "message"),
    [
        ("local", 0, "workers must be at least 1, got 0"),
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
    with pytest.raises(MissingExtraError, match=r"pip install 'mien\[ray\]'"):
        create_engine("ray")

# SPDX-License-Identifier: Apache-2.0
"""Worker processes on this machine: crashes, interrupts and errors that cannot be pickled."""

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

from mien.core import ConfigError, JobError
from mien.jobs import LocalEngine, Message
from tests.helpers.engine_runs import run_engine


def test_a_crash_fails_only_the_current_item(jobs_for_tests: ModuleType, tmp_path: Path) -> None:
    ended, _ = run_engine(LocalEngine(2), jobs_for_tests.Setup(tmp_path), [1, "exit", 2, "kill", 3, "unpicklable"])
    assert [ended[number] for number in (0, 2, 4)] == [1, 4, 9]
    assert all(isinstance(ended[number], JobError) for number in (1, 3, 5))
    assert "crashed (exit code 7)" in str(ended[1])
    assert str(ended[5]) == "UnpicklableError: two arguments"
    if os.name == "posix":
        assert "crashed (SIGKILL)" in str(ended[3])


def test_a_lone_item_needs_no_process_of_its_own(jobs_for_tests: ModuleType, tmp_path: Path) -> None:
    ended, _ = run_engine(LocalEngine(4), jobs_for_tests.Setup(tmp_path), [3])
    assert ended == {0: 9}
    assert [path.name for path in tmp_path.iterdir()] == [f"setup-{os.getpid()}"]


def test_workers_that_cannot_start_end_the_run(jobs_for_tests: ModuleType) -> None:
    with pytest.raises(JobError, match=r"no worker process can start \(exit code 9"):
        run_engine(LocalEngine(2), jobs_for_tests.FailingSetup(dies=True), [1, 2, 3])


@pytest.mark.skipif(os.name != "posix", reason="kill of this kind is POSIX")
@pytest.mark.parametrize("n_signals", [1, 2])
def test_ctrl_c_stops_the_workers_in_order(jobs_for_tests: ModuleType, tmp_path: Path, n_signals: int) -> None:
    logs = [tmp_path / "first", tmp_path / "second"]
    begun: set[int] = set()
    pressed = False

    def report(event: Any) -> None:
        nonlocal pressed
        begun.add(event.number)
        if len(begun) == 2 and isinstance(event, Message) and not pressed:
            pressed = True
            for _ in range(n_signals):  # a third one would mean: at once
                signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            LocalEngine(2).run(jobs_for_tests.Setup(tmp_path), [("long", log) for log in logs], report)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert [log.read_text() for log in logs] == ["saved", "saved"]


@pytest.mark.skipif(os.name != "posix", reason="kill of this kind is POSIX")
def test_workers_end_with_their_parent(tmp_path: Path) -> None:
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
        target=lambda: found.append(run_engine(LocalEngine(2), jobs_for_tests.Setup(tmp_path), [2, 3])[0])
    )
    thread.start()
    thread.join()
    assert found == [{0: 4, 1: 9}]
    assert signal.getsignal(signal.SIGINT) is before


def test_at_least_one_worker() -> None:
    with pytest.raises(ConfigError, match="workers must be from 1 to 1,024, got 0"):
        LocalEngine(0)

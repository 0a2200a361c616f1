# SPDX-License-Identifier: Apache-2.0
"""Runs ``mien.analyze`` again and again in processes that die by ``kill -9`` at random moments; see test_crashes.py.

Every second run dies at a random time, every other one at a random one of its operations on files, most of which belong
to the finish of a table. Models are loaded once, and every run is a fork of this process: a crash costs what the run
takes and no more.
"""

import functools
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import mien
from mien.affect import Analyzer
from mien.pipeline import table_run as run

ANALYZER = Analyzer(threads=1)


FILE_EVENTS = ("open", "os.mkdir", "os.remove", "os.rename", "os.rmdir")


def start(inputs: Path, out: Path, *, die_at: int = -1, log: Path | None = None) -> int:
    """Begin a run in a process of its own; gives its number.

    With ``die_at`` >= 0 it dies at that one of its operations on files below ``out``; their number goes into ``log``.
    """
    child = os.fork()
    if child == 0:
        n_operations = 0

        def count_or_die(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal n_operations
            if event in FILE_EVENTS and str(out) in str(arguments[:2]):
                if n_operations == die_at:
                    os.kill(os.getpid(), signal.SIGKILL)
                n_operations += 1

        sys.addaudithook(count_or_die)
        result = mien.analyze(inputs, out, threads=1)
        if log is not None:
            log.write_text(str(n_operations))
        os._exit(0 if result.complete else 1)
    return child


def ended_within(child: int, seconds: float) -> bool:
    """Wait for a run; one that is not through by then is killed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            if os.waitstatus_to_exitcode(status) == -signal.SIGKILL:
                return False
            if os.waitstatus_to_exitcode(status) != 0:
                raise SystemExit(f"a run ended with status {status}")
            return True
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def main(inputs: Path, place: Path, n_kills: int, seed: int) -> None:
    """Fill ``place/reference`` without a kill, then ``place/0``, ``place/1`` ... until there were enough of them."""
    run.Analyzer = lambda *_, **__: ANALYZER
    # So that kills also fall between the parts of a table: clips this short would otherwise be one part.
    run.TableWriter = functools.partial(run.TableWriter, rows_per_part=2)
    chance = random.Random(seed)
    before = time.monotonic()
    log = place.parent / "operations.txt"
    if not ended_within(start(inputs, place / "reference", log=log), 120):
        raise SystemExit("the first run took too long")
    duration_s = time.monotonic() - before
    n_operations = int(log.read_text())
    n_killed, n_rounds = 0, 0
    while n_killed < n_kills:
        out = place / str(n_rounds)
        by_time = chance.random() < 0.5
        run_now = start(inputs, out, die_at=-1 if by_time else chance.randrange(n_operations))
        if ended_within(run_now, chance.uniform(0, duration_s) if by_time else 120):
            n_rounds += 1
        else:
            n_killed += 1
    if not ended_within(start(inputs, place / str(n_rounds)), 120):
        raise SystemExit("the last run took too long")
    print(n_killed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))

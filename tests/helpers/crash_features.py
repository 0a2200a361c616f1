# SPDX-License-Identifier: Apache-2.0
"""Runs the extraction of crops in processes that die by ``kill -9`` at random moments; see test_features.py.

The model is loaded once, and every run is a fork of this process: a kill costs what the run takes and no more.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

from mien.inference import load_bundle
from mien.pipeline.feature_extraction.crop_features import CropExtractor
from mien.pipeline.feature_extraction.extraction import run_extraction

EXTRACTOR = CropExtractor(load_bundle(threads=1), float16=False, every=1)


def start(inputs: Path, out: Path) -> int:
    """Begin a run in a process of its own; gives its number."""
    child = os.fork()
    if child == 0:
        result = run_extraction(
            EXTRACTOR, [str(inputs)], out, rows_per_shard=3, on_progress=lambda _: None, on_event=lambda _: None
        )
        os._exit(0 if result.complete else 1)
    return child


def ended_within(child: int, seconds: float) -> bool:
    """Wait for a run; one that is not through by then is killed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            # One crop is damaged on purpose; the run after one that was killed right at its end has nothing to tell.
            if os.waitstatus_to_exitcode(status) not in (0, 1):
                raise SystemExit(f"a run ended with status {status}")
            return True
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def main(inputs: Path, place: Path, n_kills: int, seed: int) -> None:
    """Fill ``place/reference`` without a kill, then ``place/0``, ``place/1`` ... until there were enough of them."""
    chance = random.Random(seed)
    before = time.monotonic()
    if not ended_within(start(inputs, place / "reference"), 120):
        raise SystemExit("the first run took too long")
    duration_s = time.monotonic() - before
    n_killed = n_rounds = 0
    while n_killed < n_kills:
        while not ended_within(start(inputs, place / str(n_rounds)), chance.uniform(0, duration_s)):
            n_killed += 1
        n_rounds += 1
    print(n_killed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))

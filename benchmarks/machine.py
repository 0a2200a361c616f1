# SPDX-License-Identifier: Apache-2.0
"""What every measurement says of its circumstances: date, memory, spread, and the environment of measured processes."""

from __future__ import annotations

import datetime
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence


def today() -> str:
    """The date in UTC, as YYYY-MM-DD."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def relative_spread(seconds: Sequence[float]) -> float:
    """(slowest - fastest) / median of several runs."""
    return (max(seconds) - min(seconds)) / statistics.median(seconds)


def peak_memory_bytes() -> int:
    """Highest resident memory of this process since its start, in bytes."""
    # Linux counts kilobytes, macOS bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measure(name: str, work: Callable[[], int]) -> None:
    """Run work that returns its number of rows, and print CPU seconds and peak memory."""
    before = time.process_time()
    n_rows = work()
    cpu_s = time.process_time() - before
    print(f"{name}: {n_rows} rows, {cpu_s:.1f} s CPU, peak so far {peak_memory_bytes() / 1e9:.2f} GB", flush=True)


def user_environment() -> dict[str, str]:
    """Environment variables for a measured process, without thread limits: libraries choose as they do for users."""
    return {name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}

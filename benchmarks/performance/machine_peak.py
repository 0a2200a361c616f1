# SPDX-License-Identifier: Apache-2.0
"""Highest compute and memory rates of this machine, as NumPy reaches them; prints GFLOP/s and GB/s as JSON.

A script with a process of its own, so that thread limits and memory of the calling process do not matter.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numpy as np

_SIDE = 1536
_BYTES = 256_000_000  # far more than the caches hold
_REPEATS = 7


def fastest_s(work: Callable[[], object]) -> float:
    """Seconds of the fastest of several runs: disturbances can only make a run slower."""
    times = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    """Time a product of two float32 matrices, and a copy."""
    rng = np.random.default_rng(0)
    left, right = (rng.random((_SIDE, _SIDE), np.float32) for _ in range(2))
    product = np.empty_like(left)
    source = np.zeros(_BYTES, np.uint8)
    target = np.ones_like(source)
    gflops = 2 * _SIDE**3 / fastest_s(lambda: np.matmul(left, right, out=product)) / 1e9
    # A copy reads and writes.
    gigabytes = 2 * _BYTES / fastest_s(lambda: np.copyto(target, source)) / 1e9
    print(json.dumps({"gflops": round(gflops, 1), "gb_per_s": round(gigabytes, 1)}))


if __name__ == "__main__":
    main()

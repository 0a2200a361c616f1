# SPDX-License-Identifier: Apache-2.0
"""A training keeps the memory that its steps free: the system does not clear the same pages again and again."""

import os
import platform
import subprocess
import sys

import pytest

_STEPS = """
import resource, sys
import numpy as np
from mien.training.engine.compute import keep_freed_memory

kept = keep_freed_memory() if sys.argv[1] == "keep" else False
blocks = [np.ones(16_000_000, np.float32) for _ in range(2)]  # 64 MB each, as a first step would
del blocks
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(16_000_000, np.float32)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def run_steps(way: str, **environment: str) -> tuple[bool, int]:
    """Whether memory was kept, and how many pages ten steps had the system clear."""
    unset = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    child = subprocess.run(
        [sys.executable, "-c", _STEPS, way],
        env={**unset, "NUMPY_MADVISE_HUGEPAGE": "0", **environment},  # small pages, as tensors have
        check=True,
        capture_output=True,
        text=True,
    )
    kept, faults = child.stdout.split()
    return kept == "True", int(faults)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these settings")
def test_pages_are_cleared_once() -> None:
    free, kept = run_steps("free"), run_steps("keep")
    assert not free[0]
    assert kept[0]
    assert kept[1] < free[1] / 10


def test_who_sets_the_allocator_is_obeyed() -> None:
    assert not run_steps("keep", MALLOC_TRIM_THRESHOLD_="131072")[0]
    assert not run_steps("keep", GLIBC_TUNABLES="glibc.malloc.top_pad=0")[0]

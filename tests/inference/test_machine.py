# SPDX-License-Identifier: Apache-2.0
"""What a measured speed must name."""

import os
import subprocess
import sys

import psutil
import pytest

from mien.inference import machine_name, process_memory, usable_cores


def test_the_machine_says_how_many_cores_may_be_used() -> None:
    assert f"{usable_cores()} cores usable" in machine_name()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells the memory of a process in /proc")
def test_memory_is_what_psutil_says() -> None:
    memory = process_memory()
    assert memory is not None
    assert memory.resident_mb == pytest.approx(psutil.Process().memory_info().rss / 1e6, rel=0.05)
    assert memory.peak_mb >= memory.resident_mb
    assert process_memory(os.getpid()) is not None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells the memory of a process in /proc")
def test_a_process_that_is_over_has_no_memory() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # over, and not collected
    assert process_memory(process.pid) is None
    process.wait()
    assert process_memory(process.pid) is None

# SPDX-License-Identifier: Apache-2.0
"""What a measured speed must name: the processor, the cores that may be used, the system; and memory in use."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from pathlib import Path

from mien.inference.runtime import usable_cores


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Memory of a process that lies in RAM, shared libraries included.

    Attributes:
        resident_mb: now, in 10^6 bytes.
        peak_mb: the most since the process began, in 10^6 bytes.
    """

    resident_mb: float
    peak_mb: float


def machine_name() -> str:
    """For example ``"AMD EPYC 7B13, 2 cores usable, Linux x86_64"``."""
    return f"{_processor()}, {usable_cores()} cores usable, {platform.system()} {platform.machine()}"


def process_memory(pid: int | None = None) -> Memory | None:
    """Memory of a process as Linux counts it.

    Args:
        pid: of the process; None for this one.

    Returns:
        None where the process is over, or the system does not tell.
    """
    try:
        status = Path(f"/proc/{'self' if pid is None else pid}/status").read_text("utf-8")
    except OSError:
        return None
    kib = {name: int(value) for name, value in re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB$", status, re.MULTILINE)}
    if len(kib) < 2:  # a process that is over, but not yet collected, has no memory
        return None
    return Memory(resident_mb=kib["VmRSS"] * 1024 / 1e6, peak_mb=kib["VmHWM"] * 1024 / 1e6)


def _processor() -> str:
    """The processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown processor"
    )

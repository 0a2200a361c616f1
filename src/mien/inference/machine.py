# SPDX-License-Identifier: Apache-2.0
"""What a measured speed must name: the processor, the cores that may be used, the system."""

from __future__ import annotations

import platform
from pathlib import Path

from mien.inference.runtime import usable_cores


def machine_name() -> str:
    """For example ``"AMD EPYC 7B13, 2 cores usable, Linux x86_64"``."""
    return f"{_processor()}, {usable_cores()} cores usable, {platform.system()} {platform.machine()}"


def _processor() -> str:
    """The processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown processor"
    )

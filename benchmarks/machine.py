# SPDX-License-Identifier: Apache-2.0
"""What every measurement says of its circumstances: date, memory, spread, and the environment of measured processes."""

from __future__ import annotations

import datetime
import os
import resource
import statistics
import sys
from collections.abc import Sequence


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


def user_environment() -> dict[str, str]:
    """Environment variables for a measured process, without thread limits: libraries choose as they do for users."""
    return {name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}

# SPDX-License-Identifier: Apache-2.0
"""Paired differences over seeds, their 95 % intervals, and the verdict on a claim; and results that a run resumes."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scipy.stats import t as student

from mien.results import atomic_write


@dataclass(frozen=True)
class Difference:
    """Mean of paired differences with a 95 % interval (Student's t).

    Attributes:
        mean: mean over the seeds.
        low: lower end of the interval.
        high: upper end.
        n: number of seeds.
    """

    mean: float
    low: float
    high: float
    n: int

    @property
    def verdict(self) -> str:
        """Whether "the first is higher" is supported, not supported (it is lower), or undecided."""
        if self.low > 0:
            return "supported"
        return "not supported" if self.high < 0 else "undecided"

    def __str__(self) -> str:
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def paired(first: Sequence[float], second: Sequence[float]) -> Difference:
    """The differences first - second of the same seeds.

    Raises:
        ValueError: the lists differ in length, or hold fewer than two seeds.
    """
    if len(first) != len(second) or len(first) < 2:
        raise ValueError(f"two lists of the same two or more seeds are needed, got {len(first)} and {len(second)}")
    differences = [a - b for a, b in zip(first, second, strict=True)]
    mean, n = statistics.fmean(differences), len(differences)
    half = float(student.ppf(0.975, n - 1)) * statistics.stdev(differences) / math.sqrt(n)
    return Difference(mean, mean - half, mean + half, n)


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation over the seeds, as ``0.651 (0.004)``."""
    return f"{statistics.fmean(values):.3f} ({statistics.stdev(values):.3f})"


Metrics = Mapping[str, float]


class KeptResults:
    """Metrics of finished runs in one JSON file; a run that is there is not computed again.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, dict[str, float]] = json.loads(path.read_text("utf-8")) if path.is_file() else {}

    def has(self, key: str) -> bool:
        """Whether a run is there."""
        return key in self._found

    def get(self, key: str, compute: Callable[[], Metrics]) -> dict[str, float]:
        """The metrics of a run, computed and kept at the first call."""
        if key not in self._found:
            self._found[key] = dict(compute())
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._path) as file:
                file.write((json.dumps(self._found, indent=1) + "\n").encode())
            shown = ", ".join(f"{name} {value:.4f}" for name, value in self._found[key].items())
            print(f"{key}: {shown}", flush=True)
        return self._found[key]

# SPDX-License-Identifier: Apache-2.0
"""What a protocol reports: measures with intervals, and what was left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.intp]

N_RESAMPLES = 1000


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One number with its 95 % bootstrap interval.

    Attributes:
        name: of the measure, with its protocol.
        n: rows measured.
        value: on all rows.
        low: 2.5 % percentile over resampled rows.
        high: 97.5 % percentile.
    """

    name: str
    n: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Report:
    """Measures of one predictor on one data set.

    Attributes:
        protocol: name.
        data: data set and split.
        predictor: bundle name.
        digest: of the bundle.
        n_rows: rows of the data set.
        dropped: reason -> rows left out.
        measures: the numbers.
    """

    protocol: str
    data: str
    predictor: str
    digest: str
    n_rows: int
    dropped: dict[str, int]
    measures: tuple[Measure, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain lists, dicts and numbers."""
        return asdict(self)


def measure(
    name: str, n: int, statistic: Callable[[Rows], float], *, seed: int = 0, groups: npt.NDArray[Any] | None = None
) -> Measure:
    """A statistic of n rows with its bootstrap interval.

    Args:
        name: of the measure.
        n: number of rows.
        statistic: of row indices (with repetitions).
        seed: of the resampling.
        groups: (n,) who or what a row belongs to; then whole groups are drawn, because their rows are alike.
    """
    rng = np.random.default_rng(seed)
    everything = np.arange(n)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)] if groups is not None else None
    values = []
    for _ in range(N_RESAMPLES):
        if members is None:
            rows = rng.integers(0, n, n)
        else:
            rows = np.concatenate([members[i] for i in rng.integers(0, len(members), len(members))])
        values.append(statistic(rows))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return Measure(name=name, n=n, value=statistic(everything), low=float(low), high=float(high))

# SPDX-License-Identifier: Apache-2.0
"""What a protocol reports: measures with intervals, and what was left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.core import Figure
from mien.metrics import bootstrap_weights

Rows = npt.NDArray[np.intp]
Weights = npt.NDArray[np.float64]

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
        predictor: name of the bundle or of the file of predictions.
        digest: of that bundle or file.
        n_rows: rows of the data set.
        dropped: reason -> rows left out.
        measures: the numbers.
        command: that measures them again; empty where no command did.
    """

    protocol: str
    data: str
    predictor: str
    digest: str
    n_rows: int
    dropped: dict[str, int]
    measures: tuple[Measure, ...]
    command: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain lists, dicts and numbers."""
        return asdict(self)

    def figures(self) -> tuple[Figure, ...]:
        """The measures as a bundle's card keeps them, to four digits."""
        return tuple(
            Figure(
                measure=m.name,
                data=self.data,
                n=m.n,
                value=round(m.value, 4),
                low=round(m.low, 4),
                high=round(m.high, 4),
                command=f"mien evaluate {self.protocol} --data DATA --bundle {self.predictor}",
            )
            for m in self.measures
        )


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
    members = _members(groups) if groups is not None else None
    values = []
    for _ in range(N_RESAMPLES):
        if members is None:
            rows = rng.integers(0, n, n)
        else:
            rows = np.concatenate([members[i] for i in rng.integers(0, len(members), len(members))])
        values.append(statistic(rows))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return Measure(name=name, n=n, value=statistic(everything), low=float(low), high=float(high))


def measure_groups(
    name: str, n: int, statistic: Callable[[Weights], npt.NDArray[np.float64]], n_groups: int, *, seed: int = 0
) -> Measure:
    """A statistic of millions of rows with the bootstrap interval of whole groups of rows, such as videos.

    Nothing is resampled row by row: what is enough to know of each group (`mien.metrics.Moments`,
    `mien.metrics.LabelCounts`) is pooled with the number of times that the group was drawn.

    Args:
        name: of the measure.
        n: number of rows.
        statistic: of weights (R, G) of the groups; gives R numbers. Samples in which it is NaN are left out.
        n_groups: G.
        seed: of the resampling.
    """
    value = float(statistic(np.ones((1, n_groups)))[0])
    drawn = np.concatenate([statistic(block) for block in bootstrap_weights(n_groups, N_RESAMPLES, seed=seed)])
    known = drawn[~np.isnan(drawn)]
    low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (np.nan, np.nan)
    return Measure(name=name, n=n, value=value, low=float(low), high=float(high))


def _members(groups: npt.NDArray[Any]) -> list[Rows]:
    """The rows of each group."""
    order = np.argsort(groups, kind="stable")
    _, start = np.unique(groups[order], return_index=True)
    return np.split(order, start[1:])

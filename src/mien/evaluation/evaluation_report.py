# SPDX-License-Identifier: Apache-2.0
"""`Report`: the metrics of a protocol; and metrics with bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.core import Float64, Indices, MetricValue
from mien.datasets import some_names
from mien.metrics import bootstrap_weights

N_RESAMPLES = 1000
"""Number of bootstrap samples behind each interval."""


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How much of a data set or an official list a predictor has faces for.

    Attributes:
        n_rows: Number of frames or images.
        n_with_face: Number of them with a crop or a detected face.
        n_tracks: Number of tracks.
        without_face: Tracks without any face, for which nothing can be predicted.

    Examples:
        >>> print(Coverage(n_rows=40, n_with_face=30, n_tracks=3, without_face=("video2",)))
        30 of 40 rows (75.0 %) have a face, 2 of 3 tracks; none in video2
    """

    n_rows: int
    n_with_face: int
    n_tracks: int
    without_face: tuple[str, ...] = ()

    def __str__(self) -> str:
        share = f"{self.n_with_face} of {self.n_rows} rows ({self.n_with_face / max(self.n_rows, 1):.1%}) have a face"
        seen = f"{share}, {self.n_tracks - len(self.without_face)} of {self.n_tracks} tracks".replace("%)", " %)")
        return f"{seen}; none in {some_names(self.without_face)}" if self.without_face else seen


@dataclass(frozen=True, kw_only=True)
class Report:
    """Metrics of one bundle or predictor on one data set.

    Attributes:
        protocol: Name of the protocol.
        data: Name of the data set and the split.
        predictor: Name of the bundle or of the file of predictions.
        digest: SHA-256 of that bundle or file.
        n_rows: Number of rows of the data set.
        dropped: Reason -> number of rows that were left out.
        metrics: Metrics with 95 % bootstrap intervals.
        command: Command line that gives the report again; empty if it came from Python.
        coverage: Frames and tracks with a face; None where the predictor reads no faces.
        notes: Sentences for the user, such as columns that no model predicts.
    """

    protocol: str
    data: str
    predictor: str
    digest: str
    n_rows: int
    dropped: dict[str, int]
    metrics: tuple[MetricValue, ...]
    command: str = ""
    coverage: Coverage | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The report as lists, dicts and numbers; a value that is not defined is None."""
        report = asdict(self)
        for metric in report["metrics"]:
            metric |= {key: None for key in ("value", "low", "high") if not math.isfinite(metric[key])}
        return report

    def card_metrics(self) -> tuple[MetricValue, ...]:
        """The metrics as a bundle's card keeps them, to four digits."""
        return tuple(
            MetricValue(
                name=m.name,
                data=self.data,
                n=m.n,
                value=round(m.value, 4),
                low=round(m.low, 4),
                high=round(m.high, 4),
                command=f"mien evaluate {self.protocol} --data DATA --model {self.predictor}",
            )
            for m in self.metrics
        )


def bootstrap_metric(
    name: str, n: int, statistic: Callable[[Indices], float], *, seed: int = 0, groups: npt.NDArray[Any] | None = None
) -> MetricValue:
    """A statistic of n rows with its 95 % bootstrap interval.

    Args:
        name: Name of the metric.
        n: Number of rows.
        statistic: Function from row indices (with repetitions) to the value.
        seed: Seed of the resampling.
        groups: (n,) person or video of each row; whole groups are drawn then, because their rows are alike.

    Examples:
        >>> hits = np.array([True] * 75 + [False] * 25)
        >>> accuracy = bootstrap_metric("accuracy", 100, lambda rows: float(hits[rows].mean()))
        >>> accuracy.value, accuracy.low < 0.75 < accuracy.high
        (0.75, True)
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
    return MetricValue(name=name, n=n, value=statistic(everything), low=float(low), high=float(high))


def bootstrap_group_metric(
    name: str, n: int, statistic: Callable[[Float64], Float64], n_groups: int, *, seed: int = 0
) -> MetricValue:
    """A statistic of many rows with the 95 % bootstrap interval of whole groups of rows, such as videos.

    The rows themselves are not resampled: sufficient statistics of each group (`mien.metrics.Moments`,
    `mien.metrics.LabelCounts`) are pooled with the number of times that the group was drawn.

    Args:
        name: Name of the metric.
        n: Number of rows.
        statistic: Function from weights (R, G) of the groups to R values. Samples in which it is NaN are left out.
        n_groups: Number of groups G.
        seed: Seed of the resampling.

    Examples:
        >>> sums, sizes = np.array([3.0, 1.0]), np.array([4.0, 4.0])  # two videos
        >>> mean = bootstrap_group_metric("mean", 8, lambda w: w @ sums / (w @ sizes), 2)
        >>> mean.value, mean.low, mean.high
        (0.5, 0.25, 0.75)
    """
    value = float(statistic(np.ones((1, n_groups)))[0])
    drawn = np.concatenate([statistic(block) for block in bootstrap_weights(n_groups, N_RESAMPLES, seed=seed)])
    known = drawn[~np.isnan(drawn)]
    low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (np.nan, np.nan)
    return MetricValue(name=name, n=n, value=value, low=float(low), high=float(high))


def _members(groups: npt.NDArray[Any]) -> list[Indices]:
    """The rows of each group."""
    order = np.argsort(groups, kind="stable")
    _, start = np.unique(groups[order], return_index=True)
    return np.split(order, start[1:])

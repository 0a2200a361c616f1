# SPDX-License-Identifier: Apache-2.0
"""What a protocol reports: metrics with bootstrap intervals, and the scores of each kind of task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.core import DatasetError, MetricValue
from mien.metrics import LabelCounts, Moments, bootstrap_weights, fg2020_au_of, fg2020_expr_of

Rows = npt.NDArray[np.intp]
Weights = npt.NDArray[np.float64]

N_RESAMPLES = 1000


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
        metrics: the numbers.
        command: that measures them again; empty where no command did.
    """

    protocol: str
    data: str
    predictor: str
    digest: str
    n_rows: int
    dropped: dict[str, int]
    metrics: tuple[MetricValue, ...]
    command: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain lists, dicts and numbers."""
        return asdict(self)

    def card_metrics(self) -> tuple[MetricValue, ...]:
        """The measures as a bundle's card keeps them, to four digits."""
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
    name: str, n: int, statistic: Callable[[Rows], float], *, seed: int = 0, groups: npt.NDArray[Any] | None = None
) -> MetricValue:
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
    return MetricValue(name=name, n=n, value=statistic(everything), low=float(low), high=float(high))


def bootstrap_group_metric(
    name: str, n: int, statistic: Callable[[Weights], npt.NDArray[np.float64]], n_groups: int, *, seed: int = 0
) -> MetricValue:
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
    return MetricValue(name=name, n=n, value=value, low=float(low), high=float(high))


def _members(groups: npt.NDArray[Any]) -> list[Rows]:
    """The rows of each group."""
    order = np.argsort(groups, kind="stable")
    _, start = np.unique(groups[order], return_index=True)
    return np.split(order, start[1:])


Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Score:
    """One number of a protocol.

    Attributes:
        name: of the measure.
        n: rows that it is computed from.
        of: weights (R, G) of the groups to R values.
        n_groups: G.
    """

    name: str
    n: int
    of: Callable[[Weights], Floats]
    n_groups: int

    def measured(self) -> MetricValue:
        """The value with its interval."""
        return bootstrap_group_metric(self.name, self.n, self.of, self.n_groups)


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelledRows:
    """The rows of one task that are scored: those with a valid label.

    Attributes:
        truth: (N,) or (N, K) labels.
        guess: predictions, like ``truth``.
        groups: (N,) the video of each row, from 0.
        n_groups: videos of the whole set, so that all tasks of a set resample the same ones.
        where: what the rows are, added to the name of each score; empty for all labelled rows.
    """

    truth: npt.NDArray[np.generic]
    guess: npt.NDArray[np.generic]
    groups: Codes
    n_groups: int
    where: str = ""

    def score(self, name: str, of: Callable[[Weights], Floats]) -> Score:
        """A score of these rows."""
        return Score(name + self.where, len(self.truth), of, self.n_groups)

    def moments(self) -> Moments:
        """Moments per video.

        Raises:
            DatasetError: no row is labelled.
        """
        self._check()
        return Moments.of(self.truth, self.guess, groups=self.groups, n_groups=self.n_groups)

    def class_counts(self, n_classes: int) -> LabelCounts:
        """Counts of classes per video.

        Raises:
            DatasetError: no row is labelled.
        """
        self._check()
        guess = self.guess.astype(np.int64)
        return LabelCounts.of_classes(self.truth, guess, n_classes, groups=self.groups, n_groups=self.n_groups)

    def flag_counts(self) -> LabelCounts:
        """Counts of yes-or-no labels per video.

        Raises:
            DatasetError: no row is labelled.
        """
        self._check()
        return LabelCounts.of_flags(self.truth, self.guess, groups=self.groups, n_groups=self.n_groups)

    def _check(self) -> None:
        if not len(self.truth):
            raise DatasetError(f"no row has a valid label to score{self.where}; is this a split with annotations?")


def va_scores(rows: LabelledRows) -> tuple[Score, ...]:
    """P_VA, then the CCC of each dimension."""
    moments = rows.moments()
    return (
        rows.score("P_VA", lambda w: moments.pooled(w).ccc.mean(axis=1)),
        rows.score("CCC valence", lambda w: moments.pooled(w).ccc[:, 0]),
        rows.score("CCC arousal", lambda w: moments.pooled(w).ccc[:, 1]),
    )


def expression_scores(rows: LabelledRows, labels: Sequence[str], *, title: str = "P_EXPR") -> tuple[Score, ...]:
    """Macro F1 over all the labels, accuracy, and the F1 of each class."""
    counts = rows.class_counts(len(labels))

    def f1(column: int) -> Callable[[Weights], Floats]:
        return lambda w: counts.pooled(w).f1[:, column]

    return (
        rows.score(title, lambda w: counts.pooled(w).macro_f1),
        rows.score("accuracy", lambda w: counts.pooled(w).accuracy),
        *(rows.score(f"F1 {label}", f1(column)) for column, label in enumerate(labels)),
    )


def action_unit_scores(rows: LabelledRows, labels: Sequence[str]) -> tuple[Score, ...]:
    """Mean F1 of the units, then that of each."""
    counts = rows.flag_counts()

    def f1(column: int) -> Callable[[Weights], Floats]:
        return lambda w: counts.pooled(w).f1[:, column]

    return (
        rows.score("P_AU", lambda w: counts.pooled(w).macro_f1),
        *(rows.score(f"F1 {label}", f1(column)) for column, label in enumerate(labels)),
    )


def fg2020_expression_score(rows: LabelledRows) -> Score:
    """.67 macro F1 + .33 accuracy over seven classes."""
    counts = rows.class_counts(7)
    return rows.score("FG2020 expression score", lambda w: fg2020_expr_of(counts.pooled(w)))


def fg2020_action_unit_score(rows: LabelledRows) -> Score:
    """.5 mean F1 + .5 total accuracy."""
    counts = rows.flag_counts()
    return rows.score("FG2020 action unit score", lambda w: fg2020_au_of(counts.pooled(w)))


def intensity_scores(rows: LabelledRows, labels: Sequence[str]) -> tuple[Score, ...]:
    """Mean Pearson correlation over the emotions, then that of each."""
    moments = rows.moments()

    def of(column: int) -> Callable[[Weights], Floats]:
        return lambda w: moments.pooled(w).pearson[:, column]

    return (
        rows.score("mean Pearson", lambda w: moments.pooled(w).pearson.mean(axis=1)),
        *(rows.score(f"Pearson {label}", of(column)) for column, label in enumerate(labels)),
    )


def sum_score(name: str, parts: Sequence[Score]) -> Score:
    """The sum of several scores over the same videos; n is the largest of theirs."""
    return Score(
        name,
        max(part.n for part in parts),
        lambda w: np.sum([part.of(w) for part in parts], axis=0),
        parts[0].n_groups,
    )

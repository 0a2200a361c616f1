# SPDX-License-Identifier: Apache-2.0
"""Metrics of the challenges' tasks on labelled rows, pooled over videos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.core import DatasetError, Float64, Integers, MetricValue
from mien.evaluation.evaluation_report import bootstrap_group_metric
from mien.metrics import LabelCounts, Moments, fg2020_au_of, fg2020_expr_of


@dataclass(frozen=True, eq=False)
class GroupMetric:
    """One metric of a challenge, as a function of how often each video counts.

    Attributes:
        name: Name of the metric.
        n: Number of rows that it is computed from.
        statistic: Function from weights (R, G) of the videos to R values.
        n_groups: Number of videos G.
    """

    name: str
    n: int
    statistic: Callable[[Float64], Float64]
    n_groups: int

    def bootstrap(self) -> MetricValue:
        """The value with its interval."""
        return bootstrap_group_metric(self.name, self.n, self.statistic, self.n_groups)


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelledRows:
    """The rows of one task with a valid label.

    Attributes:
        truth: (N,) or (N, K) labels.
        predicted: Predictions, like ``truth``.
        groups: (N,) video of each row, numbered from 0.
        n_groups: Number of videos of the whole set, so that all tasks of a set resample the same ones.
        subset: Suffix for the name of each metric; empty for all labelled rows.
    """

    truth: npt.NDArray[np.generic]
    predicted: npt.NDArray[np.generic]
    groups: Integers
    n_groups: int
    subset: str = ""

    def metric(self, name: str, statistic: Callable[[Float64], Float64]) -> GroupMetric:
        """A metric of these rows."""
        return GroupMetric(name + self.subset, len(self.truth), statistic, self.n_groups)

    def moments(self) -> Moments:
        """Moments per video.

        Raises:
            DatasetError: No row is labelled.
        """
        self._check()
        return Moments.of(self.truth, self.predicted, groups=self.groups, n_groups=self.n_groups)

    def class_counts(self, n_classes: int) -> LabelCounts:
        """Counts of classes per video.

        Raises:
            DatasetError: No row is labelled.
        """
        self._check()
        predicted = self.predicted.astype(np.int64)
        return LabelCounts.of_classes(self.truth, predicted, n_classes, groups=self.groups, n_groups=self.n_groups)

    def flag_counts(self) -> LabelCounts:
        """Counts of binary labels per video.

        Raises:
            DatasetError: No row is labelled.
        """
        self._check()
        return LabelCounts.of_flags(self.truth, self.predicted, groups=self.groups, n_groups=self.n_groups)

    def _check(self) -> None:
        if not len(self.truth):
            raise DatasetError(f"no row has a valid label to score{self.subset}; is this a split with annotations?")


def va_metrics(rows: LabelledRows) -> tuple[GroupMetric, ...]:
    """P_VA, then the CCC of each dimension."""
    moments = rows.moments()
    return (
        rows.metric("P_VA", lambda w: moments.pooled(w).ccc.mean(axis=1)),
        rows.metric("CCC valence", lambda w: moments.pooled(w).ccc[:, 0]),
        rows.metric("CCC arousal", lambda w: moments.pooled(w).ccc[:, 1]),
    )


def expression_metrics(rows: LabelledRows, labels: Sequence[str], *, title: str = "P_EXPR") -> tuple[GroupMetric, ...]:
    """Macro F1 over all labels, accuracy, and the F1 of each class."""
    counts = rows.class_counts(len(labels))

    def f1(column: int) -> Callable[[Float64], Float64]:
        return lambda w: counts.pooled(w).f1[:, column]

    return (
        rows.metric(title, lambda w: counts.pooled(w).macro_f1),
        rows.metric("accuracy", lambda w: counts.pooled(w).accuracy),
        *(rows.metric(f"F1 {label}", f1(column)) for column, label in enumerate(labels)),
    )


def unit_metrics(rows: LabelledRows, labels: Sequence[str]) -> tuple[GroupMetric, ...]:
    """Mean F1 of the action units, then the F1 of each."""
    counts = rows.flag_counts()

    def f1(column: int) -> Callable[[Float64], Float64]:
        return lambda w: counts.pooled(w).f1[:, column]

    return (
        rows.metric("P_AU", lambda w: counts.pooled(w).macro_f1),
        *(rows.metric(f"F1 {label}", f1(column)) for column, label in enumerate(labels)),
    )


def fg2020_expression_metric(rows: LabelledRows) -> GroupMetric:
    """0.67 macro F1 + 0.33 accuracy over seven classes."""
    counts = rows.class_counts(7)
    return rows.metric("FG2020 expression score", lambda w: fg2020_expr_of(counts.pooled(w)))


def fg2020_unit_metric(rows: LabelledRows) -> GroupMetric:
    """0.5 mean F1 + 0.5 total accuracy."""
    counts = rows.flag_counts()
    return rows.metric("FG2020 action unit score", lambda w: fg2020_au_of(counts.pooled(w)))


def intensity_metrics(rows: LabelledRows, labels: Sequence[str]) -> tuple[GroupMetric, ...]:
    """Mean Pearson correlation over the emotions, then the correlation of each."""
    moments = rows.moments()

    def of(column: int) -> Callable[[Float64], Float64]:
        return lambda w: moments.pooled(w).pearson[:, column]

    return (
        rows.metric("mean Pearson", lambda w: moments.pooled(w).pearson.mean(axis=1)),
        *(rows.metric(f"Pearson {label}", of(column)) for column, label in enumerate(labels)),
    )


def sum_metric(name: str, parts: Sequence[GroupMetric]) -> GroupMetric:
    """Sum of several metrics over the same videos; n is the largest of theirs."""
    return GroupMetric(
        name,
        max(part.n for part in parts),
        lambda w: np.sum([part.statistic(w) for part in parts], axis=0),
        parts[0].n_groups,
    )

# SPDX-License-Identifier: Apache-2.0
"""Protocol of action units against the landmark teacher, also within one expression."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.affect import Analyzer
from mien.core import DEFAULT_THRESHOLD, EXPRESSIONS, Bools, Float64, Indices, MetricValue
from mien.datasets import AU_RULES, FaceSamples, load_fairface, load_held_out, load_lfw, person
from mien.evaluation.evaluation_report import Report, bootstrap_group_metric
from mien.evaluation.face_crops import (
    WITHOUT_TEST,
    align_samples,
    bundle_report,
    expression_probabilities,
    fairface_title,
    group_codes,
    unit_thresholds,
    with_keypoints,
)
from mien.metrics import LabelCounts, concordant_pairs

# As many as the default recipe holds out; the order is the same, so the bundle was trained on none of them.
_N_HELD_OUT = 1500


@dataclass(frozen=True, eq=False)
class ExpressionBaseline:
    """A linear map from expression probabilities to the teacher's probability of each action unit.

    Attributes:
        weights: (8, A) coefficients; probabilities sum to 1, so no intercept is needed.
        labels: A names of action units.
    """

    weights: Float64
    labels: tuple[str, ...]

    @classmethod
    def fit(cls, probabilities: npt.ArrayLike, units: npt.ArrayLike, labels: tuple[str, ...]) -> ExpressionBaseline:
        """Fit by least squares, each unit on the rows where the teacher is certain.

        Args:
            probabilities: (N, 8) expression probabilities.
            units: (N, A) the teacher's probabilities in [0, 1], NaN where unknown.
            labels: A names of action units.

        Examples:
            >>> probabilities = np.eye(8)
            >>> units = np.linspace(0, 0.7, 8)[:, None]
            >>> ExpressionBaseline.fit(probabilities, units, ("AU12",))(probabilities, "AU12").round(1).tolist()
            [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
        """
        x, y = np.asarray(probabilities, dtype=np.float64), np.asarray(units, dtype=np.float64)
        columns = [np.linalg.lstsq(x[known], column[known], rcond=None)[0] for column, known in _known_columns(y)]
        return cls(np.stack(columns, axis=1), labels)

    @classmethod
    def of_bundle(cls, analyzer: Analyzer, data: Path) -> ExpressionBaseline:
        """Fit on the bundle's predictions for aligned FER+ training faces that were held out.

        Raises:
            DatasetError: The data are incomplete.
        """
        samples = with_keypoints(load_held_out(data, _N_HELD_OUT))
        probabilities = expression_probabilities(analyzer.crops(align_samples(samples, analyzer.spec)[0], aligned=True))
        return cls.fit(probabilities, samples.action_units, tuple(AU_RULES))

    def __call__(self, probabilities: npt.ArrayLike, label: str) -> Float64:
        """(N,) scores of one unit for (N, 8) expression probabilities."""
        scores: Float64 = np.asarray(probabilities, dtype=np.float64) @ self.weights[:, self.labels.index(label)]
        return scores


def _known_columns(units: Float64) -> list[tuple[Float64, Bools]]:
    return [(column, ~np.isnan(column)) for column in units.T]


# With fewer faces of one kind, single faces decide an AUC.
_FEWEST = 20

# (unit, expression): units that vary within one expression.
_WITHIN = (("AU25", "happiness"), ("AU12", "neutral"), ("AU04", "neutral"))

_GAIN = "AUC gain over expression"


@dataclass(frozen=True, eq=False, kw_only=True)
class _Predictions:
    """Predictions of the teacher and of the bundle for one set of faces.

    Attributes:
        set_name: Name of the set, for metrics.
        truth: (N, A) the teacher's probabilities, NaN where unknown.
        scores: (N, A) the bundle's probabilities.
        baseline: (N, A) scores that follow from its expression probabilities.
        present: (N, A) whether the probability reaches the bundle's threshold.
        labels: A names of action units.
        expression: (N,) the bundle's top expression.
        groups: (N,) number from 0 of the unit of resampling: a person, or a single face.
    """

    set_name: str
    truth: Float64
    scores: Float64
    baseline: Float64
    present: Bools
    labels: tuple[str, ...]
    expression: Indices
    groups: Indices

    def metric(self, name: str, rows: Bools, statistic: partial[Float64]) -> MetricValue:
        """A statistic of given rows, its interval by resampling groups."""

        def of_groups(weights: Float64) -> Float64:
            return statistic(weights[:, self.groups[rows]])

        return bootstrap_group_metric(
            f"{self.set_name}: {name}", int(rows.sum()), of_groups, int(self.groups.max()) + 1
        )


def evaluate_au_teacher(subject: Analyzer, data: Path, split: str = "test") -> Report:
    """Each action unit against the landmark teacher on FairFace faces and LFW people that no recipe trains on.

    Faces are aligned by the teacher's keypoints. Per set and unit: F1 at the bundle's thresholds, AUC, AUC within one
    predicted expression (pairs of faces with the same top expression), and its gain over the scores that follow from
    the expression probabilities by a linear map, fitted on held-out FER+ training faces. A unit whose gain is not
    clearly above 0 is implied by the expression rather than observed, see `implied_by_expression`.
    """
    baseline = ExpressionBaseline.of_bundle(subject, data)
    part = WITHOUT_TEST[split]
    fairface, lfw = load_fairface(data, part), load_lfw(data, split)
    people = np.array([person(name) for name in lfw.names])
    metrics: list[MetricValue] = []
    dropped: dict[str, int] = {}
    for name, samples, groups in (
        (fairface_title(part), fairface, np.array(fairface.names)),
        (f"LFW {split} people", lfw, people),
    ):
        kept = np.isfinite(samples.keypoints).all(axis=(1, 2))
        dropped[f"{name}: no keypoints"] = int((~kept).sum())
        predicted = _predict(name, subject, with_keypoints(samples), groups[kept], baseline)
        for column, label in enumerate(predicted.labels):
            found = _unit_metrics(predicted, column)
            metrics += found
            if not found:
                dropped[f"{name}: {label} is too rare or unknown"] = int((~np.isnan(predicted.truth[:, column])).sum())
        metrics += _named_pairs(predicted)
    n_rows = len(fairface) + len(lfw)
    return bundle_report(
        "au-teacher", f"{fairface_title(part)} and LFW {split} people", subject, n_rows, dropped, metrics
    )


def implied_by_expression(report: Report) -> tuple[str, ...]:
    """The units of an ``au-teacher`` report whose scores carry no more than the expression.

    A unit is among them if, on any set, the interval of its gain includes 0 or lies below it.

    Examples:
        >>> name = "FairFace val: AUC gain over expression"
        >>> au04 = MetricValue(name=f"{name} AU04", n=900, value=0.03, low=-0.01, high=0.07)
        >>> au12 = MetricValue(name=f"{name} AU12", n=900, value=0.13, low=0.11, high=0.15)
        >>> report = Report(
        ...     protocol="au-teacher", data="FairFace val", predictor="mien-light", digest="", n_rows=900, dropped={},
        ...     metrics=(au04, au12),
        ... )
        >>> implied_by_expression(report)
        ('AU04',)
    """
    gains = [metric for metric in report.metrics if _GAIN in metric.name]
    return tuple(sorted({metric.name.split()[-1] for metric in gains if not metric.low > 0}))


def _predict(
    name: str, analyzer: Analyzer, samples: FaceSamples, groups: npt.NDArray[np.str_], baseline: ExpressionBaseline
) -> _Predictions:
    faces = analyzer.crops(align_samples(samples, analyzer.spec)[0], aligned=True)
    labels = tuple(label for label in faces.action_unit_labels if label in samples.action_unit_labels)
    own = [faces.action_unit_labels.index(label) for label in labels]
    probabilities = expression_probabilities(faces)
    scores = faces.action_units[:, own].astype(np.float64)
    return _Predictions(
        set_name=name,
        truth=samples.action_units[:, [samples.action_unit_labels.index(label) for label in labels]].astype(np.float64),
        scores=scores,
        baseline=np.stack([baseline(probabilities, label) for label in labels], axis=1),
        present=scores >= unit_thresholds(analyzer.spec, labels),
        labels=labels,
        expression=probabilities.argmax(axis=1),
        groups=group_codes(groups),
    )


def _unit_metrics(predicted: _Predictions, column: int) -> list[MetricValue]:
    """All metrics of one unit; empty where too few faces have it or lack it."""
    label, truth = predicted.labels[column], predicted.truth[:, column]
    rows = ~np.isnan(truth)
    present = truth[rows] >= DEFAULT_THRESHOLD
    if min(present.sum(), (~present).sum()) < _FEWEST:
        return []
    own, implied = predicted.scores[rows, column], predicted.baseline[rows, column]
    expressions = [predicted.expression[rows] == code for code in range(len(EXPRESSIONS))]
    whole = [np.ones(len(present), dtype=bool)]
    return [
        predicted.metric(f"F1 {label}", rows, partial(_f1, present, predicted.present[rows, column])),
        predicted.metric(f"AUC {label}", rows, partial(_auc, present, own, whole)),
        predicted.metric(f"AUC within expression {label}", rows, partial(_auc, present, own, expressions)),
        predicted.metric(f"AUC within expression, implied {label}", rows, partial(_auc, present, implied, expressions)),
        predicted.metric(f"{_GAIN} {label}", rows, partial(_auc_gain, present, own, implied, expressions)),
    ]


def _named_pairs(predicted: _Predictions) -> list[MetricValue]:
    """AUC of single units among the faces of one expression, and of AU12 against AU25."""
    metrics = []
    for label, expression in _WITHIN:
        if label in predicted.labels:
            column = predicted.labels.index(label)
            rows = ~np.isnan(predicted.truth[:, column]) & (predicted.expression == EXPRESSIONS.index(expression))
            metrics += _auc_metric(
                predicted,
                f"AUC {label} among {expression}",
                rows,
                predicted.truth[:, column],
                predicted.scores[:, column],
            )
    if {"AU12", "AU25"} <= set(predicted.labels):
        smile, parted = predicted.labels.index("AU12"), predicted.labels.index("AU25")
        truth = predicted.truth[:, [smile, parted]]
        rows = ~np.isnan(truth).any(axis=1) & ((truth[:, 0] >= DEFAULT_THRESHOLD) != (truth[:, 1] >= DEFAULT_THRESHOLD))
        difference = predicted.scores[:, smile] - predicted.scores[:, parted]
        metrics += _auc_metric(predicted, "AUC AU12 against AU25 where one is present", rows, truth[:, 0], difference)
    return metrics


def _auc_metric(predicted: _Predictions, name: str, rows: Bools, truth: Float64, scores: Float64) -> list[MetricValue]:
    present = truth[rows] >= DEFAULT_THRESHOLD
    if min(present.sum(), (~present).sum()) < _FEWEST:
        return []
    whole = [np.ones(len(present), dtype=bool)]
    return [predicted.metric(name, rows, partial(_auc, present, scores[rows], whole))]


def _f1(truth: Bools, predicted: Bools, weights: Float64) -> Float64:
    counts = LabelCounts.of_flags(truth[:, None], predicted[:, None], groups=np.arange(len(truth)), n_groups=len(truth))
    return np.asarray(counts.pooled(weights).f1[:, 0])


def _auc(present: Bools, scores: Float64, parts: list[Bools], weights: Float64) -> Float64:
    """Fraction of concordant pairs among all pairs of rows of the same part; NaN where there is no pair."""
    concordant, pairs = np.zeros(len(weights)), np.zeros(len(weights))
    for part in parts:
        if part.any():
            more = concordant_pairs(present[part], scores[part], weights[:, part])
            concordant, pairs = concordant + more[0], pairs + more[1]
    return np.asarray(np.divide(concordant, pairs, out=np.full(len(weights), np.nan), where=pairs > 0))


def _auc_gain(present: Bools, own: Float64, implied: Float64, parts: list[Bools], weights: Float64) -> Float64:
    return _auc(present, own, parts, weights) - _auc(present, implied, parts, weights)

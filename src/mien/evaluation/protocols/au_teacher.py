# SPDX-License-Identifier: Apache-2.0
"""Action units against the landmark teacher, also within one expression, beside what the expression alone implies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.affect import Analyzer
from mien.core import EXPRESSIONS, MetricValue
from mien.datasets import AU_RULES, FaceSamples, load_fairface, load_held_out, load_lfw, person
from mien.evaluation.evaluation_report import Report, Weights, bootstrap_group_metric
from mien.evaluation.face_crops import (
    WITHOUT_TEST,
    align_samples,
    bundle_report,
    expression_probabilities,
    fairface_title,
    group_codes,
    with_keypoints,
)
from mien.metrics import LabelCounts, concordant_pairs

Floats = npt.NDArray[np.float64]

# As many as the default recipe sets aside; they are the first of the same order, so none of them taught the bundle.
_N_HELD_OUT = 1500


@dataclass(frozen=True, eq=False)
class ExpressionBaseline:
    """A linear map from expression probabilities to the teacher's chance of each action unit.

    Attributes:
        weights: (8, A); probabilities sum to 1, so it needs no constant.
        labels: A names.
    """

    weights: Floats
    labels: tuple[str, ...]

    @classmethod
    def fit(cls, probabilities: npt.ArrayLike, units: npt.ArrayLike, labels: tuple[str, ...]) -> ExpressionBaseline:
        """Least squares, each unit on the rows where the teacher knows it.

        Args:
            probabilities: (N, 8) expression probabilities.
            units: (N, A) the teacher's probabilities in [0, 1], NaN where unknown.
            labels: A names.
        """
        x, y = np.asarray(probabilities, dtype=np.float64), np.asarray(units, dtype=np.float64)
        columns = [np.linalg.lstsq(x[known], column[known], rcond=None)[0] for column, known in _known_columns(y)]
        return cls(np.stack(columns, axis=1), labels)

    @classmethod
    def of_bundle(cls, analyzer: Analyzer, data: Path) -> ExpressionBaseline:
        """Fitted on what the bundle says of FER+ training faces that were set aside, aligned.

        Raises:
            DatasetError: the data are incomplete.
        """
        samples = with_keypoints(load_held_out(data, _N_HELD_OUT))
        probabilities = expression_probabilities(analyzer.crops(align_samples(samples, analyzer.spec)[0]))
        return cls.fit(probabilities, samples.action_units, tuple(AU_RULES))

    def __call__(self, probabilities: npt.ArrayLike, label: str) -> Floats:
        """(N,) scores of one unit for (N, 8) expression probabilities."""
        scores: Floats = np.asarray(probabilities, dtype=np.float64) @ self.weights[:, self.labels.index(label)]
        return scores


def _known_columns(units: Floats) -> list[tuple[Floats, npt.NDArray[np.bool_]]]:
    return [(column, ~np.isnan(column)) for column in units.T]


Bools = npt.NDArray[np.bool_]

# With fewer faces of one kind an AUC is decided by single ones.
_FEWEST = 20

# (unit, expression): the questions that the expression cannot answer.
_WITHIN = (("AU25", "happiness"), ("AU12", "neutral"), ("AU04", "neutral"))

_GAIN = "AUC gain over expression"


@dataclass(frozen=True, eq=False, kw_only=True)
class _Seen:
    """One set of faces: what the teacher says of them, and what the bundle says.

    Attributes:
        set_name: of the data.
        truth: (N, A) the teacher's probabilities, NaN where unknown.
        scores: (N, A) the bundle's probabilities.
        baseline: (N, A) scores that follow from its expression probabilities.
        decided: (N, A) probabilities at or above the bundle's thresholds.
        labels: A names.
        expression: (N,) the bundle's top expression.
        groups: (N,) numbers from 0 of what is resampled: people, or single faces.
    """

    set_name: str
    truth: Floats
    scores: Floats
    baseline: Floats
    decided: Bools
    labels: tuple[str, ...]
    expression: npt.NDArray[np.intp]
    groups: npt.NDArray[np.intp]

    def measure(self, name: str, rows: Bools, statistic: partial[Floats]) -> MetricValue:
        """A statistic of the weights of rows, its interval by resampling groups."""

        def of_groups(weights: Weights) -> Floats:
            return statistic(weights[:, self.groups[rows]])

        return bootstrap_group_metric(
            f"{self.set_name}: {name}", int(rows.sum()), of_groups, int(self.groups.max()) + 1
        )


def evaluate_au_teacher(subject: Analyzer, data: Path, split: str = "test") -> Report:
    """Each action unit against the landmark teacher on faces of FairFace and of LFW people that nobody was taught.

    Faces are cut by the teacher's points. Per set and unit: F1 at the bundle's thresholds, AUC, AUC within one
    predicted expression (pairs of faces with the same top expression), and its gain over the scores that follow from
    the expression probabilities by a linear map, fitted on FER+ training faces that were set aside. A unit whose gain
    is not clearly above 0 is implied by the expression rather than observed, see `implied_by_expression`.
    """
    baseline = ExpressionBaseline.of_bundle(subject, data)
    part = WITHOUT_TEST[split]
    fairface, lfw = load_fairface(data, part), load_lfw(data, split)
    people = np.array([person(name) for name in lfw.names])
    measures: list[MetricValue] = []
    dropped: dict[str, int] = {}
    for name, samples, groups in (
        (fairface_title(part), fairface, np.array(fairface.names)),
        (f"LFW {split} people", lfw, people),
    ):
        kept = np.isfinite(samples.keypoints).all(axis=(1, 2))
        dropped[f"{name}: no points"] = int((~kept).sum())
        seen = _look(name, subject, with_keypoints(samples), groups[kept], baseline)
        for column, label in enumerate(seen.labels):
            found = _unit_measures(seen, column)
            measures += found
            if not found:
                dropped[f"{name}: {label} is too rare or unknown"] = int((~np.isnan(seen.truth[:, column])).sum())
        measures += _named_questions(seen)
    n_rows = len(fairface) + len(lfw)
    return bundle_report(
        "au-teacher", f"{fairface_title(part)} and LFW {split} people", subject, n_rows, dropped, measures
    )


def implied_by_expression(report: Report) -> tuple[str, ...]:
    """The units of an ``au-teacher`` report that were not shown to be more than the expression said twice.

    A unit is among them if, on any set where it was measured, the interval of its gain reaches down to 0 or below.
    """
    gains = [measure for measure in report.metrics if _GAIN in measure.name]
    return tuple(sorted({measure.name.split()[-1] for measure in gains if not measure.low > 0}))


def _look(
    name: str, analyzer: Analyzer, samples: FaceSamples, groups: npt.NDArray[np.str_], baseline: ExpressionBaseline
) -> _Seen:
    faces = analyzer.crops(align_samples(samples, analyzer.spec)[0])
    labels = tuple(label for label in faces.action_unit_labels if label in samples.action_unit_labels)
    own = [faces.action_unit_labels.index(label) for label in labels]
    task = analyzer.spec.task("action_units")
    cut = dict(zip(task.labels, task.thresholds, strict=True)) if task and task.thresholds else {}
    probabilities = expression_probabilities(faces)
    scores = faces.action_units[:, own].astype(np.float64)
    return _Seen(
        set_name=name,
        truth=samples.action_units[:, [samples.action_unit_labels.index(label) for label in labels]].astype(np.float64),
        scores=scores,
        baseline=np.stack([baseline(probabilities, label) for label in labels], axis=1),
        decided=scores >= np.array([cut.get(label, 0.5) for label in labels]),
        labels=labels,
        expression=probabilities.argmax(axis=1),
        groups=group_codes(groups),
    )


def _unit_measures(seen: _Seen, column: int) -> list[MetricValue]:
    """Everything about one unit; empty where too few faces have it or lack it."""
    label, truth = seen.labels[column], seen.truth[:, column]
    rows = ~np.isnan(truth)
    present = truth[rows] >= 0.5
    if min(present.sum(), (~present).sum()) < _FEWEST:
        return []
    own, implied = seen.scores[rows, column], seen.baseline[rows, column]
    parts = [seen.expression[rows] == code for code in range(len(EXPRESSIONS))]
    whole = [np.ones(len(present), dtype=bool)]
    return [
        seen.measure(f"F1 {label}", rows, partial(_f1, present, seen.decided[rows, column])),
        seen.measure(f"AUC {label}", rows, partial(_auc, present, own, whole)),
        seen.measure(f"AUC within expression {label}", rows, partial(_auc, present, own, parts)),
        seen.measure(f"AUC within expression, implied {label}", rows, partial(_auc, present, implied, parts)),
        seen.measure(f"{_GAIN} {label}", rows, partial(_auc_gain, present, own, implied, parts)),
    ]


def _named_questions(seen: _Seen) -> list[MetricValue]:
    """Units among the faces of one expression, and the smile against the open mouth."""
    measures = []
    for label, expression in _WITHIN:
        if label in seen.labels:
            column = seen.labels.index(label)
            rows = ~np.isnan(seen.truth[:, column]) & (seen.expression == EXPRESSIONS.index(expression))
            measures += _auc_measure(
                seen, f"AUC {label} among {expression}", rows, seen.truth[:, column], seen.scores[:, column]
            )
    if {"AU12", "AU25"} <= set(seen.labels):
        smile, parted = seen.labels.index("AU12"), seen.labels.index("AU25")
        truth = seen.truth[:, [smile, parted]]
        rows = ~np.isnan(truth).any(axis=1) & ((truth[:, 0] >= 0.5) != (truth[:, 1] >= 0.5))
        lead = seen.scores[:, smile] - seen.scores[:, parted]
        measures += _auc_measure(seen, "AUC AU12 against AU25 where one is present", rows, truth[:, 0], lead)
    return measures


def _auc_measure(seen: _Seen, name: str, rows: Bools, truth: Floats, scores: Floats) -> list[MetricValue]:
    present = truth[rows] >= 0.5
    if min(present.sum(), (~present).sum()) < _FEWEST:
        return []
    whole = [np.ones(len(present), dtype=bool)]
    return [seen.measure(name, rows, partial(_auc, present, scores[rows], whole))]


def _f1(present: Bools, decided: Bools, weights: Weights) -> Floats:
    counts = LabelCounts.of_flags(
        present[:, None], decided[:, None], groups=np.arange(len(present)), n_groups=len(present)
    )
    return np.asarray(counts.pooled(weights).f1[:, 0])


def _auc(present: Bools, scores: Floats, parts: list[Bools], weights: Weights) -> Floats:
    """The share of ordered pairs among all pairs of rows of the same part; NaN where there is no pair."""
    ordered, pairs = np.zeros(len(weights)), np.zeros(len(weights))
    for part in parts:
        if part.any():
            more = concordant_pairs(present[part], scores[part], weights[:, part])
            ordered, pairs = ordered + more[0], pairs + more[1]
    return np.asarray(np.divide(ordered, pairs, out=np.full(len(weights), np.nan), where=pairs > 0))


def _auc_gain(present: Bools, own: Floats, implied: Floats, parts: list[Bools], weights: Weights) -> Floats:
    return _auc(present, own, parts, weights) - _auc(present, implied, parts, weights)

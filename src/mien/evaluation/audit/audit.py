# SPDX-License-Identifier: Apache-2.0
"""`audit`: groups, equal geometry, counterfactual pairs and corruptions of one bundle on one data set."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mien.affect import Analyzer
from mien.core import EXPRESSIONS, Float64, Image, Indices, MetricValue
from mien.evaluation.audit.audit_measures import (
    audit_measures,
    mouth_geometry,
    predict_for_audit,
    smile_logits,
)
from mien.evaluation.audit.audit_samples import AuditSamples, load_audit_samples
from mien.evaluation.audit.crop_jitter import JitterResult, crop_jitter
from mien.evaluation.audit.group_gaps import GroupResult, conditional_gaps, group_results, with_holm, worst_gap
from mien.evaluation.audit.robustness import CorruptionResult, corruption_curves, mean_corruption_error
from mien.evaluation.evaluation_report import bootstrap_metric

CONDITIONAL_LIMIT = 0.2
"""Largest gap in logits between a group and all others at equal geometry that the audit accepts."""

PAIR_LIMIT = 0.2
"""Largest mean change in logits between the two faces of a pair that the audit accepts."""

AT_EQUAL_GEOMETRY = ", equal geometry"
"""Ending of the names of conditional measures."""

ALPHA = 0.05
"""Level of the tests after Holm's correction."""

VerdictWord = Literal["within", "above", "unsure"]
"""Within the limit; above it beyond chance; or above it by an amount that chance explains, or close to it."""

_N_CORRUPTED = 150
Notify = Callable[[str], None]


@dataclass(frozen=True, eq=False, kw_only=True)
class FacePair:
    """Two rendered faces with one expression that differ in one trait alone.

    Attributes:
        trait: Name of the trait: skin tone, age or sex.
        first: (S, S, 3) uint8 RGB.
        second: (S, S, 3) uint8 RGB.
        expression: Rendered expression.
    """

    trait: str
    first: Image
    second: Image
    expression: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a measure keeps its limit in every group of a column.

    Attributes:
        measure: Name of the measure.
        column: Column of the groups, or the trait of the pairs.
        limit: Largest accepted gap.
        gap: Largest gap, with its sign.
        group: Group of that gap.
        low: Lower end of its 95 % interval.
        high: Upper end of its 95 % interval.
        p_holm: Probability of it without a difference, corrected for all tests.
        verdict: The verdict.
        meaning: What is compared with what.
    """

    measure: str
    column: str
    limit: float
    gap: float
    group: str
    low: float
    high: float
    p_holm: float
    verdict: VerdictWord
    meaning: str


@dataclass(frozen=True, eq=False, kw_only=True)
class AuditReport:
    """Everything that an audit found.

    Attributes:
        bundle: Name and version of the bundle.
        weights: SHA-256 of its weights.
        data: Name of the data.
        n: Number of faces.
        results: One line for each measure and group.
        verdicts: One line for each measure and column of groups.
        pairs: Mean changes between the faces of pairs.
        corruptions: Errors under corruptions.
        jitters: Changes of the predictions under small shifts, scales, turns and mirroring.
        notes: Sentences on what was and was not measured.
        command: Command line that gives the audit again.
    """

    bundle: str
    weights: str
    data: str
    n: int
    results: tuple[GroupResult, ...]
    verdicts: tuple[Verdict, ...]
    pairs: tuple[MetricValue, ...]
    corruptions: tuple[CorruptionResult, ...]
    notes: tuple[str, ...]
    jitters: tuple[JitterResult, ...] = ()
    command: str = ""

    @property
    def mean_corruption_error(self) -> float:
        """Mean error over corruptions and strengths; NaN where none was measured."""
        return mean_corruption_error(self.corruptions) if self.corruptions else math.nan

    def to_json(self) -> dict[str, Any]:
        """Lists, dicts and numbers; a number that is not defined is None."""
        return {
            "bundle": self.bundle,
            "weights_sha256": self.weights,
            "data": self.data,
            "n": self.n,
            "results": [_finite(asdict(one)) for one in self.results],
            "verdicts": [_finite(asdict(one)) for one in self.verdicts],
            "pairs": [_finite(asdict(one)) for one in self.pairs],
            "corruptions": [asdict(one) for one in self.corruptions],
            "mean_corruption_error": _finite({"v": self.mean_corruption_error})["v"],
            "jitters": [
                {"jitter": one.jitter, "level": one.level, "changes": [_finite(asdict(each)) for each in one.changes]}
                for one in self.jitters
            ],
            "notes": list(self.notes),
            "command": self.command,
        }

    def raw_table(self) -> str:
        """The results of all groups as CSV text."""
        text = io.StringIO()
        names = [one.name for one in fields(GroupResult)]
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        for one in self.results:
            writer.writerow({name: _cell(value) for name, value in asdict(one).items()})
        return text.getvalue()


def audit(
    data: str | Path | AuditSamples,
    analyzer: Analyzer,
    *,
    split: str = "valid",
    pairs: Iterable[FacePair] = (),
    corruptions: bool = True,
    command: str = "",
    notify: Notify = lambda _: None,
) -> AuditReport:
    """Audit a bundle.

    Args:
        data: Folder of the open sets (FairFace), a CSV of one's own, or samples.
        analyzer: Analyzer of the bundle, best with a few views.
        split: Split of FairFace.
        pairs: Rendered pairs; none for no counterfactual part.
        corruptions: Whether to measure corruptions and jittered crops, on at most 150 faces.
        command: Command line for the report.
        notify: Function that is called with what is being done.

    Raises:
        DatasetError: The open sets are incomplete.
        InputError: The CSV or an image cannot be read.
    """
    samples = data if isinstance(data, AuditSamples) else load_audit_samples(data, split)
    notify(f"reading {len(samples)} faces")
    pictures = samples.pictures()
    notify("predicting")
    predicted = predict_for_audit(analyzer, pictures)
    results: list[GroupResult] = []
    limits: dict[str, tuple[float, str]] = {}
    for measure in audit_measures(samples, predicted, analyzer):
        limits[measure.name] = measure.limit, measure.meaning
        for column, groups in samples.groups.items():
            results += group_results(measure.name, measure.statistic, measure.defined, column, groups, samples.people)
    notify("comparing at equal geometry")
    geometry, geometry_name = mouth_geometry(samples, predicted)
    for name, values in smile_logits(predicted.faces).items():
        title = f"{name}{AT_EQUAL_GEOMETRY}"
        limits[title] = CONDITIONAL_LIMIT, f"difference in logits where {geometry_name} are equal"
        for column, groups in samples.groups.items():
            results += conditional_gaps(title, values, geometry, column, groups, samples.people)
    results = with_holm(results)
    verdicts = [_verdict(key, one, limits[key[0]]) for key, one in worst_gap(results).items()]
    notify("comparing pairs")
    of_pairs = pair_changes(analyzer, list(pairs))
    chosen = np.random.default_rng(0).permutation(len(pictures))[:_N_CORRUPTED]
    curves, jitters = [], []
    if corruptions:
        notify("corrupting")
        curves = _curves(analyzer, samples.rows(chosen), [pictures[row] for row in chosen])
        notify("jittering")
        jitters = crop_jitter(analyzer, [pictures[row] for row in chosen], samples.people[chosen])
    return AuditReport(
        bundle=f"{analyzer.spec.name} {analyzer.spec.version}",
        weights=analyzer.spec.sha256,
        data=samples.title,
        n=len(samples),
        results=tuple(results),
        verdicts=(*verdicts, *_pair_verdicts(of_pairs)),
        pairs=tuple(of_pairs),
        corruptions=tuple(curves),
        jitters=tuple(jitters),
        notes=tuple(_notes(samples, geometry_name, pairs=bool(of_pairs))),
        command=command,
    )


def pair_changes(analyzer: Analyzer, pairs: Sequence[FacePair]) -> list[MetricValue]:
    """Mean signed change, and mean absolute change, of the smile logits and of valence between the faces of pairs.

    Args:
        analyzer: Analyzer of the bundle.
        pairs: Rendered pairs.
    """
    changes: list[MetricValue] = []
    if not pairs:
        return changes
    first, second = (analyzer.crops([getattr(one, side) for one in pairs]) for side in ("first", "second"))
    values = {name: smile_logits(second)[name] - own for name, own in smile_logits(first).items()}
    if np.isfinite(first.valence).any():
        values["valence"] = (second.valence - first.valence).astype(np.float64)
    traits = np.array([one.trait for one in pairs])
    flips = first.expression.argmax(axis=1) != second.expression.argmax(axis=1)
    for trait in dict.fromkeys(traits.tolist()):
        rows = np.flatnonzero(traits == trait)
        for name, change in values.items():
            for kind, own in (("change", change[rows]), ("absolute change", np.abs(change[rows]))):
                changes.append(bootstrap_metric(f"{kind} of {name}, {trait}", len(rows), partial(_average, own)))
        flipped = flips[rows].astype(np.float64)
        changes.append(bootstrap_metric(f"another top expression, {trait}", len(rows), partial(_average, flipped)))
    return changes


def _average(values: Float64, rows: Indices) -> float:
    return float(values[rows].mean())


def _curves(analyzer: Analyzer, samples: AuditSamples, pictures: list[Image]) -> list[CorruptionResult]:
    targets = None
    if len(samples) and (samples.expression >= 0).all():
        order = [analyzer.expression_labels.index(EXPRESSIONS[number]) for number in samples.expression]
        targets = np.array(order, np.intp)
    return corruption_curves(analyzer, pictures, targets)


def _verdict(key: tuple[str, str], one: GroupResult, limit: tuple[float, str]) -> Verdict:
    beyond = abs(one.gap) > limit[0]
    reaches = max(abs(one.gap_low), abs(one.gap_high)) > limit[0]
    word: VerdictWord = "above" if beyond and one.p_holm < ALPHA else "unsure" if beyond or reaches else "within"
    return Verdict(
        measure=key[0],
        column=key[1],
        limit=limit[0],
        gap=one.gap,
        group=one.group,
        low=one.gap_low,
        high=one.gap_high,
        p_holm=one.p_holm,
        verdict=word,
        meaning=limit[1],
    )


def _pair_verdicts(changes: Sequence[MetricValue]) -> list[Verdict]:
    verdicts = []
    for one in changes:
        if not one.name.startswith("change of lo"):
            continue
        measure, _, trait = one.name.rpartition(", ")
        beyond = abs(one.value) > PAIR_LIMIT
        sure = one.low > PAIR_LIMIT or one.high < -PAIR_LIMIT
        reaches = max(abs(one.low), abs(one.high)) > PAIR_LIMIT
        verdicts.append(
            Verdict(
                measure=f"{measure}, rendered pairs",
                column=trait,
                limit=PAIR_LIMIT,
                gap=one.value,
                group="second minus first",
                low=one.low,
                high=one.high,
                p_holm=math.nan,
                verdict="above" if beyond and sure else "unsure" if reaches else "within",
                meaning="mean change in logits where only this trait of a rendered face changes",
            )
        )
    return verdicts


def _notes(samples: AuditSamples, geometry: str, *, pairs: bool) -> list[str]:
    notes = []
    if (samples.expression < 0).all():
        notes.append(
            "The faces have no expression labels: accuracy, macro F1 and calibration by group are not measured, only "
            "alarms and agreement against a teacher, gaps at equal geometry, detection and abstention."
        )
    if samples.reference:
        notes.append(
            "Action units are those of a landmark teacher: what rests on them is agreement, not accuracy, and the "
            "teacher may itself differ between groups."
        )
    notes.append(f"Equal geometry means {geometry}, with the turn and nod of the head, in a cubic regression.")
    if not pairs:
        notes.append("No rendered pairs were compared: install the extra synthesis and give --pairs.")
    return notes


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


def _cell(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return f"{value:.6g}" if math.isfinite(value) else ""

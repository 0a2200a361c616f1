# SPDX-License-Identifier: Apache-2.0
"""Protocol of uncertainty: do prediction sets and intervals cover what they promise, and which faces to abstain on?"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien.affect import Analyzer
from mien.core import ABSTAIN_REASONS, EXPRESSIONS, ConfigError, Faces, MetricValue, columns_by_name
from mien.datasets import FaceSamples, load_fairface, load_ferplus, load_lfw, person
from mien.evaluation.conformal import in_first_half
from mien.evaluation.evaluation_report import Report
from mien.evaluation.face_crops import bundle_report, decode_pictures, group_codes, mean_metric


def evaluate_uncertainty(subject: Analyzer, data: Path, split: str = "valid") -> Report:
    """Coverage of sets and intervals on FER+ faces that calibrated nothing, and shares of reasons to abstain.

    `mien.evaluation.in_first_half` divides the faces; the calibration may use the first half, the second one is
    evaluated. Valence and arousal are mapped from votes and action units are a teacher's, so their coverage is that of
    an agreement. Reasons to abstain are counted on FER+, FairFace and LFW test people.

    Raises:
        ConfigError: The bundle has no calibration.
    """
    spec = subject.spec.uncertainty
    if spec is None:
        raise ConfigError(
            f"the bundle {subject.spec.name} has no calibration; python -m benchmarks uncertainty fits one"
        )
    everyone = load_ferplus(data, split)
    second = ~in_first_half(everyone.names)
    samples = everyone.take(second & np.isfinite(everyone.expression).all(axis=1))
    faces = subject.crops(decode_pictures(samples))
    metrics = [*_of_expressions(faces, samples), *_of_values(faces, samples), *_of_units(faces, samples)]
    others = {"FairFace val": load_fairface(data, split), "LFW test people": load_lfw(data, "test")}
    metrics += _reasons("FER+ valid", faces, None)
    for name, other in others.items():
        people = np.array([person(one) for one in other.names]) if name.startswith("LFW") else np.array(other.names)
        rows = ~in_first_half(people.tolist())
        metrics += _reasons(name, subject.crops(decode_pictures(other.take(rows))), people[rows])
    return bundle_report(
        "uncertainty",
        f"FER+ {split}, second half",
        subject,
        len(everyone),
        {"first half, may calibrate": int((~second).sum())},
        metrics,
    )


def _of_expressions(faces: Faces, samples: FaceSamples) -> list[MetricValue]:
    sets = faces.expression_sets[:, columns_by_name(faces.expression_labels, EXPRESSIONS)]
    targets = samples.expression.argmax(axis=1)
    inside, everyone = sets[np.arange(len(sets)), targets], np.arange(len(sets))
    each = np.ones(len(sets), bool)
    metrics = [
        mean_metric("coverage of expression sets", inside, each, everyone),
        mean_metric("expressions in a set", sets.sum(axis=1).astype(np.float64), each, everyone),
        mean_metric("sets with one expression", sets.sum(axis=1) == 1, each, everyone),
    ]
    for number, label in enumerate(EXPRESSIONS):
        if (targets == number).any():
            metrics.append(mean_metric(f"coverage of expression sets, {label}", inside, targets == number, everyone))
    return metrics


def _of_values(faces: Faces, samples: FaceSamples) -> list[MetricValue]:
    everyone, metrics = np.arange(len(faces)), []
    tops = np.array([top or "" for top in faces.top_expressions()])
    for column, name in enumerate(("valence", "arousal")):
        ends, truth = getattr(faces, f"{name}_interval"), samples.valence_arousal[:, column]
        known = np.isfinite(ends).all(axis=1) & np.isfinite(truth)
        if not known.any():
            continue
        inside = (ends[:, 0] <= truth) & (truth <= ends[:, 1])
        metrics.append(mean_metric(f"coverage of {name}, against the map of votes", inside, known, everyone))
        metrics.append(mean_metric(f"width of the interval of {name}", ends[:, 1] - ends[:, 0], known, everyone))
        for label in EXPRESSIONS:
            if (known & (tops == label)).any():
                rows = known & (tops == label)
                metrics.append(mean_metric(f"coverage of {name}, predicted {label}", inside, rows, everyone))
    return metrics


def _of_units(faces: Faces, samples: FaceSamples) -> list[MetricValue]:
    everyone, metrics = np.arange(len(faces)), []
    for place, label in enumerate(faces.action_unit_labels):
        if label not in samples.action_unit_labels:
            continue
        ends = faces.action_unit_intervals[:, place]
        truth = samples.action_units[:, samples.action_unit_labels.index(label)]
        known = np.isfinite(ends).all(axis=1) & np.isfinite(truth)
        if known.any():
            inside = (ends[:, 0] <= truth + 1e-6) & (truth - 1e-6 <= ends[:, 1])
            metrics.append(mean_metric(f"coverage of {label}, against the teacher", inside, known, everyone))
    return metrics


def _reasons(name: str, faces: Faces, people: np.ndarray | None) -> list[MetricValue]:
    groups = np.arange(len(faces)) if people is None else group_codes(people)
    each = np.ones(len(faces), bool)
    metrics = [mean_metric(f"{name}: any reason to abstain", np.asarray(faces.abstain.any(axis=1)), each, groups)]
    for column, reason in enumerate(ABSTAIN_REASONS):
        metrics.append(mean_metric(f"{name}: {reason}", faces.abstain[:, column], each, groups))
    return metrics

# SPDX-License-Identifier: Apache-2.0
"""Protocols on LFW faces of the test people: as crops, and as photos through the whole chain."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.affect import Analyzer
from mien.core import EXPRESSIONS, Bools, Faces, Float32, Indices, Integers, MetricValue
from mien.datasets import is_video_still, load_lfw, person
from mien.evaluation.evaluation_report import Report, bootstrap_metric
from mien.evaluation.face_crops import (
    OTHER_READING,
    align_samples,
    bundle_report,
    decode_pictures,
    expression_probabilities,
    group_codes,
    mean_metric,
    with_keypoints,
)
from mien.evaluation.protocols.face_metrics import action_unit_metrics
from mien.metrics import roc_auc


def evaluate_lfw(subject: Analyzer, data: Path, split: str = "test") -> Report:
    """LFW faces as crops, read as the bundle says and the other way; intervals by resampling people.

    The labels are single and noisy (about one in five neutral faces talks or frowns). Recalls are given for the
    photographs of LFW and for the video stills apart, too: a few actors have most of the stills.
    """
    samples = load_lfw(data, split)
    images, other = decode_pictures(samples), OTHER_READING[subject.spec.crop.given]
    faces = subject.crops(images)
    targets = samples.expression.argmax(axis=1)
    people = np.array([person(name) for name in samples.names])
    metrics = []
    for suffix, read in (("", faces), (f", read {other}", subject.crops(images, given=other))):
        correct = targets == expression_probabilities(read).argmax(axis=1)
        for name in ("happiness", "neutral"):
            rows = np.flatnonzero(targets == EXPRESSIONS.index(name))
            hits = partial(_mean, correct[rows])
            metrics.append(bootstrap_metric(f"recall of {name}{suffix}", len(rows), hits, groups=people[rows]))
    metrics += _smile_metrics(targets, faces, people)
    metrics += action_unit_metrics(samples, faces, people)
    metrics += _origin_metrics(samples.names, targets, faces, people)
    return bundle_report("lfw", f"LFW expression, {split} people", subject, len(samples), {}, metrics)


def evaluate_lfw_chain(subject: Analyzer, data: Path, split: str = "test") -> Report:
    """LFW photos through detector, landmark net, alignment and affect net, beside crops at the teacher's landmarks.

    Faces that the teacher did not find are left out; a face that the chain does not find counts as an error.
    Intervals by resampling people.
    """
    everyone = load_lfw(data, split)
    samples = with_keypoints(everyone)
    sharp, _ = align_samples(samples, subject.spec)
    at_teacher = expression_probabilities(subject.crops(sharp, aligned=True))
    own = np.stack([_main_face(subject.image(picture)) for picture in decode_pictures(samples)])
    found = np.asarray(np.isfinite(own).all(axis=1), dtype=np.bool_)
    targets = samples.expression.argmax(axis=1)
    groups = group_codes(np.array([person(name) for name in samples.names]))
    right = {
        "teacher's landmarks": np.equal(at_teacher.argmax(axis=1), targets),
        "whole chain": found & np.equal(np.nan_to_num(own).argmax(axis=1), targets),
    }
    gain = right["whole chain"].astype(np.float64) - right["teacher's landmarks"]
    kinds = {"accuracy": np.ones(len(samples), dtype=bool), "accuracy on found faces": found}
    kinds |= {f"recall of {name}": np.equal(targets, EXPRESSIONS.index(name)) for name in ("happiness", "neutral")}
    metrics = [mean_metric("faces found", found, kinds["accuracy"], groups)]
    for kind, rows in kinds.items():
        metrics += [mean_metric(f"{kind}, {name}", hits, rows, groups) for name, hits in right.items()]
        metrics.append(mean_metric(f"{kind}, whole chain minus teacher's landmarks", gain, rows, groups))
    same = np.equal(own.argmax(axis=1), at_teacher.argmax(axis=1))
    metrics.append(mean_metric("same expression as at the teacher's landmarks", same, found, groups))
    dropped = {"not found by the teacher": len(everyone) - len(samples)}
    return bundle_report("lfw-chain", f"LFW expression, {split} people", subject, len(everyone), dropped, metrics)


def _mean(hits: Bools, rows: Indices) -> float:
    return float(hits[rows].mean())


def _origin_metrics(
    names: Sequence[str], targets: Integers, faces: Faces, people: npt.NDArray[np.str_]
) -> list[MetricValue]:
    """Recall of happiness and neutral on photographs and on video stills, where there are both."""
    correct = targets == expression_probabilities(faces).argmax(axis=1)
    stills = np.array([is_video_still(name) for name in names])
    metrics = []
    for kind, chosen in (("photographs", ~stills), ("video stills", stills)):
        for name in ("happiness", "neutral"):
            rows = np.flatnonzero(chosen & (targets == EXPRESSIONS.index(name)))
            if len(rows) and stills.any():
                hits = partial(_mean, correct[rows])
                metrics.append(bootstrap_metric(f"recall of {name}, {kind}", len(rows), hits, groups=people[rows]))
    return metrics


def _smile_metrics(targets: Integers, faces: Faces, people: npt.NDArray[np.str_]) -> list[MetricValue]:
    """How well AU12 alone separates happy from neutral faces."""
    if "AU12" not in faces.action_unit_labels:
        return []
    rows = np.flatnonzero(np.isin(targets, [EXPRESSIONS.index("happiness"), EXPRESSIONS.index("neutral")]))
    happy = targets[rows] == EXPRESSIONS.index("happiness")
    smile = faces.action_units[rows, faces.action_unit_labels.index("AU12")]
    name = "AUC of AU12, happiness against neutral"
    return [bootstrap_metric(name, len(rows), lambda drawn: roc_auc(happy[drawn], smile[drawn]), groups=people[rows])]


def _main_face(faces: Faces) -> Float32:
    """Expression probabilities (8,) of the largest face; NaN without one."""
    if not len(faces):
        return np.full(len(EXPRESSIONS), np.nan, np.float32)
    sides = faces.boxes[:, 2:] - faces.boxes[:, :2]
    probabilities: Float32 = expression_probabilities(faces)[int(sides.prod(axis=1).argmax())]
    return probabilities

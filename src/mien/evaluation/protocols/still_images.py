# SPDX-License-Identifier: Apache-2.0
"""Protocols on still images with one expression each: RAF-DB, FER2013, and FER+ in its authors' files.

Predictions are scores of the data set's own classes, so that a bundle with further classes, such as contempt, chooses
among those that the data set has. Intervals come from resampling images.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mien.core import DatasetError, Float64, Integers, MetricValue
from mien.datasets import ImageSamples, load_fer2013, load_ferplus_csv, load_rafdb, majority, plurality
from mien.evaluation.challenge.submission_formats import PREDICTION_FORMATS
from mien.evaluation.evaluation_report import Report
from mien.evaluation.predictors import PredictionFile, Predictor
from mien.evaluation.protocols.challenge_metrics import GroupMetric, LabelledRows


def evaluate_rafdb(subject: Predictor, data: Path, split: str = "test") -> Report:
    """RAF-DB, basic emotions, on the owners' aligned crops: accuracy, mean recall and macro F1 over seven classes."""
    samples = load_rafdb(data, split)
    predicted = _predict(subject, "rafdb", samples)
    return _report("rafdb", samples, subject, {"": samples.expression}, predicted)


def evaluate_fer2013(subject: Predictor, data: Path, split: str = "test") -> Report:
    """FER2013 with its own labels: accuracy, mean recall and macro F1 over seven classes; test is PrivateTest."""
    samples = load_fer2013(data, split)
    predicted = _predict(subject, "fer2013", samples)
    return _report("fer2013", samples, subject, {"": samples.expression}, predicted)


def evaluate_ferplus_csv(subject: Predictor, data: Path, split: str = "test") -> Report:
    """FER+ from ``fer2013new.csv``, with images as files or from ``fer2013.csv``: both rules for the target.

    Plurality: the expression with most votes, where most could name one. Official majority: single votes are dropped,
    and the winner has more than half of the rest.
    """
    samples = load_ferplus_csv(data, split, faces=not isinstance(subject, PredictionFile))
    predicted = _predict(subject, "ferplus-csv", samples)
    targets = {", plurality": plurality(samples.votes), ", official majority": majority(samples.votes)}
    return _report("ferplus-csv", samples, subject, targets, predicted)


def _predict(subject: Predictor, name: str, samples: ImageSamples) -> Integers:
    """Class (N,) with the highest score."""
    if not len(samples):
        raise DatasetError(f"{samples.dataset} has no row in the split {samples.split}; is the file complete?")
    predicted: Integers = subject.predict_images(PREDICTION_FORMATS[name], samples).argmax(axis=1)
    return predicted


def _report(
    name: str, samples: ImageSamples, subject: Predictor, targets: Mapping[str, Integers], predicted: Integers
) -> Report:
    metrics: list[MetricValue] = []
    dropped = {}
    for rule, truth in targets.items():
        valid = truth >= 0
        n = int(valid.sum())
        dropped[f"without a label{rule}"] = len(samples) - n
        rows = LabelledRows(
            truth=truth[valid], predicted=predicted[valid], groups=np.arange(n), n_groups=n, subset=rule
        )
        metrics += [each.bootstrap() for each in _metrics(rows, samples.expression_labels)]
    return Report(
        protocol=name,
        data=f"{samples.dataset}, {samples.split}",
        predictor=subject.name,
        digest=subject.digest,
        n_rows=len(samples),
        dropped=dropped,
        metrics=tuple(metrics),
    )


def _metrics(rows: LabelledRows, labels: tuple[str, ...]) -> list[GroupMetric]:
    """Accuracy, mean recall of the classes that occur, macro F1, and the recall of each class."""
    counts = rows.class_counts(len(labels))
    occurs = counts.targets.sum(axis=0) > 0

    def recalls(weights: Float64) -> Float64:
        pooled = counts.pooled(weights)
        return np.where(pooled.targets > 0, pooled.hits / np.maximum(pooled.targets, 1), np.nan)

    return [
        rows.metric("accuracy", lambda w: counts.pooled(w).accuracy),
        rows.metric("mean recall", lambda w: np.nanmean(recalls(w)[:, occurs], axis=1)),
        rows.metric("macro F1", lambda w: counts.pooled(w).macro_f1),
        *(
            rows.metric(f"recall of {label}", lambda w, column=column: recalls(w)[:, column])  # type: ignore[misc]
            for column, label in enumerate(labels)
            if occurs[column]
        ),
    ]

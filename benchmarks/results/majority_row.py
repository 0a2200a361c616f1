# SPDX-License-Identifier: Apache-2.0
"""The row that every network has to beat: for every face the commonest training label of each task."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien.core import EXPRESSIONS, Float32, Indices, MetricValue
from mien.datasets import load_ferplus, load_votes, majority, picture_file
from mien.evaluation import bootstrap_metric
from mien.metrics import LabelCounts, macro_f1


def majority_metrics(data: Path) -> tuple[MetricValue, ...]:
    """Metrics of a constant prediction on FER+ valid, under the names of `train_row.MEASURES`.

    A constant has no concordance, so both CCC are 0 by definition.

    Args:
        data: folder of the open face sets.

    Raises:
        DatasetError: the data are missing.
    """
    train, valid = load_ferplus(data, "train"), load_ferplus(data, "valid")
    official = majority(load_votes(picture_file(data, "ferplus", "valid")))
    return constant_metrics(
        commonest=int(np.bincount(train.expression.argmax(axis=1)).argmax()),
        units=_commonest_units(train.action_units),
        label=valid.expression.argmax(axis=1),
        official=official[official >= 0].astype(np.intp),
        truth=valid.action_units,
    )


def constant_metrics(
    *, commonest: int, units: Indices, label: Indices, official: Indices, truth: Float32
) -> tuple[MetricValue, ...]:
    """Metrics of one class and one set of action units for every face.

    Args:
        commonest: predicted class.
        units: columns of the action units that are predicted to be present.
        label: (N,) classes by plurality.
        official: (M,) classes of the faces with an official majority.
        truth: (N, A) probabilities of action units, NaN where unknown.
    """
    n, n_classes = len(label), len(EXPRESSIONS)
    known = np.flatnonzero(~np.isnan(truth).any(axis=1))
    present = truth[known] >= 0.5
    called = np.zeros_like(present)
    called[:, units] = True

    def unit_f1(rows: Indices) -> float:
        return float(LabelCounts.of_flags(present[rows], called[rows]).macro_f1)

    def expression_f1(rows: Indices) -> float:
        return macro_f1(label[rows], np.full(len(rows), commonest), n_classes)

    right, right_official = label == commonest, official == commonest
    f1 = bootstrap_metric("macro F1, plurality", n, expression_f1)
    au_f1 = bootstrap_metric("mean AU F1 against the teacher", len(known), unit_f1)
    nothing = [MetricValue(name=name, n=n, value=0.0, low=0.0, high=0.0) for name in ("CCC valence", "CCC arousal")]
    total = MetricValue(
        name="P_MTL", n=n, value=f1.value + au_f1.value, low=f1.low + au_f1.low, high=f1.high + au_f1.high
    )
    return (
        bootstrap_metric("accuracy, plurality", n, lambda rows: float(right[rows].mean())),
        bootstrap_metric("accuracy, official majority", len(official), lambda rows: float(right_official[rows].mean())),
        f1,
        *nothing,
        au_f1,
        total,
    )


def _commonest_units(truth: Float32) -> Indices:
    """Columns of the action units that are present in more than half of the faces in which they are known."""
    known = ~np.isnan(truth)
    shares = np.where(known, truth >= 0.5, False).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.flatnonzero(shares > 0.5)

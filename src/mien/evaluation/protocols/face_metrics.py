# SPDX-License-Identifier: Apache-2.0
"""Action unit metrics that several protocols on cropped faces share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from mien.core import Faces, Indices, MetricValue
from mien.datasets import FaceSamples
from mien.evaluation.evaluation_report import bootstrap_metric
from mien.metrics import OFFICIAL_THRESHOLD, binary_f1


def action_unit_metrics(
    samples: FaceSamples, faces: Faces, groups: npt.NDArray[np.str_] | None = None
) -> list[MetricValue]:
    """F1 of each AU against the teacher, and the mean over the AUs.

    An AU is present from `OFFICIAL_THRESHOLD` on, as the challenges score it, for every bundle alike.

    Args:
        samples: N faces with the teacher's probabilities, NaN where the teacher is uncertain; those rows are left out.
        faces: N predictions.
        groups: (N,) people, who are resampled as a whole; None to resample faces.

    Returns:
        Nothing where bundle and teacher share no AU.
    """
    units = unit_f1(samples, faces)
    if not units:
        return []

    def mean_f1(rows: Indices) -> float:
        return float(np.mean([f1(rows) for f1 in units.values()]))

    n = len(samples)
    single = [bootstrap_metric(f"F1 {label} against the teacher", n, f1, groups=groups) for label, f1 in units.items()]
    return [*single, bootstrap_metric("mean AU F1 against the teacher", n, mean_f1, groups=groups)]


def unit_f1(samples: FaceSamples, faces: Faces) -> dict[str, Callable[[Indices], float]]:
    """AU -> its F1 at `OFFICIAL_THRESHOLD` on given rows; rows where the teacher is uncertain are left out."""
    shared = [label for label in faces.action_unit_labels if label in samples.action_unit_labels]
    truth = samples.action_units[:, [samples.action_unit_labels.index(label) for label in shared]]
    predicted = faces.action_units[:, [faces.action_unit_labels.index(label) for label in shared]] >= OFFICIAL_THRESHOLD
    known, present = ~np.isnan(truth), truth >= OFFICIAL_THRESHOLD

    def f1(column: int, rows: Indices) -> float:
        rows = rows[known[rows, column]]
        return binary_f1(present[rows, column], predicted[rows, column]) if len(rows) else float("nan")

    return {label: partial(f1, column) for column, label in enumerate(shared)}

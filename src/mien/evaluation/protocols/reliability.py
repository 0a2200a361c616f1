# SPDX-License-Identifier: Apache-2.0
"""Protocol of reliability: does a probability of 0.8 mean that 8 of 10 predictions are right?"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien.affect import Analyzer
from mien.core import MetricValue
from mien.datasets import load_pictures, load_votes, majority, picture_file, plurality
from mien.evaluation.evaluation_report import Report, bootstrap_metric
from mien.evaluation.face_crops import bundle_report, decode_pictures, expression_probabilities, mean_metric
from mien.metrics import expected_calibration_error

_N_BINS = 15


def evaluate_reliability(subject: Analyzer, data: Path, split: str = "valid") -> Report:
    """Expected calibration error on FER+ over 15 bins of confidence, and the gap within each bin.

    Against both targets: the plurality of the votes, and the official majority, which leaves out the faces that
    annotators disagree about, so that a bundle trained on vote shares is underconfident on it. A gap is accuracy minus
    mean confidence: above 0 the bundle is underconfident, below 0 overconfident.
    """
    path = picture_file(data, "ferplus", split)
    votes = load_votes(path)
    probabilities = expression_probabilities(subject.crops(decode_pictures(load_pictures(path)))).astype(np.float64)
    metrics: list[MetricValue] = []
    dropped = {}
    for rule, targets in (("plurality", plurality(votes)), ("official majority", majority(votes))):
        kept = targets >= 0
        dropped[f"no {rule} label"] = int((~kept).sum())
        metrics += _of_rule(rule, targets[kept], probabilities[kept])
    return bundle_report("reliability", f"FER+ {split}", subject, len(votes), dropped, metrics)


def _of_rule(rule: str, targets: np.ndarray, probabilities: np.ndarray) -> list[MetricValue]:
    everyone = np.arange(len(targets))
    confidence = probabilities.max(axis=1)
    gap = (probabilities.argmax(axis=1) == targets) - confidence
    edges = np.linspace(0, 1, _N_BINS + 1)
    bins = np.minimum((confidence * _N_BINS).astype(int), _N_BINS - 1)
    whole = bootstrap_metric(
        f"calibration error, {rule}",
        len(targets),
        lambda rows: expected_calibration_error(targets[rows], probabilities[rows], _N_BINS),
    )
    mean = mean_metric(f"accuracy minus confidence, {rule}", gap, np.ones(len(gap), dtype=bool), everyone)
    of_bins = [
        mean_metric(f"gap at {edges[b]:.2f} to {edges[b + 1]:.2f}, {rule}", gap, bins == b, everyone)
        for b in range(_N_BINS)
        if (bins == b).any()
    ]
    return [whole, mean, *of_bins]

# SPDX-License-Identifier: Apache-2.0
"""Metrics as pure functions of arrays, with mergeable counts and moments; each states its divisor and averaging."""

from mien.metrics.abaw import (
    OFFICIAL_THRESHOLD,
    Scored,
    fg2020_au,
    fg2020_au_of,
    fg2020_expr,
    fg2020_expr_of,
    p_au,
    p_expr,
    p_mtl,
    p_va,
)
from mien.metrics.agreement import Moments, ccc, mean_pearson, pearson
from mien.metrics.body_joints import correct_parts, joint_distances, mpjpe, pcp
from mien.metrics.classification import (
    accuracy,
    accuracy_excluding,
    binary_f1,
    expected_calibration_error,
    f1_per_class,
    macro_f1,
)
from mien.metrics.counts import LabelCounts, bootstrap_weights
from mien.metrics.ranking import aurc, concordant_pairs, rank_correlation, risk_coverage, roc_auc

__all__ = [
    "OFFICIAL_THRESHOLD",
    "LabelCounts",
    "Moments",
    "Scored",
    "accuracy",
    "accuracy_excluding",
    "aurc",
    "binary_f1",
    "bootstrap_weights",
    "ccc",
    "concordant_pairs",
    "correct_parts",
    "expected_calibration_error",
    "f1_per_class",
    "fg2020_au",
    "fg2020_au_of",
    "fg2020_expr",
    "fg2020_expr_of",
    "joint_distances",
    "macro_f1",
    "mean_pearson",
    "mpjpe",
    "p_au",
    "p_expr",
    "p_mtl",
    "p_va",
    "pcp",
    "pearson",
    "rank_correlation",
    "risk_coverage",
    "roc_auc",
]

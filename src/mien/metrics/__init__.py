# SPDX-License-Identifier: Apache-2.0
"""Measures as pure functions of arrays; each says its divisor, its averaging and what empty means."""

from mien.metrics.agreement import ccc, pearson
from mien.metrics.classification import binary_f1, expected_calibration_error, f1_per_class, macro_f1

__all__ = ["binary_f1", "ccc", "expected_calibration_error", "f1_per_class", "macro_f1", "pearson"]

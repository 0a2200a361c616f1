# SPDX-License-Identifier: Apache-2.0
"""The calibration error and the gap of a predictor with known confidence."""

from pathlib import Path

import pytest

from mien.evaluation.protocols.reliability import evaluate_reliability
from tests.helpers.open_face_sets import FlatFaceAnalyzer, metrics_by_name


def test_reliability_finds_the_known_gap(open_sets: Path) -> None:
    report = evaluate_reliability(FlatFaceAnalyzer(), open_sets)
    metrics = metrics_by_name(report)
    assert metrics["calibration error, plurality"].value == pytest.approx(0.14, abs=1e-6)  # always right, .86 sure
    assert metrics["accuracy minus confidence, official majority"].value == pytest.approx(0.14, abs=1e-6)
    assert metrics["gap at 0.80 to 0.87, plurality"].n == 240

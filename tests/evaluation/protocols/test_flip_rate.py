# SPDX-License-Identifier: Apache-2.0
"""The flip rate of analyzers that need colour and size, or do not."""

from pathlib import Path

import pytest

from mien.evaluation.protocols.flip_rate import evaluate_flip_rate
from tests.helpers.open_face_sets import FlatFaceAnalyzer, metrics_by_name


def test_nothing_flips_without_colour_and_size(open_sets: Path) -> None:
    analyzer = FlatFaceAnalyzer()
    report = evaluate_flip_rate(analyzer, open_sets)
    metrics = metrics_by_name(report)
    assert sorted(analyzer.aligned_calls) == [True] * 4  # two views, each sharp and small; never aligned again
    assert metrics["flip rate, aligned"].value == 0
    assert metrics["flip rate, aligned"].n == 235
    assert metrics["flip rate, whole image"].n == 240
    assert report.dropped == {"without keypoints, not in the aligned part": 5}


def test_every_smile_flips_if_small_faces_are_missed(open_sets: Path) -> None:
    metrics = metrics_by_name(evaluate_flip_rate(FlatFaceAnalyzer(blind_when_small=True), open_sets))
    share = metrics["flip rate, whole image"].value
    assert 0.4 < share < 0.6
    assert metrics["mean change of valence, whole image"].value == pytest.approx(0.5 * share, abs=1e-6)
    assert metrics["mean change of arousal, whole image"].value == 0

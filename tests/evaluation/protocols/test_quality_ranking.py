# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np

from mien.affect import Analyzer
from mien.datasets import load_ferplus, load_lfw
from mien.evaluation.protocols.quality_ranking import confidence_scores, predict_degraded
from mien.metrics import aurc, roc_auc


def test_bad_faces_have_a_lower_quality_than_good_ones(shared_data: Path) -> None:
    analyzer = Analyzer(threads=1)
    samples = load_ferplus(shared_data, "valid").take(np.arange(400))  # labels of ten people: LFW's are too noisy
    readings = predict_degraded(analyzer, samples, seed=0)
    assert len(readings.kinds) == np.isfinite(samples.keypoints).all(axis=(1, 2)).sum()
    assert np.isfinite(readings.signals).all()
    clean = readings.kinds == "none"
    assert roc_auc(clean, readings.quality) > 0.7
    by = confidence_scores(readings)
    assert aurc(readings.correct, by["quality"]) < aurc(readings.correct, by["nothing"])


def test_the_same_seed_reads_the_same(shared_data: Path) -> None:
    analyzer = Analyzer(threads=1)
    samples = load_lfw(shared_data, "test").take(np.arange(5))
    one, other = (predict_degraded(analyzer, samples, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.signals, other.signals)
    np.testing.assert_array_equal(one.kinds, other.kinds)

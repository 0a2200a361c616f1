# SPDX-License-Identifier: Apache-2.0
"""Statistics on bootstrap counts are those of mien, and a gain is paired."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

from benchmarks.systems.gains import accuracy_of, macro_f1_of, mean_pearson_of, mean_recall_of, paired_gain
from mien.metrics import accuracy, macro_f1, mean_pearson

ONCE = np.ones((1, 200))


def test_statistics_are_those_of_mien() -> None:
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 4, (2, 200))
    assert accuracy_of(truth, predicted)(ONCE)[0] == pytest.approx(accuracy(truth, predicted, 5))
    assert macro_f1_of(truth, predicted, 5)(ONCE)[0] == pytest.approx(macro_f1(truth, predicted, 5))
    known = rng.random(200) < 0.5
    assert macro_f1_of(truth, predicted, 5, known)(ONCE)[0] == pytest.approx(
        macro_f1(truth[known], predicted[known], 5)
    )
    recalls = [np.mean(predicted[truth == number] == number) for number in range(4)]
    assert mean_recall_of(truth, predicted, 4)(ONCE)[0] == pytest.approx(np.mean(recalls))
    x, y = rng.random((2, 200, 3))
    assert mean_pearson_of(x, y)(ONCE)[0] == pytest.approx(mean_pearson(x, y))


def test_a_gain_is_paired_over_rows_and_seeds() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 200)
    worse = np.where(rng.random((3, 200)) < 0.4, 1 - truth, truth)
    better = np.where((worse != truth) & (rng.random((3, 200)) < 0.3), truth, worse)  # some errors are mended
    found = paired_gain(
        "mended", [accuracy_of(truth, own) for own in better], [accuracy_of(truth, own) for own in worse], 200
    )
    assert found.value == pytest.approx(np.mean(better == truth) - np.mean(worse == truth))
    assert found.per_seed == pytest.approx((better == truth).mean(axis=1) - (worse == truth).mean(axis=1))
    assert found.after - found.before == pytest.approx(found.value)
    # Unpaired, the interval of a difference of two accuracies near 0.6 and 0.7 would be 0.11 wide at least.
    assert 0 < found.low < found.value < found.high < found.low + 0.09

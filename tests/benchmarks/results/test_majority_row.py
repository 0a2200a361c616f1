# SPDX-License-Identifier: Apache-2.0
"""A constant prediction has the metrics that a count by hand gives."""

import numpy as np
import pytest

from benchmarks.results.majority_row import constant_metrics


def test_a_constant_by_hand() -> None:
    label = np.array([0, 0, 0, 1, 2])
    truth = np.array([[1, 0], [1, 1], [0, 0], [np.nan, np.nan], [1, 0]], np.float32)
    found = {
        metric.name: metric
        for metric in constant_metrics(commonest=0, units=np.array([0]), label=label, official=label[:4], truth=truth)
    }
    assert found["accuracy, plurality"].value == pytest.approx(3 / 5)
    assert found["accuracy, official majority"].value == pytest.approx(3 / 4)
    f1 = 2 * 3 / (3 + 5) / 8
    assert found["macro F1, plurality"].value == pytest.approx(f1)
    units = (2 * 3 / (3 + 4) + 0) / 2
    assert found["mean AU F1 against the teacher"].value == pytest.approx(units)
    assert found["mean AU F1 against the teacher"].n == 4
    assert found["CCC valence"].value == found["CCC arousal"].value == 0
    assert found["P_MTL"].value == pytest.approx(f1 + units)
    assert found["accuracy, plurality"].low < 0.6 < found["accuracy, plurality"].high

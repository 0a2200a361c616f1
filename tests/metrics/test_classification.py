# SPDX-License-Identifier: Apache-2.0
"""F1, accuracy and calibration error against scikit-learn and known values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from mien.core import ConfigError
from mien.metrics import accuracy, accuracy_excluding, binary_f1, expected_calibration_error, f1_per_class, macro_f1

CLASSES = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=40)


def test_macro_f1_has_a_fixed_number_of_classes() -> None:
    targets, predictions = [0, 0, 4, 4, 5, 7, 7, 7], [0, 4, 4, 4, 7, 7, 7, 0]
    assert f1_per_class(targets, predictions, 8) == pytest.approx([0.5, 0, 0, 0, 0.8, 0, 0, 2 / 3], abs=1e-12)
    assert macro_f1(targets, predictions, 8) == pytest.approx(0.24583, abs=5e-6)


@given(CLASSES)
def test_macro_f1_agrees_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    targets, predictions = (list(column) for column in zip(*pairs, strict=True))
    expected = sklearn_metrics.f1_score(targets, predictions, labels=range(8), average="macro", zero_division=0.0)
    assert macro_f1(targets, predictions, 8) == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_binary_f1_agrees_with_scikit_learn(pairs: list[tuple[bool, bool]]) -> None:
    targets, predictions = (list(column) for column in zip(*pairs, strict=True))
    expected = sklearn_metrics.f1_score(targets, predictions, zero_division=0.0)
    assert binary_f1(targets, predictions) == pytest.approx(expected, abs=1e-12)


def test_labels_outside_the_set_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"0\.\.7"):
        macro_f1([8], [0], 8)
    with pytest.raises(ConfigError, match=r"0\.\.7"):
        macro_f1([0], [-1], 8)


def test_calibration_error_of_known_bins() -> None:
    # Two faces at confidence .9, one right; two at .6, both right: |.5 - .9| / 2 + |1 - .6| / 2.
    probabilities = [[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]]
    assert expected_calibration_error([0, 1, 0, 0], probabilities) == pytest.approx(0.4, abs=1e-12)
    assert expected_calibration_error([0, 1], np.eye(2)) == 0


def test_affectnet_seven_of_eight_drops_the_images_and_the_column_of_contempt() -> None:
    contempt = 7
    scores = np.eye(8)[[0, 7, 7, 3, 7]] + 0.5 * np.eye(8)[[0, 1, 2, 3, 4]]
    targets = np.array([0, 1, 5, 3, 7])
    assert accuracy(targets, scores.argmax(axis=1), 8) == pytest.approx(3 / 5)
    # The image of contempt is gone; the second image's next best class is right, the third's is wrong.
    assert accuracy_excluding(targets, scores, contempt) == pytest.approx(3 / 4)

# SPDX-License-Identifier: Apache-2.0
"""Golden values come from the specification, section 2.8; references are scikit-learn and SciPy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sklearn_metrics

from mien.core import ConfigError
from mien.metrics import binary_f1, ccc, expected_calibration_error, f1_per_class, macro_f1, pearson

X, Y = [0.1, 0.4, -0.2, 0.8], [0.0, 0.5, -0.1, 0.6]
LABELS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=40)


def test_ccc_has_population_moments() -> None:
    assert ccc(X, Y) == pytest.approx(0.9239130434782609, abs=1e-12)


def test_pearson_golden_value_and_reference() -> None:
    assert pearson(X, Y) == pytest.approx(0.9442695958926463, abs=1e-12)
    assert pearson(X, Y) == pytest.approx(stats.pearsonr(X, Y).statistic, abs=1e-12)


def test_ccc_is_computed_once_over_all_videos() -> None:
    targets = [0.1, 0.2, 0.3, -0.5, -0.4, -0.6]
    predictions = [0.2, 0.2, 0.4, -0.4, -0.5, -0.5]
    assert ccc(predictions, targets) == pytest.approx(0.9693251533742332, abs=1e-12)
    per_video = (ccc(predictions[:3], targets[:3]) + ccc(predictions[3:], targets[3:])) / 2
    assert per_video == pytest.approx(0.33333333333333337, abs=1e-12)


def test_constant_series() -> None:
    assert ccc([0.5, 0.5], [0.1, 0.3]) == 0
    assert math.isnan(ccc([0.5, 0.5], [0.5, 0.5]))
    assert math.isnan(pearson([0.5, 0.5], [0.1, 0.3]))


@pytest.mark.parametrize("measure", [ccc, pearson])
@pytest.mark.parametrize(("x", "y"), [([], []), ([1.0], [1.0, 2.0]), ([[1.0]], [[1.0]])])
def test_series_must_fit(measure: object, x: object, y: object) -> None:
    with pytest.raises(ConfigError, match="common length"):
        measure(x, y)  # type: ignore[operator]


def test_macro_f1_has_a_fixed_number_of_classes() -> None:
    targets, predictions = [0, 0, 4, 4, 5, 7, 7, 7], [0, 4, 4, 4, 7, 7, 7, 0]
    assert f1_per_class(targets, predictions, 8) == pytest.approx([0.5, 0, 0, 0, 0.8, 0, 0, 2 / 3], abs=1e-12)
    assert macro_f1(targets, predictions, 8) == pytest.approx(0.24583, abs=5e-6)


@given(LABELS)
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

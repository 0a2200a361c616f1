# SPDX-License-Identifier: Apache-2.0
"""Challenge scores against scikit-learn, SciPy and the specification; pitfalls are those of its section 7."""

import math
import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics

from mien.core import ConfigError
from mien.metrics import (
    LabelCounts,
    Scored,
    binary_f1,
    ccc,
    fg2020_au,
    fg2020_expr,
    macro_f1,
    mean_pearson,
    p_au,
    p_expr,
    p_mtl,
    p_va,
)

TARGETS, PREDICTIONS = [0, 0, 4, 4, 5, 7, 7, 7], [0, 4, 4, 4, 7, 7, 7, 0]
X, Y = [0.1, 0.4, -0.2, 0.8], [0.0, 0.5, -0.1, 0.6]


def _reference_ccc(x: np.ndarray, y: np.ndarray) -> float:
    return 2 * np.cov(x, y, ddof=0)[0, 1] / (np.var(x) + np.var(y) + (np.mean(x) - np.mean(y)) ** 2)


def _frames(n: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    va = rng.uniform(-1, 1, (n, 2))
    predicted_va = np.clip(va + rng.normal(0, 0.4, (n, 2)), -1, 1)
    return (
        *(va, predicted_va),
        *(rng.integers(0, 8, n), rng.integers(0, 8, n)),
        *(rng.integers(0, 2, (n, 12)), rng.integers(0, 2, (n, 12))),
    )


def test_p_va_is_the_mean_of_two_concordances() -> None:
    va, predicted, *_ = _frames()
    expected = 0.5 * (_reference_ccc(va[:, 0], predicted[:, 0]) + _reference_ccc(va[:, 1], predicted[:, 1]))
    assert p_va(va, predicted) == pytest.approx(expected, abs=1e-12)


def test_p_expr_golden_value() -> None:
    assert p_expr(TARGETS, PREDICTIONS) == pytest.approx((0.5 + 0.8 + 2 / 3) / 8, abs=1e-12)
    assert p_expr(TARGETS, PREDICTIONS) == pytest.approx(0.24583, abs=5e-6)


@pytest.mark.parametrize("n_classes", [6, 7, 8])
def test_p_expr_of_each_edition_agrees_with_scikit_learn(n_classes: int) -> None:
    rng = np.random.default_rng(n_classes)
    true, predicted = rng.integers(0, n_classes, 40), rng.integers(0, n_classes, 40)
    expected = sklearn_metrics.f1_score(true, predicted, labels=range(n_classes), average="macro", zero_division=0.0)
    assert p_expr(true, predicted, n_classes=n_classes) == pytest.approx(expected, abs=1e-12)


def test_p_au_agrees_with_scikit_learn() -> None:
    *_, au, predicted = _frames()
    assert p_au(au, predicted) == pytest.approx(sklearn_metrics.f1_score(au, predicted, average="macro"), abs=1e-12)


def test_p_mtl_is_the_sum_each_task_on_its_own_rows() -> None:
    va, va_predicted, expr, expr_predicted, au, au_predicted = _frames()
    has_va, has_expr = np.arange(60) % 2 == 0, np.arange(60) % 3 > 0
    got = p_mtl(
        va=Scored(va, va_predicted, has_va), expr=Scored(expr, expr_predicted, has_expr), au=Scored(au, au_predicted)
    )
    expected = (
        p_va(va[::2], va_predicted[::2]) + p_expr(expr[has_expr], expr_predicted[has_expr]) + p_au(au, au_predicted)
    )
    assert got == pytest.approx(expected, abs=1e-15)


def test_fg2020_scores() -> None:
    rng = np.random.default_rng(5)
    true, predicted = rng.integers(0, 7, 50), rng.integers(0, 7, 50)
    f1 = sklearn_metrics.f1_score(true, predicted, labels=range(7), average="macro", zero_division=0.0)
    expected = 0.67 * f1 + 0.33 * sklearn_metrics.accuracy_score(true, predicted)
    assert fg2020_expr(true, predicted) == pytest.approx(expected, abs=1e-12)
    units, predicted = rng.integers(0, 2, (50, 8)), rng.integers(0, 2, (50, 8))
    f1 = sklearn_metrics.f1_score(units, predicted, average="macro")
    assert fg2020_au(units, predicted) == pytest.approx(0.5 * f1 + 0.5 * (units == predicted).mean(), abs=1e-12)


@pytest.mark.parametrize(("f1", "right", "expected"), [(0.2916, 0.5077, 0.3629), (0.20, 0.63, 0.3419)])
def test_fg2020_expression_golden_values(f1: float, right: float, expected: float) -> None:
    from mien.metrics import fg2020_expr_of

    # One class, whose F1 is chosen freely beside the accuracy.
    counts = LabelCounts(
        hits=np.array([f1]),
        targets=np.array([1.0]),
        predictions=np.array([1.0]),
        right=np.array(right),
        decisions=np.array(1.0),
    )
    assert float(fg2020_expr_of(counts)) == pytest.approx(expected, abs=5e-5)


def test_pitfall_1_invalid_rows_are_dropped_before_computing() -> None:
    va, predicted, *_ = _frames()
    spoilt = va.copy()
    spoilt[::3, 1] = -5  # one of the two is enough
    mask = (spoilt > -5).all(axis=1)
    assert p_va(spoilt, predicted, mask) == pytest.approx(p_va(va[mask], predicted[mask]), abs=1e-15)
    with pytest.raises(ConfigError, match=r"got \[.*-5.0\] in row 0; mask rows without a rating"):
        p_va(spoilt, predicted)  # it would be another number by more than 0.1


def test_pitfall_2_videos_are_concatenated() -> None:
    targets = np.array([[0.1], [0.2], [0.3], [-0.5], [-0.4], [-0.6]]).repeat(2, axis=1)
    predicted = np.array([[0.2], [0.2], [0.4], [-0.4], [-0.5], [-0.5]]).repeat(2, axis=1)
    assert p_va(targets, predicted) == pytest.approx(0.9693251533742332, abs=1e-12)


def test_pitfall_3_population_variance_everywhere() -> None:
    sample = 2 * np.cov(X, Y)[0, 1] / (np.var(X, ddof=1) + np.var(Y, ddof=1) + (np.mean(X) - np.mean(Y)) ** 2)
    mixed = 2 * np.cov(X, Y, ddof=0)[0, 1] / (np.var(X, ddof=1) + np.var(Y, ddof=1) + (np.mean(X) - np.mean(Y)) ** 2)
    assert sample == pytest.approx(0.9245411284840245, abs=1e-12)
    assert mixed == pytest.approx(0.6934058463630184, abs=1e-12)
    assert ccc(X, Y) == pytest.approx(0.9239130434782609, abs=1e-12)


def test_pitfall_4_constant_predictions_score_zero_and_never_crash() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ccc([0.1] * 3, [0.1, 0.2, 0.4]) == 0
        assert math.isnan(ccc([0.1] * 3, [0.1] * 3))


def test_pitfall_5_an_absent_unit_scores_zero_and_probabilities_are_no_decisions() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert binary_f1([0, 0], [0, 0]) == 0
        assert p_au([[0, 1], [0, 0]], [[0, 1], [0, 0]]) == 0.5
    with pytest.raises(ConfigError, match="threshold"):
        p_au([[0, 1]], [[0.2, 0.9]])
    with pytest.raises(ConfigError, match="threshold"):
        binary_f1([0, 1], [0.2, 0.9])


def test_pitfall_6_the_label_set_is_fixed() -> None:
    occurring = sklearn_metrics.f1_score(TARGETS, PREDICTIONS, average="macro")
    assert occurring == pytest.approx(0.49167, abs=5e-6)
    assert macro_f1(TARGETS, PREDICTIONS, 8) == pytest.approx(0.24583, abs=5e-6)
    assert p_expr(TARGETS, PREDICTIONS) == macro_f1(TARGETS, PREDICTIONS, 8)


def test_pitfall_7_a_mask_selects_and_never_multiplies() -> None:
    va, predicted, *_ = _frames()
    mask = np.arange(60) % 2 == 0
    va, predicted = 0.5 + 0.2 * va, 0.4 + 0.2 * predicted
    multiplied = p_va(va * mask[:, None], predicted * mask[:, None])
    assert p_va(va, predicted, mask) == pytest.approx(p_va(va[mask], predicted[mask]), abs=1e-15)
    assert abs(multiplied - p_va(va, predicted, mask)) > 1e-3
    for wrong in (mask.astype(int), mask[:-1]):
        with pytest.raises(ConfigError, match="booleans"):
            p_va(va, predicted, wrong)


def test_pitfall_8_a_mean_over_batches_is_another_number() -> None:
    rng = np.random.default_rng(7)
    true = rng.uniform(size=(64, 6))
    predicted = true + rng.normal(size=(64, 6))
    batches = np.mean([mean_pearson(true[i : i + 8], predicted[i : i + 8]) for i in range(0, 64, 8)])
    whole = np.mean([stats.pearsonr(true[:, k], predicted[:, k]).statistic for k in range(6)])
    assert mean_pearson(true, predicted) == pytest.approx(whole, abs=1e-12)
    assert abs(batches - whole) > 1e-3


def test_nothing_to_score_is_an_error() -> None:
    with pytest.raises(ConfigError, match="mask"):
        p_expr([0, 1], [0, 1], np.zeros(2, dtype=bool))

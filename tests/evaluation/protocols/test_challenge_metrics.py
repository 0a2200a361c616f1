# SPDX-License-Identifier: Apache-2.0
"""Metrics of labelled rows equal the pure functions of `mien.metrics`, and resample whole videos."""

import numpy as np
import pytest

from mien.core import DatasetError
from mien.evaluation.protocols.challenge_metrics import (
    LabelledRows,
    expression_metrics,
    fg2020_expression_metric,
    fg2020_unit_metric,
    intensity_metrics,
    sum_metric,
    unit_metrics,
    va_metrics,
)
from mien.metrics import accuracy, ccc, f1_per_class, fg2020_au, fg2020_expr, mean_pearson, p_au, p_expr, p_va


def _rows(truth: np.ndarray, predicted: np.ndarray, subset: str = "") -> LabelledRows:
    return LabelledRows(
        truth=truth, predicted=predicted, groups=np.arange(len(truth)) // 10, n_groups=len(truth) // 10, subset=subset
    )


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_valence_and_arousal(rng: np.random.Generator) -> None:
    truth, predicted = rng.uniform(-1, 1, (2, 60, 2))
    found = {m.name: m.bootstrap() for m in va_metrics(_rows(truth, predicted))}
    assert found["P_VA"].value == pytest.approx(p_va(truth, predicted))
    assert found["CCC arousal"].value == pytest.approx(ccc(truth[:, 1], predicted[:, 1]))
    assert found["P_VA"].low < found["P_VA"].value < found["P_VA"].high
    assert found["P_VA"].n == 60


def test_expressions(rng: np.random.Generator) -> None:
    truth, predicted = rng.integers(0, 7, (2, 60))
    rows = _rows(truth, predicted, ", frames with a crop")
    labels = tuple("abcdefg")
    found = {m.name: m.bootstrap().value for m in expression_metrics(rows, labels)}
    assert found["P_EXPR, frames with a crop"] == pytest.approx(p_expr(truth, predicted, n_classes=7))
    assert found["accuracy, frames with a crop"] == pytest.approx(accuracy(truth, predicted, 7))
    assert found["F1 c, frames with a crop"] == pytest.approx(f1_per_class(truth, predicted, 7)[2])
    assert fg2020_expression_metric(rows).bootstrap().value == pytest.approx(fg2020_expr(truth, predicted))


def test_action_units(rng: np.random.Generator) -> None:
    truth, predicted = rng.integers(0, 2, (2, 60, 8))
    found = unit_metrics(_rows(truth, predicted), [f"AU{i:02d}" for i in range(8)])
    assert found[0].bootstrap().value == pytest.approx(p_au(truth, predicted))
    assert [m.name for m in found[1:3]] == ["F1 AU00", "F1 AU01"]
    assert fg2020_unit_metric(_rows(truth, predicted)).bootstrap().value == pytest.approx(fg2020_au(truth, predicted))


def test_intensities(rng: np.random.Generator) -> None:
    truth, predicted = rng.random((2, 60, 6))
    found = intensity_metrics(_rows(truth, predicted), tuple("abcdef"))
    assert found[0].bootstrap().value == pytest.approx(mean_pearson(truth, predicted))


def test_a_sum_resamples_the_same_videos(rng: np.random.Generator) -> None:
    truth, predicted = rng.uniform(-1, 1, (2, 60, 2))
    part = va_metrics(_rows(truth, predicted))[0]
    total = sum_metric("sum", [part, part])
    assert (total.n, total.n_groups) == (60, 6)
    one, both = part.bootstrap(), total.bootstrap()
    assert (both.value, both.low, both.high) == pytest.approx((2 * one.value, 2 * one.low, 2 * one.high))


def test_rows_without_labels_are_an_error() -> None:
    empty = _rows(np.zeros((0, 2)), np.zeros((0, 2)), ", frames with a crop")
    for metrics in (va_metrics, intensity_metrics, unit_metrics):
        with pytest.raises(DatasetError, match="no row has a valid label to score, frames with a crop"):
            metrics(empty, *([] if metrics is va_metrics else [("a", "b")]))

# SPDX-License-Identifier: Apache-2.0
"""Every public metric on what cannot be scored: NaN, codes for "not annotated", no row, wrong shapes, one class."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import mien.metrics
from mien.core import ConfigError
from mien.metrics import (
    LabelCounts,
    Moments,
    Scored,
    accuracy,
    accuracy_excluding,
    aurc,
    binary_f1,
    bootstrap_weights,
    ccc,
    concordant_pairs,
    correct_parts,
    expected_calibration_error,
    f1_per_class,
    fg2020_au,
    fg2020_expr,
    joint_distances,
    macro_f1,
    mean_pearson,
    mpjpe,
    p_au,
    p_expr,
    p_mtl,
    p_va,
    pcp,
    pearson,
    rank_correlation,
    risk_coverage,
    roc_auc,
)

NAN = float("nan")
VA = [[0.1, 0.2], [-0.3, 0.4], [0.5, -0.6]]
CLASSES = [0, 1, 2]
UNITS = [[0, 1], [1, 1], [1, 0]]
SHARES = [[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]]
SERIES = [0.1, 0.4, -0.2]
FLAGS = [0, 1, 1]
JOINTS = [[[0.0, 0.0], [0.0, 10.0]], [[1.0, 1.0], [5.0, 2.0]]]


def _mtl(va: Any, predicted: Any) -> float:
    return p_mtl(va=Scored(va, predicted), expr=Scored(CLASSES, CLASSES), au=Scored(UNITS, UNITS))


def _pairs(targets: Any, scores: Any) -> Any:
    return concordant_pairs(targets, scores, np.ones((1, np.size(targets))))[0]


# Metric -> how it is called with targets and predictions, targets, predictions, and codes that no target has; series of
# real numbers (ccc, pearson, Moments) may hold any finite number.
CASES: dict[str, tuple[Callable[..., Any], Any, Any, tuple[float, ...]]] = {
    "p_va": (p_va, VA, VA, (-5,)),
    "p_expr": (p_expr, CLASSES, CLASSES, (-1, 8)),
    "p_au": (p_au, UNITS, UNITS, (-1, 2)),
    "p_mtl": (_mtl, VA, VA, (-5,)),
    "fg2020_expr": (fg2020_expr, CLASSES, CLASSES, (-1, 7)),
    "fg2020_au": (fg2020_au, UNITS, UNITS, (-1, 2)),
    "accuracy": (partial(accuracy, n_classes=3), CLASSES, CLASSES, (-1, 3)),
    "accuracy_excluding": (partial(accuracy_excluding, dropped=2), CLASSES, SHARES, (-1, 3)),
    "binary_f1": (binary_f1, FLAGS, FLAGS, (-1, 2)),
    "f1_per_class": (partial(f1_per_class, n_classes=3), CLASSES, CLASSES, (-1, 3)),
    "macro_f1": (partial(macro_f1, n_classes=3), CLASSES, CLASSES, (-1, 3)),
    "expected_calibration_error": (expected_calibration_error, CLASSES, SHARES, (-1, 3)),
    "ccc": (ccc, SERIES, SERIES, ()),
    "pearson": (pearson, SERIES, SERIES, ()),
    "mean_pearson": (mean_pearson, np.abs(VA), np.abs(VA), (-1, -5)),
    "roc_auc": (roc_auc, FLAGS, SERIES, (-1, 2)),
    "concordant_pairs": (_pairs, FLAGS, SERIES, (-1, 2)),
    "rank_correlation": (rank_correlation, SERIES, SERIES, ()),
    "aurc": (aurc, FLAGS, SERIES, (-1, 2)),
    "risk_coverage": (risk_coverage, FLAGS, SERIES, (-1, 2)),
    "joint_distances": (joint_distances, JOINTS, JOINTS, ()),
    "mpjpe": (mpjpe, JOINTS, JOINTS, ()),
    "correct_parts": (partial(correct_parts, limbs=[(0, 1)]), JOINTS, JOINTS, ()),
    "pcp": (partial(pcp, limbs=[(0, 1)]), JOINTS, JOINTS, ()),
    "Moments": (lambda x, y: Moments.of(x, y).ccc, VA, VA, ()),
    "LabelCounts": (lambda x, y: LabelCounts.of_classes(x, y, 3).f1, CLASSES, CLASSES, (-1, 3)),
}
NOT_METRICS = {"OFFICIAL_THRESHOLD", "Scored", "bootstrap_weights", "fg2020_au_of", "fg2020_expr_of"}
MERGEABLE = {"Moments", "LabelCounts"}  # no row is where a sum over chunks begins


def _with(values: Any, value: float) -> Any:
    """The same values with another one in the first place."""
    changed = np.array(values, dtype=np.float64 if np.isnan(value) else np.asarray(values).dtype)
    changed.flat[0] = value
    return changed


def test_every_public_metric_has_a_case() -> None:
    assert set(CASES) == set(mien.metrics.__all__) - NOT_METRICS
    assert all(hasattr(mien.metrics, name) for name in NOT_METRICS)
    assert all(callable(call) for call, *_ in CASES.values())


@pytest.mark.parametrize("name", CASES)
def test_finite_on_its_example(name: str) -> None:
    call, targets, predictions, _ = CASES[name]
    assert np.isfinite(call(targets, predictions)).all()


@pytest.mark.parametrize("name", CASES)
def test_nan_is_refused_in_targets_and_predictions(name: str) -> None:
    call, targets, predictions, _ = CASES[name]
    with pytest.raises(ConfigError):
        call(_with(targets, NAN), predictions)
    with pytest.raises(ConfigError):
        call(targets, _with(predictions, NAN))


@pytest.mark.parametrize(("name", "code"), [(name, code) for name, case in CASES.items() for code in case[3]])
def test_codes_for_rows_without_a_label_are_refused(name: str, code: float) -> None:
    call, targets, predictions, _ = CASES[name]
    with pytest.raises(ConfigError):
        call(_with(targets, code), predictions)


@pytest.mark.parametrize("name", CASES)
def test_no_row_gives_no_number(name: str) -> None:
    call, targets, predictions, _ = CASES[name]
    empty = np.asarray(targets)[:0], np.asarray(predictions)[:0]
    if name in MERGEABLE:
        assert np.isnan(call(*empty)).all()
        return
    with pytest.raises(ConfigError):
        call(*empty)


@pytest.mark.parametrize("name", CASES)
def test_shapes_that_do_not_fit_are_refused(name: str) -> None:
    call, targets, predictions, _ = CASES[name]
    for other in (np.asarray(predictions)[:-1], np.asarray(predictions)[None], np.float64(0.0)):
        with pytest.raises(ConfigError):
            call(targets, other)


@pytest.mark.parametrize(
    ("name", "targets", "expected"),
    [
        ("roc_auc", [1, 1, 1], NAN),
        ("ccc", [0.5, 0.5, 0.5], 0.0),
        ("pearson", [0.5, 0.5, 0.5], NAN),
        ("mean_pearson", [[0.5, 0.1], [0.5, 0.2], [0.5, 0.3]], NAN),
        ("binary_f1", [0, 0, 0], 0.0),
        ("macro_f1", [0, 0, 0], 0.5 / 3),
        ("rank_correlation", [0.5, 0.5, 0.5], NAN),
        ("aurc", [1, 1, 1], 0.0),
    ],
)
def test_one_class_or_a_constant_is_as_documented(name: str, targets: Any, expected: float) -> None:
    call, _, predictions, _ = CASES[name]
    assert call(targets, predictions) == pytest.approx(expected, nan_ok=True)


def test_predictions_that_are_a_code_or_no_distribution_are_refused() -> None:
    with pytest.raises(ConfigError, match="code for frames without a rating"):
        p_va(VA, _with(VA, -5))
    assert np.isfinite(p_va(VA, _with(VA, 1.02)))  # linear outputs may leave [-1, 1]
    for rows in (_with(SHARES, -0.2), np.asarray(SHARES) * 3, np.log(SHARES)):
        with pytest.raises(ConfigError, match="is no distribution"):
            expected_calibration_error(CLASSES, rows)
    with pytest.raises(ConfigError, match="at least one bin"):
        expected_calibration_error(CLASSES, SHARES, n_bins=0)
    logs = np.array([[0.0, -np.inf, -np.inf], [-np.inf, 0.0, -np.inf], [-np.inf] * 3])
    assert accuracy_excluding([0, 1, 2], logs, dropped=2) == 1
    with pytest.raises(ConfigError, match="no score above -inf"):
        accuracy_excluding([0, 1, 1], logs, dropped=2)


def test_weights_are_draws() -> None:
    for weights in (np.full((1, 3), NAN), np.full((1, 3), -1.0)):
        with pytest.raises(ConfigError, match="weights are finite"):
            concordant_pairs(FLAGS, SERIES, weights)
    with pytest.raises(ConfigError, match="got 3 and 0"):
        next(bootstrap_weights(3, 0))

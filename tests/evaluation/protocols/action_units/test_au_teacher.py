# SPDX-License-Identifier: Apache-2.0
"""Action units that are observed and action units that follow from the expression."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mien.evaluation import implied_by_expression
from mien.evaluation.protocols.action_units.au_teacher import ExpressionBaseline, evaluate_au_teacher
from tests.helpers.open_face_sets import FlatFaceAnalyzer, metrics_by_name


def test_an_observed_unit_beats_the_expression(open_sets: Path) -> None:
    report = evaluate_au_teacher(FlatFaceAnalyzer(), open_sets)
    metrics = metrics_by_name(report)
    assert metrics["FairFace val: AUC within expression AU04"].value == 1
    assert metrics["FairFace val: AUC gain over expression AU04"].low > 0.3
    assert metrics["FairFace val: F1 AU04"].value == 1
    assert metrics["FairFace val: AUC AU04 among neutral"].value == 1
    assert metrics["FairFace val: AUC AU12"].value == 1
    assert "FairFace val: AUC AU12 among neutral" not in metrics  # no neutral face smiles here: nothing to rank
    assert report.dropped["FairFace val: no keypoints"] == 5
    assert "AU04" not in implied_by_expression(report)


def test_a_unit_implied_by_the_expression_is_named(open_sets: Path) -> None:
    report = evaluate_au_teacher(FlatFaceAnalyzer(sees_brow=False), open_sets)
    within = metrics_by_name(report)["FairFace val: AUC within expression AU04"]
    assert within.value == pytest.approx(0.5)  # one score for all faces of an expression: pairs are ties
    assert "AU04" in implied_by_expression(report)


def test_the_baseline_recovers_a_linear_map_and_ignores_unknown_rows() -> None:
    rng = np.random.default_rng(0)
    probabilities, weights = rng.dirichlet(np.ones(8), 100), rng.random((8, 2))
    units = probabilities @ weights
    units[:40, 1] = np.nan
    baseline = ExpressionBaseline.fit(probabilities, units, ("AU04", "AU12"))
    assert baseline(probabilities, "AU12") == pytest.approx(probabilities @ weights[:, 1])


def test_f1_is_that_at_the_bundles_thresholds(open_sets: Path) -> None:
    """AU04 has 0.9 on a frown and 0.1 without: at a threshold of 0.95 it is never present, and AUC stays."""
    analyzer = FlatFaceAnalyzer()
    analyzer.spec = SimpleNamespace(**vars(FlatFaceAnalyzer.spec) | {"action_unit_thresholds": {"AU04": 0.95}})
    metrics = metrics_by_name(evaluate_au_teacher(analyzer, open_sets))
    assert metrics["FairFace val: F1 AU04"].value == 0
    assert metrics["FairFace val: F1 AU12"].value == 1
    assert metrics["FairFace val: AUC AU04"].value == 1

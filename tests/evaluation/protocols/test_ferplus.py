# SPDX-License-Identifier: Apache-2.0
"""FER+: every task, and the sum of the tasks."""

from pathlib import Path

import numpy as np
import pytest

from mien.affect import Analyzer
from mien.core import ConfigError
from mien.datasets import load_votes, majority, plurality
from mien.evaluation import evaluate
from mien.evaluation.protocols.ferplus import evaluate_ferplus_mtl
from tests.helpers.open_face_sets import ExpressionOnlyAnalyzer, FlatFaceAnalyzer, metrics_by_name


def test_p_mtl_is_the_sum_of_its_parts(open_sets: Path) -> None:
    report = evaluate_ferplus_mtl(FlatFaceAnalyzer(), open_sets)
    metrics = metrics_by_name(report)
    assert metrics["P_MTL"].value == pytest.approx(sum(metrics[name].value for name in ("P_VA", "P_EXPR", "P_AU")))
    assert metrics["P_EXPR"].value == pytest.approx(2 / 8)  # both expressions that occur, of eight
    votes = evaluate("ferplus", FlatFaceAnalyzer(), open_sets)
    by = metrics_by_name(votes)
    assert metrics["P_AU"].value == by["mean AU F1 against the teacher"].value
    assert metrics["P_VA"].value == pytest.approx((by["CCC valence"].value + by["CCC arousal"].value) / 2)
    assert metrics["P_MTL"].low < metrics["P_MTL"].value < metrics["P_MTL"].high
    with pytest.raises(ConfigError, match="does not have all three tasks"):
        evaluate_ferplus_mtl(ExpressionOnlyAnalyzer(), open_sets)


def test_rules_for_the_target() -> None:
    votes = np.array(
        [
            [5, 5, 0, 0, 0, 0, 0, 0, 0, 0],  # a tie: the first; no majority
            [6, 4, 0, 0, 0, 0, 0, 0, 0, 0],
            [4, 1, 1, 1, 1, 1, 1, 0, 0, 0],  # four of ten, but the rest are single votes
            [3, 0, 0, 0, 0, 0, 0, 0, 7, 0],  # unknown wins
            [1, 1, 1, 1, 1, 1, 1, 1, 1, 1],  # nothing but single votes
        ]
    )
    assert plurality(votes).tolist() == [0, 0, 0, -1, 0]
    assert majority(votes).tolist() == [-1, 0, 0, -1, -1]


def test_the_rules_give_the_published_counts(shared_data: Path) -> None:
    votes = load_votes(shared_data / "ferplus/valid.parquet")
    assert (plurality(votes) >= 0).sum() == 3555
    assert (majority(votes) >= 0).sum() == 3191


def test_the_default_bundle_keeps_the_level_of_its_card(shared_data: Path) -> None:
    """The metrics in the bundle are those that its protocol gives."""
    analyzer = Analyzer()
    report = evaluate("ferplus", analyzer, shared_data)
    stored = {metric.name: metric for metric in analyzer.spec.metrics if " ferplus " in metric.command}
    assert {m.name for m in report.metrics} == set(stored)
    for got in report.metrics:
        assert got.value == pytest.approx(stored[got.name].value, abs=0.003), got.name
        assert got.n == stored[got.name].n

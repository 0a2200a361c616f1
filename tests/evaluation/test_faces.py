# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from mien.affect import Analyzer
from mien.datasets import load_votes, majority, plurality
from mien.evaluation import PROTOCOLS, bootstrap_metric


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


def test_interval_of_a_mean_agrees_with_theory() -> None:
    hits = np.arange(400) < 300
    result = bootstrap_metric("accuracy", 400, lambda rows: float(hits[rows].mean()))
    assert result.value == 0.75
    expected = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert result.high - result.value == pytest.approx(expected, rel=0.2)
    assert result.value - result.low == pytest.approx(expected, rel=0.2)


def test_whole_groups_are_drawn() -> None:
    """Rows of one person say the same: ten people give the interval of ten, not of a thousand rows."""
    groups = np.repeat(np.arange(10), 100)
    hits = groups < 5
    alone = bootstrap_metric("accuracy", 1000, lambda rows: float(hits[rows].mean()))
    together = bootstrap_metric("accuracy", 1000, lambda rows: float(hits[rows].mean()), groups=groups)
    assert together.high - together.low > 5 * (alone.high - alone.low)


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_every_protocol_names_a_function(name: str) -> None:
    assert callable(PROTOCOLS.load(name))


def test_the_default_bundle_keeps_the_level_of_its_card(shared_data: Path) -> None:
    """The figures in the bundle are those that its protocol gives."""
    analyzer = Analyzer()
    report = PROTOCOLS.load("ferplus")(analyzer, shared_data)
    stored = {metric.name: metric for metric in analyzer.spec.metrics if metric.data == report.data}
    assert {m.name for m in report.metrics} == set(stored)
    for got in report.metrics:
        assert got.value == pytest.approx(stored[got.name].value, abs=0.003), got.name
        assert got.n == stored[got.name].n

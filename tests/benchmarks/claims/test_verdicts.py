# SPDX-License-Identifier: Apache-2.0
"""Paired differences, verdicts, and results that are computed once."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_rel

from benchmarks.claims.verdicts import Difference, KeptResults, paired, spread


def test_the_interval_is_that_of_a_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.5, 0.1, 5).tolist(), rng.normal(0.4, 0.1, 5).tolist()
    found, expected = paired(first, second), ttest_rel(first, second).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    with pytest.raises(ValueError, match="the same two or more seeds"):
        paired([1.0], [2.0])


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(0.1, 0.2, "supported"), (-0.2, -0.1, "not supported"), (-0.1, 0.2, "undecided")]
)
def test_verdicts(low: float, high: float, verdict: str) -> None:
    assert Difference((low + high) / 2, low, high, 5).verdict == verdict


def test_results_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = KeptResults(tmp_path / "new" / "kept.json")
    assert kept.get("a", lambda: {"F1": 0.5}) == {"F1": 0.5}
    again = KeptResults(tmp_path / "new" / "kept.json")
    assert again.get("a", lambda: pytest.fail("computed twice")) == {"F1": 0.5}
    assert capsys.readouterr().out == "a: F1 0.5000\n"
    assert spread([0.5, 0.7]) == "0.600 (0.141)"

# SPDX-License-Identifier: Apache-2.0
"""Mean, deviation and percentiles of values that come in pieces."""

import numpy as np
import pytest

from mien.results.summaries.distribution import EXACT_ROWS, PERCENTILES, distribution


@pytest.mark.parametrize("n", [0, 1, 2, EXACT_ROWS, EXACT_ROWS + 1, 3 * EXACT_ROWS + 5])
@pytest.mark.parametrize("kind", ["wide", "coarse", "positive", "constant"])
def test_pieces_give_what_numpy_gives_for_all_values(n: int, kind: str) -> None:
    rng = np.random.default_rng(n)
    values = rng.normal(0, 0.4, n).astype(np.float32)
    if kind == "coarse":
        values = np.round(values, 1)  # with -0 and 0
    elif kind != "wide":
        values = np.abs(values) * np.float32(kind == "positive")
    before = values.copy()
    found = distribution("v", np.split(values, np.sort(rng.integers(0, n + 1, 5))))
    assert values.tobytes() == before.tobytes()
    exact = values.astype(np.float64)
    assert found["v_mean"] == (pytest.approx(exact.mean(), rel=1e-12) if n else None)
    assert found["v_sd"] == (pytest.approx(exact.std(ddof=1), rel=1e-12) if n > 1 else None)
    percentiles = [found[f"v_p{p:02d}"] for p in PERCENTILES] if n else []
    assert percentiles == pytest.approx(np.percentile(exact, PERCENTILES).tolist() if n else [], rel=1e-14, abs=0)


def test_the_lengths_of_the_pieces_do_not_matter() -> None:
    values = np.random.default_rng(0).uniform(-1, 1, 2 * EXACT_ROWS + 9).astype(np.float32)
    assert distribution("v", np.split(values, [3, 70, EXACT_ROWS + 11])) == distribution("v", [values])

# SPDX-License-Identifier: Apache-2.0
"""Bootstrap intervals: against theory, of whole groups, and of pooled groups against drawn rows."""

import numpy as np
import pytest

from mien.evaluation import bootstrap_group_metric, bootstrap_metric
from mien.metrics import Moments, ccc

# SPDX-License-Identifier: Apache-2.0


def test_resampling_groups_agrees_with_drawing_their_rows() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), rng.integers(3, 30, 12))
    x = rng.normal(size=len(groups)) + groups / 6
    y = 0.6 * x + rng.normal(size=len(groups))
    moments = Moments.of(x, y, groups=groups)
    quick = bootstrap_group_metric("CCC", len(x), lambda w: moments.pooled(w).ccc[:, 0], 12)
    slow = bootstrap_metric("CCC", len(x), lambda rows: ccc(x[rows], y[rows]), groups=groups)
    assert quick.value == pytest.approx(slow.value, abs=1e-12)
    # The same estimator with other random draws: the ends agree up to the noise of 1000 resamples.
    assert quick.low == pytest.approx(slow.low, abs=0.04)
    assert quick.high == pytest.approx(slow.high, abs=0.04)


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

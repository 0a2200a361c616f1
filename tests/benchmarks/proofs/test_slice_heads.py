# SPDX-License-Identifier: Apache-2.0
"""The metrics on bootstrap counts are those of mien."""

import numpy as np
import pytest

from mien.metrics import LabelCounts, Moments


def test_metrics_on_counts_are_those_of_mien() -> None:
    pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")
    from benchmarks.proofs.slice_heads import concordance_of, f1_of

    rng = np.random.default_rng(0)
    once = np.ones((1, 60))
    x, y = rng.normal(size=(2, 60, 2))
    assert concordance_of(x, y)(once)[0] == pytest.approx(float(Moments.of(x, y).ccc.mean()), abs=1e-12)
    present, guess = rng.random((2, 60, 4)) < 0.4
    everything = np.ones_like(present)
    assert f1_of(present, guess, everything)(once)[0] == pytest.approx(LabelCounts.of_flags(present, guess).macro_f1)
    twice = np.concatenate([np.full((1, 30), 2.0), np.zeros((1, 30))], axis=1)
    half = LabelCounts.of_flags(present[:30], guess[:30]).macro_f1
    assert f1_of(present, guess, everything)(twice)[0] == pytest.approx(half)

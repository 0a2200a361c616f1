# SPDX-License-Identifier: Apache-2.0
"""The probe of unlike faces, and the shares of random halves that lie within the binomial band."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from benchmarks.trust.uncertainty import coverage_of_splits, fit_probe
from mien.core import EXPRESSIONS

RNG = np.random.default_rng(0)


def test_a_probe_flags_others_and_few_of_the_known() -> None:
    known, others = RNG.normal(0, 1, (600, 12)), RNG.normal(0, 1, (200, 12)) + 2.5 * np.eye(12)[0]
    held_out = [RNG.normal(0, 1, (800, 12)).astype(np.float32) for _ in range(2)]
    probe = fit_probe(known.astype(np.float32), others.astype(np.float32), held_out, "")
    new = (RNG.normal(0, 1, (400, 12)) + 2.5 * np.eye(12)[0]).astype(np.float32)
    assert (probe(new) >= probe.limit).mean() > 0.6
    assert max((probe(each) >= probe.limit).mean() for each in held_out) == pytest.approx(0.05, abs=0.01)


def test_random_halves_cover_every_class() -> None:
    targets = RNG.integers(0, 8, 2400)
    probabilities = RNG.dirichlet(np.ones(8), 2400)
    probabilities[np.arange(2400), targets] += RNG.random(2400)
    probabilities = (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)
    found = coverage_of_splits(probabilities, targets, (probabilities[:0], targets[:0]))
    assert list(found) == list(EXPRESSIONS)
    assert all(0.88 < mean < 0.94 for mean, _ in found.values())
    assert all(inside > 0.6 for _, inside in found.values())

# SPDX-License-Identifier: Apache-2.0
"""The fit of hidden faces recovers how much of the recall was left, and what shows it."""

import numpy as np
import pytest

from benchmarks.hidden_faces import HiddenCopies, fit_unit, recall_left, targets
from mien.core import Float64
from mien.evaluation.hiding import HIDING
from mien.faces import SIGNALS, HidingUnit

N_EACH = 6000


def made_up() -> tuple[HiddenCopies, Float64]:
    """Copies of which a mosaic leaves a share that grows with what is seen, other ways one half, and their shares."""
    rng = np.random.default_rng(0)
    ways = np.repeat(["plain", *HIDING], N_EACH)
    truth = np.tile(np.arange(N_EACH) % 8, len(ways) // N_EACH)
    seen = np.where(ways == "plain", np.nan, rng.normal(0, 1, len(ways)))
    left = np.where(ways == "plain", 1.0, np.where(ways == "mosaic", 1 / (1 + np.exp(-2 * seen)), 0.5))
    # A network is right on all plain faces, and says "neutral" where it sees nothing.
    predicted = np.where(rng.random(len(ways)) < left, truth, 0)
    features = np.column_stack([left + rng.normal(0, 0.02, len(ways)), rng.normal(0, 1, len(ways))])
    features[np.isin(ways, ["mask", "hand", "sunglasses", "bar"]), 0] = 1.0
    signals = np.zeros((len(ways), len(SIGNALS)), np.float32) + rng.normal(0, 1, (len(ways), 1)).astype(np.float32)
    copies = HiddenCopies(
        ways=ways,
        seen=seen,
        signals=signals,
        features=features.astype(np.float32),
        predicted=predicted.astype(np.intp),
        votes=np.eye(8)[truth],
    )
    return copies, left


def test_the_share_of_the_recall_by_degree_is_found() -> None:
    copies, left = made_up()
    told = targets(copies, recall_left(copies))
    for way in ("plain", "mosaic", "blur", "mask"):
        rows = copies.ways == way
        np.testing.assert_allclose(told[rows], left[rows], atol=0.08)


def test_the_unit_of_detail_reads_the_share_from_the_embedding_and_leaves_covers() -> None:
    copies, left = made_up()
    unit = HidingUnit(fit_unit(copies, left, "detail"))
    values = unit(copies.signals, copies.features)
    mosaic = copies.ways == "mosaic"
    assert np.corrcoef(values[mosaic], left[mosaic])[0, 1] > 0.9
    assert values[copies.ways == "plain"].mean() > 0.85
    assert values[copies.ways == "mask"].mean() > 0.85
    assert unit.factor(np.array([0.0, 1.0], np.float32)).tolist() == pytest.approx([0.5, 1.0])

# SPDX-License-Identifier: Apache-2.0
"""Smoothing of action units: the notebook's slip written out, and what a correct filter does to simulated tracks."""

import numpy as np
import pytest

from benchmarks.proofs.unit_smoothing import FILTERS, degrade, mean_f1, simulate, undivided_sums


def test_the_notebooks_sums_are_not_divided() -> None:
    values = np.random.default_rng(0).random((30, 2))
    expected = np.zeros_like(values)
    for i in range(30):
        for j in range(max(0, i - 4), min(30, i + 5)):
            expected[i] += np.exp(-((j - i) ** 2) / 1e5) * values[j]
    assert undivided_sums(values, 4) == pytest.approx(expected, abs=1e-9)
    assert undivided_sums(values, 0) == pytest.approx(values)


def test_pitfall_21_a_correct_filter_gains_and_the_slip_alone_hurts() -> None:
    tracks = [simulate(0, n_frames=1500), simulate(1, n_frames=1500)]
    start = mean_f1(tracks, FILTERS["box mean"], 0)
    assert all(mean_f1(tracks, smooth, 0) == start for smooth in FILTERS.values())
    for name in ("box mean", "gaussian kernel"):
        assert mean_f1(tracks, FILTERS[name], 3) > start + 0.01
    tuned = [mean_f1(tracks, FILTERS["box mean"], d, tuned=True) for d in (0, 3)]
    assert tuned[0] >= start
    assert tuned[1] > tuned[0] + 0.01
    slip = [mean_f1(tracks, FILTERS["kernel without the division"], d) for d in (0, 1, 3, 10)]
    assert slip == sorted(slip, reverse=True)
    assert slip[1] < start - 0.05


def test_a_filter_longer_than_the_units_last_hurts() -> None:
    tracks = [simulate(2, n_frames=1500, mean_frames=8)]
    assert mean_f1(tracks, FILTERS["box mean"], 50) < mean_f1(tracks, FILTERS["box mean"], 0)


def test_a_degraded_face_is_small_and_another_in_every_frame() -> None:
    face = np.random.default_rng(0).integers(0, 256, (90, 80, 3), dtype=np.uint8)
    rng = np.random.default_rng(1)
    first, second = degrade(face, rng), degrade(face, rng)
    assert first.shape == second.shape == (20, 20, 3)
    assert (first != second).any()

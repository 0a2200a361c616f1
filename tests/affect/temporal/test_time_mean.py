# SPDX-License-Identifier: Apache-2.0
"""Means over milliseconds from their closed form equal those of a timeline with every millisecond."""

import numpy as np
import pytest

from mien.affect import Smoothing, box_mean, fill_gaps, hold_through_gaps, smooth_tracks
from mien.affect.temporal.time_mean import TimeMean, mean_over_time
from mien.core import ConfigError


@pytest.mark.parametrize("causal", [False, True])
def test_the_closed_form_is_the_mean_of_every_millisecond(*, causal: bool) -> None:
    rng = np.random.default_rng(3)
    fill = hold_through_gaps if causal else fill_gaps
    for width in (1, 7, 40, 400):
        times = np.cumsum(rng.integers(1, 90, 50))
        values = rng.random((50, 3))
        every = np.arange(times[0], times[-1] + 1)
        expected = box_mean(fill(times, values, every), width, causal=causal)[times - times[0]]
        np.testing.assert_allclose(mean_over_time(times, values, times, width, causal=causal), expected, atol=1e-12)
        one = TimeMean(width, causal=causal)
        parts = [one.add(times[rows], values[rows]) for rows in np.array_split(np.arange(50), 9)]
        np.testing.assert_allclose(np.concatenate([*parts, one.finish()]), expected, atol=1e-12)


def test_a_track_of_many_hours_with_a_long_gap_takes_no_timeline() -> None:
    times = np.array([0, 40, 80, 3_600_000_000])
    values = np.array([[0.0], [1.0], [0.0], [1.0]])
    smoothed = smooth_tracks(np.zeros(4, int), times, values, 400, Smoothing.parse("0.4s"))
    # A triangle of 40 ms in windows that begin with the track.
    assert smoothed[:3].ravel() == pytest.approx([40 / 401, 40 / 441, 40 / 481], abs=1e-4)
    assert smoothed[3, 0] == pytest.approx(1, abs=1e-4)


def test_times_ascend() -> None:
    with pytest.raises(ConfigError, match="must ascend"):
        mean_over_time(np.array([0, 0]), np.zeros((2, 1)), np.array([0]), 1)
    assert TimeMean(5).add(np.empty(0, np.int64), np.empty((0, 2))).shape == (0, 2)

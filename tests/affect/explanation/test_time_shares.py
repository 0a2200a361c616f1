# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from mien.affect import time_shares
from mien.core import ConfigError

TIMES = np.arange(10) / 10


def test_shares_of_the_two_bursts_follow_their_sums() -> None:
    values = np.full(10, 0.1)
    values[2:4], values[7] = 0.5, 0.3
    mean, usual, stretches = time_shares(TIMES, values)
    assert (mean, usual) == (pytest.approx(0.2), pytest.approx(0.1))
    assert [(one.first_s, one.last_s, one.n_frames) for one in stretches] == [(0.2, 0.3, 2), (0.7, 0.7, 1)]
    assert [one.share for one in stretches] == [pytest.approx(0.8), pytest.approx(0.2)]


def test_a_mean_below_the_usual_level_is_explained_by_the_low_frames() -> None:
    values = np.full(10, 0.5)
    values[4:6] = -0.5
    _, _, stretches = time_shares(TIMES, values)
    assert [(one.first_s, one.last_s, one.share) for one in stretches] == [(0.4, 0.5, 1.0)]


def test_constant_values_have_no_stretch_and_lost_frames_do_not_count() -> None:
    assert time_shares(TIMES, np.full(10, 0.5))[2] == []
    values = np.array([0.1, np.nan, 0.9, 0.1, 0.1])
    assert time_shares(TIMES[:5], values)[2][0].n_frames == 1


def test_nothing_to_explain_is_an_error() -> None:
    with pytest.raises(ConfigError):
        time_shares(TIMES, np.full(10, np.nan))
    with pytest.raises(ConfigError):
        time_shares(TIMES, np.zeros(3))

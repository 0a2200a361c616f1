# SPDX-License-Identifier: Apache-2.0
"""Half-widths in seconds: their text, and what they mean at any frame rate."""

from __future__ import annotations

import numpy as np
import pytest

from mien.affect import Smoothing, smooth_tracks
from mien.affect.temporal.smoothing_text import in_milliseconds
from mien.core import ConfigError


def test_a_time_alone_is_for_all_three_tasks():
    settings = Smoothing.parse("0.4s")
    assert (settings.expr, settings.va, settings.au, settings.window) == (400, 400, 400, "milliseconds")
    assert Smoothing.parse(str(settings)) == settings
    assert Smoothing.parse("0.4s,causal=true").causal


def test_settings_in_frames_are_left_as_they_are():
    assert in_milliseconds("expr=50,window=rows") == ("expr=50,window=rows", False)
    assert Smoothing.parse("expr=50").window == "frames"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("expr=0.4s,va=10", "all in frames"),
        ("expr=0.4s,window=rows", "no other window"),
        ("au=0.0001s", "at least 0.001s"),
        ("expr=s", "must be a number"),
        ("expr=-1s", "must be a number"),
        ("expr=infs", "must be a number"),
        ("expr=1e9s", "must be a number"),
        ("expr=99999s", "must be from 0 to"),
    ],
)
def test_times_that_make_no_sense_are_named(text: str, reason: str):
    with pytest.raises(ConfigError, match=reason):
        Smoothing.parse(text)


def _smoothed(fps: float, text: str) -> dict[int, float]:
    """A step from 0 to 1 at one second, smoothed at a frame rate: milliseconds -> value."""
    settings = Smoothing.parse(text)
    times = np.arange(0.0, 2.0, 1 / fps)
    positions = settings.positions(np.arange(len(times)), times)
    values = (times >= 1.0).astype(float)[:, None]
    rows = smooth_tracks(np.zeros(len(times)), positions, values, settings.expr, settings)
    return dict(zip(positions.tolist(), rows[:, 0].tolist(), strict=True))


def test_a_time_means_the_same_at_any_frame_rate():
    slow, fast = _smoothed(25, "expr=0.2s"), _smoothed(50, "expr=0.2s")
    shared = slow.keys() & fast.keys()
    assert len(shared) == 50
    assert max(abs(slow[at] - fast[at]) for at in shared) < 0.03
    # A filter by frames does not: 5 frames are 0.2 s at 25 frames/s and 0.1 s at 50.
    slow, fast = _smoothed(25, "expr=5"), _smoothed(50, "expr=5")
    assert abs(slow[27] - fast[54]) > 0.1


def test_frames_close_in_time_do_not_weigh_more():
    settings = Smoothing.parse("expr=0.1s")
    times = [0.0, 0.1, 0.2, 0.201, 0.202, 0.203, 0.3]
    values = [[0.0], [0.0], [1.0], [1.0], [1.0], [1.0], [1.0]]
    positions = settings.positions(np.arange(len(times)), times)
    rows = smooth_tracks(np.zeros(len(times)), positions, values, settings.expr, settings)
    # Around 0.1 s: 0 for 0.1 s, then a ramp to 1 over 0.1 s, so a quarter; by rows it would be 1/3.
    assert rows[1, 0] == pytest.approx(0.25, abs=0.005)


def test_lists_of_frames_without_times_refuse_seconds():
    with pytest.raises(ConfigError, match="give half-widths in frames"):
        Smoothing.parse("expr=0.4s").sample(np.zeros((3, 1)), 400, np.arange(3))

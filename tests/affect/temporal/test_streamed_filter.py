# SPDX-License-Identifier: Apache-2.0
"""Rows that come block by block are filtered as those of a whole track."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.affect import Smoothing, StreamedFilter, box_mean, fill_gaps, smooth_tracks
from mien.affect.temporal import streamed_filter
from mien.core import ConfigError


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 999),
    n=st.integers(1, 60),
    half_width=st.integers(0, 7),
    kernel=st.sampled_from(("mean", "median", "gaussian")),
    causal=st.booleans(),
    window=st.sampled_from(("frames", "rows")),
    n_rows=st.integers(1, 70),
    block=st.sampled_from((1, 3, 1000)),
)
def test_blocks_give_what_the_whole_gives(
    seed: int, n: int, half_width: int, kernel: str, causal: bool, window: str, n_rows: int, block: int
) -> None:
    rng = np.random.default_rng(seed)
    frames = np.cumsum(rng.choice([1, 1, 1, 2, 9], n))
    values = rng.normal(size=(n, 2))
    about = {"kernel": kernel, "window": window, "causal": causal}
    chosen = Smoothing(expr=half_width, sigma=20.0, **about)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(streamed_filter, "_FRAMES_A_BLOCK", block)
        one = StreamedFilter(half_width, chosen)
        found = [one.add(frames[at : at + n_rows], values[at : at + n_rows]) for at in range(0, n, n_rows)]
        got = np.concatenate([*found, one.finish()])
    if half_width:
        assert np.array_equal(got, smooth_tracks(np.zeros(n, int), frames, values, half_width, chosen))
    else:
        assert got == pytest.approx(values)


def test_wanted_frames_before_the_first_known_one_and_after_the_last() -> None:
    known, values, timeline = np.array([3, 6]), np.array([[1.0], [4.0]]), np.arange(10)
    expected = box_mean(fill_gaps(known, values, timeline), 2)
    one = StreamedFilter(2, Smoothing(expr=2))
    nothing = np.empty((0, 1))
    assert not len(one.add(known[:0], nothing, timeline[:2]))
    found = [one.add(known[:1], values[:1], timeline[2:4]), one.add(known[1:], values[1:], timeline[4:8], closed=True)]
    assert len(np.concatenate(found)) == 6, "all that is not near the end is done"
    found += [one.add(known[:0], nothing, timeline[8:], closed=True), one.finish()]
    assert np.array_equal(np.concatenate(found), expected)


def test_memory_holds_the_window_only() -> None:
    one = StreamedFilter(3, Smoothing(va=3))
    for start in range(0, 200_000, 5000):
        one.add(np.arange(start, start + 5000), np.ones((5000, 1)))
    assert len(one._rows) < 20
    one.add(np.array([2_000_000]), np.ones((1, 1)))  # a long gap
    assert len(one._rows) < 20


def test_a_track_longer_than_any_video_is_refused() -> None:
    one = StreamedFilter(1, Smoothing(va=1))
    with pytest.raises(ConfigError, match="longer than any video"):
        one.add(np.array([0, 10**9]), np.ones((2, 1)))
    again = StreamedFilter(1, Smoothing(va=1))
    again.add(np.array([4]), np.ones((1, 1)))
    with pytest.raises(ConfigError, match="must ascend"):
        again.add(np.array([4]), np.ones((1, 1)))

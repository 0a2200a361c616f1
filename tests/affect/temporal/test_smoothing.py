# SPDX-License-Identifier: Apache-2.0
"""Filters of one track against slow, literal references; pitfalls are those of the specification, section 7."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from mien.affect import (
    Smoothing,
    box_mean,
    box_median,
    fill_gaps,
    gaussian_mean,
    hold_through_gaps,
    smooth_tracks,
)
from mien.core import ConfigError

WIDTHS = st.integers(0, 9)
SIZES = st.integers(1, 25)


def _series(n: int, columns: int = 3) -> np.ndarray:
    return np.random.default_rng(n).uniform(size=(n, columns))


def test_box_mean_golden_value() -> None:
    assert box_mean([0, 0, 9, 0, 0], 1).tolist() == [0, 3, 3, 3, 0]


@given(SIZES, WIDTHS)
def test_box_filters_clip_their_windows(n: int, d: int) -> None:
    series = _series(n)
    windows = [series[max(i - d, 0) : i + d + 1] for i in range(n)]
    assert box_mean(series, d) == pytest.approx(np.array([w.mean(axis=0) for w in windows]), abs=1e-12)
    assert np.array_equal(box_median(series, d), np.array([np.median(w, axis=0) for w in windows]))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("d", [3, 4])
def test_box_median_of_windows_of_either_parity_with_and_without_nan(d: int, causal: bool) -> None:
    series = _series(40)
    series[[11, 12, 30], [0, 0, 2]] = np.nan
    windows = [series[max(i - d, 0) : i + (0 if causal else d) + 1] for i in range(len(series))]
    expected = np.array([np.median(window, axis=0) for window in windows])
    assert np.isnan(expected).any()
    assert np.array_equal(box_median(series, d, causal=causal), expected, equal_nan=True)


@given(SIZES, WIDTHS)
def test_causal_filters_see_no_later_frame(n: int, d: int) -> None:
    series = _series(n)
    changed = series.copy()
    changed[n // 2 + 1 :] = 7
    for got, other in (
        (box_mean(series, d, causal=True), box_mean(changed, d, causal=True)),
        (box_median(series, d, causal=True), box_median(changed, d, causal=True)),
        (
            gaussian_mean(series, np.arange(n), d, 50, causal=True),
            gaussian_mean(changed, np.arange(n), d, 50, causal=True),
        ),
    ):
        assert np.array_equal(got[: n // 2 + 1], other[: n // 2 + 1])


@given(SIZES, WIDTHS)
def test_gaussian_mean_is_its_formula_on_true_frame_numbers(n: int, d: int) -> None:
    series = _series(n)
    frames = np.cumsum(np.random.default_rng(n).integers(1, 9, n))
    expected = np.empty_like(series)
    for i in range(n):
        near = np.arange(max(i - d, 0), min(i + d, n - 1) + 1)
        k = np.exp(-((frames[near] - frames[i]) ** 2.0) / 37.0)
        expected[i] = k @ series[near] / k.sum()
    assert gaussian_mean(series, frames, d, 37.0) == pytest.approx(expected, abs=1e-12)


def test_gaussian_mean_agrees_with_scipy_away_from_the_ends() -> None:
    series = _series(200, 1)[:, 0]
    # sigma divides the squared distance: it is twice the variance that SciPy asks for.
    reference = ndimage.gaussian_filter1d(series, np.sqrt(18.0 / 2), radius=12)
    assert gaussian_mean(series, np.arange(200), 12, 18.0)[20:-20] == pytest.approx(reference[20:-20], abs=1e-12)


def test_gaps_are_filled_head_and_tail_copied() -> None:
    filled = fill_gaps([2, 4, 8], [[1.0], [3.0], [-1.0]], np.arange(11))
    assert filled[:, 0].tolist() == [1, 1, 1, 2, 3, 2, 1, 0, -1, -1, -1]


def test_fill_gaps_agrees_with_numpy_interp() -> None:
    rng = np.random.default_rng(2)
    frames = np.sort(rng.choice(400, 60, replace=False))
    values = rng.normal(size=(60, 4))
    timeline = np.arange(-5, 410)
    expected = np.stack([np.interp(timeline, frames, values[:, k]) for k in range(4)], axis=1)
    assert fill_gaps(frames, values, timeline) == pytest.approx(expected, abs=1e-12)


def test_pitfall_19_interpolate_then_filter_then_decide() -> None:
    frames, probabilities = np.array([0, 1, 4]), np.array([[0.9, 0.1], [0.2, 0.8], [0.45, 0.55]])
    dense = fill_gaps(frames, probabilities, np.arange(5))
    wide = box_mean(dense, 4)
    assert wide.sum(axis=1) == pytest.approx(1)
    assert wide.argmax(axis=1).tolist() == [1] * 5
    assert wide[0, 0] == pytest.approx((0.9 + 0.2 + 0.85 / 3 + 1.1 / 3 + 0.45) / 5)
    # A filter that only saw the rows in the table would decide otherwise.
    assert box_mean(probabilities, 4).argmax(axis=1).tolist() == [0] * 3


def test_pitfall_20_the_gaussian_window_is_symmetric_and_its_first_element_counts() -> None:
    impulse = np.zeros(21)
    impulse[10] = 1
    response = gaussian_mean(impulse, np.arange(21), 3, 1e5)
    assert np.array_equal(response, response[::-1])
    assert np.flatnonzero(response).tolist() == [7, 8, 9, 10, 11, 12, 13]


def test_pitfall_21_every_column_is_normalised() -> None:
    ones = np.ones((30, 22))
    assert gaussian_mean(ones, np.arange(30), 5, 10.0) == pytest.approx(ones, abs=1e-12)
    for kernel in ("mean", "median", "gaussian"):
        smoothed = smooth_tracks(np.zeros(30, int), np.arange(30), ones, 4, Smoothing(au=4, kernel=kernel))
        assert smoothed == pytest.approx(ones, abs=1e-12)


def test_pitfall_24_the_weight_belongs_to_the_earlier_frame() -> None:
    assert fill_gaps([10, 20], [[1.0], [0.0]], [12])[0, 0] == pytest.approx(0.8)


def test_pitfall_20_tracks_that_merely_adjoin_never_mix() -> None:
    tracks, frames = np.repeat([3, 7, 9], 5), np.tile(np.arange(5), 3)
    values = tracks[:, None].astype(float)
    assert np.array_equal(smooth_tracks(tracks, frames, values, 50, Smoothing()), values)


@pytest.mark.parametrize("causal", [False, True])
def test_rows_may_stand_in_any_order_and_lost_frames_count(causal: bool) -> None:
    rng = np.random.default_rng(4)
    frames = np.array([0, 1, 2, 6, 7, 0, 3, 4])
    tracks = np.array([1, 1, 1, 1, 1, 2, 2, 2])
    values = rng.uniform(size=(8, 2))
    settings = Smoothing(causal=causal)
    order = rng.permutation(8)
    got = np.empty_like(values)
    got[order] = smooth_tracks(tracks[order], frames[order], values[order], 2, settings)
    fill = hold_through_gaps if causal else fill_gaps
    for track in (1, 2):
        own = tracks == track
        timeline = np.arange(frames[own][0], frames[own][-1] + 1)
        expected = box_mean(fill(frames[own], values[own], timeline), 2, causal=causal)
        assert got[own] == pytest.approx(expected[frames[own] - timeline[0]], abs=1e-12)


def test_untracked_and_unmeasured_rows_stay_as_they_are() -> None:
    values = np.array([[0.0], [np.nan], [6.0], [9.0]])
    got = smooth_tracks(np.array([0, 0, 0, -1]), np.array([0, 1, 2, 0]), values, 1, Smoothing())
    # The unmeasured frame is interpolated to 3 for its neighbours.
    assert got[[0, 2, 3], 0].tolist() == [1.5, 4.5, 9.0]
    assert np.isnan(got[1, 0])


def test_a_window_of_rows_counts_positions_in_a_list_and_not_frames() -> None:
    """Item 7: white noise on every 10th frame, d = 10 with the kernel of the 7th ABAW."""
    frames = np.arange(1, 4000, 10)
    noise = np.random.default_rng(0).normal(size=(len(frames), 50))
    tracks = np.zeros(len(frames), int)
    deviation = {}
    for window in ("frames", "rows"):
        settings = Smoothing(va=10, kernel="gaussian", sigma=1e5, window=window)
        deviation[window] = smooth_tracks(tracks, frames, noise, settings.va, settings).std()
    assert deviation["frames"] == pytest.approx(0.61, abs=0.02)
    assert deviation["rows"] == pytest.approx(0.22, abs=0.03)
    expected = gaussian_mean(noise, frames, 10, 1e5)
    settings = Smoothing(va=10, kernel="gaussian", window="rows")
    assert smooth_tracks(tracks, frames, noise, 10, settings) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kernel", ["mean", "median", "gaussian"])
@pytest.mark.parametrize("window", ["frames", "rows"])
def test_rows_of_a_list_are_sampled_in_any_order(window: str, kernel: str) -> None:
    dense = _series(60)
    rows = np.array([40, 0, 20, 20, 10])
    settings = Smoothing.parse(f"va=1,kernel={kernel},window={window}")
    listed = np.array([0, 10, 20, 40])
    if window == "frames":
        expected = settings.filter(dense, 1)[rows]
    else:
        expected = settings.filter(dense[listed], 1, listed)[np.searchsorted(listed, rows)]
    assert settings.sample(dense, 1, rows) == pytest.approx(expected)
    assert np.array_equal(settings.sample(dense, 0, rows), dense[rows])


def test_settings_are_read_from_text() -> None:
    assert Smoothing.parse(str(Smoothing(va=1, window="rows"))) == Smoothing(va=1, window="rows")
    assert "window" not in str(Smoothing(va=1))
    assert Smoothing.parse("expr=50,va=50,au=3") == Smoothing(expr=50, va=50, au=3)
    text = "expr=50, va=10, kernel=gaussian, sigma=1e5, causal=true"
    assert Smoothing.parse(text) == Smoothing(expr=50, va=10, kernel="gaussian", sigma=1e5, causal=True)


@pytest.mark.parametrize(
    "text",
    ["", "expr", "expr=", "expr=-1", "expr=2.5", "fps=3", "au=1,au=2", "kernel=box", "causal=1", "sigma=0", "window=x"],
)
def test_settings_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Smoothing.parse(text)


def test_what_is_no_track_is_refused() -> None:
    with pytest.raises(ConfigError, match="ascend"):
        fill_gaps([1, 1], [[0.0], [1.0]], [1])
    with pytest.raises(ConfigError, match="two rows of frame 3"):
        smooth_tracks(np.array([1, 1]), np.array([3, 3]), np.zeros((2, 1)), 2, Smoothing())
    with pytest.raises(ConfigError, match="longer than any video"):
        smooth_tracks(np.array([1, 1]), np.array([0, 10**12]), np.zeros((2, 1)), 2, Smoothing())
    with pytest.raises(ConfigError, match="from 0 to 1,000,000"):
        box_mean([1.0], -1)
    with pytest.raises(ConfigError, match="sigma"):
        gaussian_mean([1.0], [0], 1, 0)


def test_smoothed_probabilities_stay_probabilities() -> None:
    values = np.random.default_rng(0).choice([0.0, 0.3, 1.0], (2000, 4))
    values[1500:, 0], values[1500:, 1] = 0.0, 1.0  # long sums round, and the window holds one value alone
    for half_width in (0, 1, 10):
        smoothed = box_mean(values, half_width)
        assert smoothed.min() >= 0
        assert smoothed.max() <= 1
    assert box_mean(np.zeros((0, 3)), 2).shape == (0, 3)
    gap = box_mean([0.1, np.nan, 0.3], 1)
    assert np.isnan(gap[1])

# SPDX-License-Identifier: Apache-2.0
"""Filters of one track: gaps filled or held, and means, medians and Gaussian means over a window."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mien.core import MAX_STRIDE, ConfigError, Float64, Indices, Integers, check_number

_MEDIAN_NUMBERS_PER_BLOCK = 4_000_000
_MAX_TIMELINE = 20_000_000


def fill_gaps(frames: npt.ArrayLike, values: npt.ArrayLike, timeline: npt.ArrayLike) -> Float64:
    """The values of one track on every frame of a timeline, with gaps interpolated.

    Between two known frames the interpolation is linear: for t between a (earlier) and b (later) the value is
    ``w value_a + (1 - w) value_b`` with ``w = 1 - (t - a) / (b - a)``. Frames before the first known one copy the
    first value, frames after the last one copy the last.

    Args:
        frames: (N,) strictly ascending frame numbers, N >= 1.
        values: (N, D) finite numbers.
        timeline: (T,) frame numbers to fill, in any order.

    Returns:
        (T, D).

    Raises:
        ConfigError: Shapes do not fit, the frames do not ascend, or there is none.

    Examples:
        >>> fill_gaps([2, 4], [[1.0], [3.0]], [1, 2, 3, 4, 5]).ravel().tolist()
        [1.0, 1.0, 2.0, 3.0, 3.0]
    """
    known, rows = _track(frames, values)
    wanted = np.asarray(timeline)
    later = np.clip(np.searchsorted(known, wanted), 0, len(known) - 1)
    earlier = np.clip(np.searchsorted(known, wanted, side="right") - 1, 0, len(known) - 1)
    distance = known[later] - known[earlier]
    ahead = np.clip((wanted - known[earlier]) / np.maximum(distance, 1), 0.0, 1.0)
    weight = np.where(distance > 0, 1.0 - ahead, 1.0)[:, None]
    return np.asarray(weight * rows[earlier] + (1.0 - weight) * rows[later])


def hold_through_gaps(frames: npt.ArrayLike, values: npt.ArrayLike, timeline: npt.ArrayLike) -> Float64:
    """Like `fill_gaps` without later frames: a missing frame repeats the last value before it.

    Args:
        frames: (N,) strictly ascending frame numbers, N >= 1.
        values: (N, D) finite numbers.
        timeline: (T,) frame numbers to fill, in any order.

    Returns:
        (T, D).

    Raises:
        ConfigError: As for `fill_gaps`, or the timeline begins before the first known frame.

    Examples:
        >>> hold_through_gaps([2, 4], [[1.0], [3.0]], [2, 3, 4, 5]).ravel().tolist()
        [1.0, 1.0, 3.0, 3.0]
    """
    known, rows = _track(frames, values)
    position = np.searchsorted(known, np.asarray(timeline), side="right") - 1
    if (position < 0).any():
        raise ConfigError(f"the first known frame is {known[0]}; begin the timeline there")
    return np.asarray(rows[position])


def box_mean(values: npt.ArrayLike, half_width: int, *, causal: bool = False) -> Float64:
    """Mean over the frames i - d to i + d, clipped at the ends: the window shrinks, nothing is padded.

    No rounding takes a mean out of the range of its column: smoothed probabilities stay in [0, 1].

    Args:
        values: (T, D) or (T,) on consecutive frames.
        half_width: Number d >= 0 of frames on each side; the window has up to 2 d + 1.
        causal: Whether the window is the frames i - d to i only.

    Returns:
        The shape of ``values``, in float64.

    Raises:
        ConfigError: The half-width is negative.

    Examples:
        >>> box_mean([0, 0, 9, 0, 0], half_width=1).tolist()
        [0.0, 3.0, 3.0, 3.0, 0.0]
        >>> box_mean([0, 0, 9, 0, 0], half_width=1, causal=True).tolist()
        [0.0, 0.0, 4.5, 4.5, 0.0]
    """
    series = np.asarray(values, dtype=np.float64)
    start, stop = _windows(len(series), half_width, causal=causal)
    sums = np.zeros((len(series) + 1, *series.shape[1:]))
    np.cumsum(series, axis=0, out=sums[1:])
    taps = (stop - start).reshape(-1, *[1] * (series.ndim - 1))
    means = (sums[stop] - sums[start]) / taps
    # Differences of long sums round; the smallest and the largest value of a column so far, or of all of it, are its
    # limits, NaN aside.
    if causal:
        means = np.clip(means, np.fmin.accumulate(series), np.fmax.accumulate(series))
    elif len(series):
        means = np.clip(means, np.fmin.reduce(series), np.fmax.reduce(series))
    return np.asarray(means)


def box_median(values: npt.ArrayLike, half_width: int, *, causal: bool = False) -> Float64:
    """The median over the window of `box_mean`; NaN where the window holds one.

    Args:
        values: (T, D) or (T,) on consecutive frames.
        half_width: Number d >= 0 of frames on each side.
        causal: Whether the window is the frames i - d to i only.

    Returns:
        The shape of ``values``, in float64.

    Raises:
        ConfigError: The half-width is negative.

    Examples:
        >>> box_median([0, 0, 9, 0, 4], half_width=1).tolist()
        [0.0, 0.0, 0.0, 4.0, 2.0]
    """
    series = np.asarray(values, dtype=np.float64)
    start, stop = _windows(len(series), half_width, causal=causal)
    size = half_width + 1 if causal else 2 * half_width + 1
    result = np.empty_like(series)
    whole = np.flatnonzero(stop - start == size)
    for row in np.flatnonzero(stop - start < size):
        result[row] = np.median(series[start[row] : stop[row]], axis=0)
    if len(whole):
        windows = np.lib.stride_tricks.sliding_window_view(series, size, axis=0)
        step = max(1, _MEDIAN_NUMBERS_PER_BLOCK // (size * max(1, series[0].size)))
        for first in range(0, len(windows), step):
            block = _medians(windows[first : first + step])
            result[whole[0] + first : whole[0] + first + len(block)] = block
    return result


def _medians(windows: Float64) -> Float64:
    """Medians along the last axis.

    `numpy.median` selects several places at once to find NaN, which takes eight times as long as selecting one.
    """
    middle = windows.shape[-1] // 2
    parted = np.partition(windows, middle, axis=-1)
    medians = parted[..., middle]
    if windows.shape[-1] % 2 == 0:
        medians = (parted[..., :middle].max(axis=-1) + medians) / 2
    # NaN is sorted to the end, so only values from the middle on can be NaN.
    return np.where(np.isnan(parted[..., middle:]).any(axis=-1), np.nan, medians)


def gaussian_mean(
    values: npt.ArrayLike, frames: npt.ArrayLike, half_width: int, sigma: float, *, causal: bool = False
) -> Float64:
    """Weighted mean of the rows i - d to i + d with weights ``exp(-(f_j - f_i)^2 / sigma)`` that sum to 1.

    The window counts rows and the weights use frame numbers, so rows of selected frames need no gaps filled. Note that
    sigma divides the squared distance: it is twice a variance, in frames squared.

    Args:
        values: (T, D) or (T,).
        frames: (T,) frame numbers.
        half_width: Number d >= 0 of rows on each side.
        sigma: Divisor > 0 of the squared distance, in frames squared.
        causal: Whether the window is the rows i - d to i only.

    Returns:
        The shape of ``values``, in float64.

    Raises:
        ConfigError: The half-width is negative, sigma is not positive, or the lengths differ.

    Examples:
        >>> gaussian_mean([0, 9, 0], frames=[0, 1, 2], half_width=1, sigma=1e9).round(3).tolist()
        [4.5, 3.0, 4.5]
    """
    series, times = np.asarray(values, dtype=np.float64), np.asarray(frames, dtype=np.float64)
    if times.shape != series.shape[:1]:
        raise ConfigError(f"{len(series)} rows need as many frame numbers, got shape {times.shape}")
    if not sigma > 0:
        raise ConfigError(f"sigma must be positive, got {sigma}")
    _windows(len(series), half_width, causal=causal)
    column = (-1, *[1] * (series.ndim - 1))
    total, weights = series.copy(), np.ones(len(series))
    for offset in range(1, min(half_width, len(series) - 1) + 1):
        weight = np.exp(-((times[offset:] - times[:-offset]) ** 2) / sigma)
        shaped = weight.reshape(column)
        total[offset:] += shaped * series[:-offset]
        weights[offset:] += weight
        if not causal:
            total[:-offset] += shaped * series[offset:]
            weights[:-offset] += weight
    return np.asarray(total / weights.reshape(column))


def timeline_of(frames: Integers) -> Integers:
    """Every frame from the first to the last.

    Args:
        frames: (N,) ascending frame numbers, N >= 1.

    Raises:
        ConfigError: The span is longer than any video, so these are no frame numbers.

    Examples:
        >>> timeline_of(np.array([3, 6])).tolist()
        [3, 4, 5, 6]
    """
    first, last = int(frames[0]), int(frames[-1])
    check_span(first, last)
    return np.arange(first, last + 1)


def check_span(first: int, last: int) -> None:
    """Refuses a track that is longer than any video.

    Args:
        first: Number of its first frame.
        last: Number of its last frame.

    Raises:
        ConfigError: The span is longer than any video, so these are no frame numbers.
    """
    if last - first >= _MAX_TIMELINE:
        raise ConfigError(f"frames {first} to {last} of one track are longer than any video; check them")


def check_ascending(frames: Integers) -> None:
    """Refuses frames of a track that do not ascend.

    Args:
        frames: (N,) frame numbers, or times in milliseconds.

    Raises:
        ConfigError: A frame is not after the one before it.
    """
    if (np.diff(frames) <= 0).any():
        raise ConfigError("the frames of a track must ascend, each occurring once; sort them first")


def _windows(n: int, half_width: int, *, causal: bool) -> tuple[Indices, Indices]:
    """First row and end of the window of each row."""
    check_number("the half-width of a filter", half_width, 0, MAX_STRIDE)
    rows = np.arange(n)
    return np.maximum(rows - half_width, 0), np.minimum(rows + (0 if causal else half_width) + 1, n)


def _track(frames: npt.ArrayLike, values: npt.ArrayLike) -> tuple[Integers, Float64]:
    known, rows = np.asarray(frames), np.asarray(values, dtype=np.float64)
    if known.ndim != 1 or rows.ndim != 2 or len(known) != len(rows) or not len(known):
        raise ConfigError(f"a track has N >= 1 frames and (N, D) values, got {known.shape} and {rows.shape}")
    check_ascending(known)
    return known, rows

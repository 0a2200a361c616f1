# SPDX-License-Identifier: Apache-2.0
"""Means over time: `box_mean` on a timeline of milliseconds, computed at the frames alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mien.affect.temporal.filters import check_ascending
from mien.core import Float64, Integers


def mean_over_time(
    known: Integers,
    values: npt.ArrayLike,
    wanted: Integers,
    half_width: int,
    *,
    causal: bool = False,
    begin: int | None = None,
) -> Float64:
    """The mean of a track over every millisecond within a half-width of some times, with values between its frames.

    The result is that of `fill_gaps` (`hold_through_gaps` if causal) on every millisecond followed by `box_mean`. Sums
    between two frames have a closed form, so that the cost does not grow with the time between them.

    Args:
        known: (N,) strictly ascending times in milliseconds, N >= 1.
        values: (N, D) finite numbers.
        wanted: (M,) times from the first to the last known one.
        half_width: Milliseconds before and after each time that count.
        causal: Whether no later time counts; a value then holds until the next frame.
        begin: First time of the track, where earlier frames are left out; None for the first known one.

    Returns:
        (M, D), within the range of the values.

    Raises:
        ConfigError: The times do not ascend.

    Examples:
        >>> mean_over_time(np.array([0, 2]), [[0.0], [2.0]], np.array([0, 1, 2]), 1).ravel().tolist()
        [0.5, 1.0, 1.5]
        >>> mean_over_time(np.array([0, 2]), [[0.0], [2.0]], np.array([0, 1, 2]), 1, causal=True).ravel().tolist()
        [0.0, 0.0, 1.0]
    """
    times, rows = np.asarray(known, dtype=np.int64), np.asarray(values, dtype=np.float64)
    check_ascending(times)
    lengths = np.diff(times)
    first = int(times[0]) if begin is None else begin
    start = np.maximum(np.asarray(wanted) - half_width, first)
    stop = np.minimum(np.asarray(wanted) + (0 if causal else half_width), int(times[-1]))
    # Sum over all milliseconds up to and with each known one.
    sums = np.zeros_like(rows)
    steps = lengths[:, None].astype(np.float64)
    if causal:
        np.cumsum((steps - 1) * rows[:-1] + rows[1:], axis=0, out=sums[1:])
    else:
        np.cumsum(steps * rows[:-1] + (rows[1:] - rows[:-1]) * (steps + 1) / 2, axis=0, out=sums[1:])
    sums += rows[0]
    total = _sums_up_to(stop, times, rows, sums, causal=causal)
    before = _sums_up_to(start - 1, times, rows, sums, causal=causal)
    means = (total - before) / (stop - start + 1)[:, None]
    return np.asarray(np.clip(means, rows.min(axis=0), rows.max(axis=0)))


def _sums_up_to(wanted: Integers, times: Integers, rows: Float64, sums: Float64, *, causal: bool) -> Float64:
    """Sums (M, D) over the milliseconds from the first known one to each wanted one; 0 before the first."""
    place = np.searchsorted(times, wanted, side="right") - 1
    inside = place >= 0
    place = np.maximum(place, 0)
    after = np.minimum(place + 1, len(times) - 1)
    n = (wanted - times[place])[:, None].astype(np.float64)
    length = np.maximum(times[after] - times[place], 1)[:, None].astype(np.float64)
    extra = n * rows[place]
    if not causal:
        extra += (rows[after] - rows[place]) * n * (n + 1) / (2 * length)
    return np.where(inside[:, None], sums[place] + extra, 0.0)


class TimeMean:
    """`mean_over_time` of one track whose rows come block by block; memory holds the frames of the window.

    Args:
        half_width: Milliseconds before and after each frame that count.
        causal: Whether no later frame counts.

    Examples:
        >>> one = TimeMean(1)
        >>> one.add(np.array([0, 2]), np.array([[0.0], [2.0]])).ravel().tolist(), one.finish().ravel().tolist()
        ([0.5], [1.5])
    """

    def __init__(self, half_width: int, *, causal: bool = False) -> None:
        self._half_width = half_width
        self._causal = causal
        self._begin: int | None = None
        self._times: Integers = np.empty(0, np.int64)
        self._rows: Float64 = np.empty((0, 0))
        self._waiting: Integers = np.empty(0, np.int64)

    def add(self, known: Integers, values: Float64) -> Float64:
        """Adds the next rows.

        Args:
            known: (N,) ascending times in milliseconds, all after those of the last call.
            values: (N, D) finite numbers.

        Returns:
            (F, D) results of the rows that are finished, in order; those of earlier calls come first.

        Raises:
            ConfigError: The times do not ascend.
        """
        if not len(known):
            return np.empty((0, self._rows.shape[1] or values.shape[1]))
        if self._begin is None:
            self._begin, self._rows = int(known[0]), np.empty((0, values.shape[1]))
        self._times = np.concatenate([self._times, known])
        self._rows = np.concatenate([self._rows, values])
        self._waiting = np.concatenate([self._waiting, known])
        reach = 0 if self._causal else self._half_width
        return self._results(int(np.searchsorted(self._waiting, int(known[-1]) - reach, side="right")))

    def finish(self) -> Float64:
        """The results of the rows that are left, (F, D), at the end of the track."""
        return self._results(len(self._waiting))

    def _results(self, n: int) -> Float64:
        if not n:
            return np.empty((0, self._rows.shape[1]))
        frames, self._waiting = self._waiting[:n], self._waiting[n:]
        found = mean_over_time(
            self._times, self._rows, frames, self._half_width, causal=self._causal, begin=self._begin
        )
        first = int(self._waiting[0]) if len(self._waiting) else int(self._times[-1])
        # The last frame before the window stays: values between it and the next one are in the window.
        kept = max(int(np.searchsorted(self._times, first - self._half_width, side="right")) - 2, 0)
        self._times, self._rows = self._times[kept:], self._rows[kept:]
        return found

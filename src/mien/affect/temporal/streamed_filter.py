# SPDX-License-Identifier: Apache-2.0
"""`StreamedFilter`: the filters of `smooth_tracks` over one track whose rows come block by block."""

from __future__ import annotations

import numpy as np

from mien.affect.temporal.filters import check_ascending, check_span
from mien.affect.temporal.smoothing import Smoothing
from mien.core import Float64, Integers

_FRAMES_A_BLOCK = 1 << 15  # so that a long gap in a track takes no memory


class StreamedFilter:
    """Filters one track on every frame of its span while its rows come, with the results of `smooth_tracks`.

    The timeline begins with the first frame that is known or wanted, and ends with the last one; with ``window="rows"``
    it consists of the known rows alone, which are then the wanted ones. Memory holds the
    window of the filter and the frames that wait for their results: those whose window is not known to its end.

    Args:
        half_width: Half-width of the filter, in what ``settings.window`` counts.
        settings: Settings of the filter.

    Examples:
        >>> one = StreamedFilter(1, Smoothing())
        >>> one.add(np.array([1, 2]), np.array([[0.0], [9.0]])).ravel().tolist()
        [4.5]
        >>> one.add(np.array([3]), np.array([[0.0]])).ravel().tolist(), one.finish().ravel().tolist()
        ([3.0], [4.5])
    """

    def __init__(self, half_width: int, settings: Smoothing) -> None:
        self._half_width = half_width
        self._settings = settings
        self._sums = settings.kernel == "mean"
        self._reach = 0 if settings.causal else half_width
        self._waiting: Integers = np.empty(0, np.int64)
        self._last: tuple[Integers, Float64] | None = None
        # Where rows are counted, the timeline has their places, and these are the frames from `_from` to before `_end`.
        self._frames: Integers | None = np.empty(0, np.int64) if settings.window == "rows" else None
        self._begin = self._from = self._end = 0
        # (B, D) values of the frames from `_from` to before `_end`; for means the sums of all values before the frames
        # from `_from` to `_end`, as the cumulative sum over the whole track gives them.
        self._rows: Float64 = np.empty((0, 0))

    def add(self, known: Integers, values: Float64, wanted: Integers | None = None, *, closed: bool = False) -> Float64:
        """Adds the next rows.

        Args:
            known: (N,) frames with values, ascending, all after those of the last call.
            values: (N, D) finite numbers.
            wanted: (M,) frames whose results are wanted, ascending, all after those of the last call; the known frames
                themselves if None.
            closed: Whether no further frame is known: the last value then holds for all wanted frames after it.

        Returns:
            (F, D) results of the wanted frames that are finished, in order; those of earlier calls come first.

        Raises:
            ConfigError: The frames do not ascend, or the track is longer than any video.
        """
        if self._frames is not None:
            joined = np.concatenate([self._frames, known])
            check_ascending(joined)
            known, self._frames = self._end + np.arange(len(known)), joined
        self._waiting = np.concatenate([self._waiting, known if wanted is None else wanted])
        done = []
        if len(known):
            if self._last is None:
                self._begin = self._from = self._end = int(min(known[0], self._waiting[0]))
                rows = known, values
            else:
                rows = np.append(self._last[0], known), np.concatenate([self._last[1], values])
            check_ascending(rows[0])
            check_span(self._begin, int(known[-1]))
            done += self._extend(*rows, int(known[-1]) + 1)
            self._last = known[-1:], values[-1:]
        if closed and self._last is not None and len(self._waiting):
            done += self._extend(*self._last, int(self._waiting[-1]) + 1)
        return _joined(done, values.shape[1])

    def finish(self) -> Float64:
        """The results of the wanted frames that are left, (F, D), at the end of the track; none if none is known."""
        if self._last is None:
            return np.empty((0, 0))
        done = []
        if len(self._waiting):
            done += self._extend(*self._last, int(self._waiting[-1]) + 1)
        done.append(self._results(len(self._waiting)))
        return _joined(done, self._last[1].shape[1])

    def _extend(self, known: Integers, values: Float64, stop: int) -> list[Float64]:
        """Lengthens the timeline up to before a frame, block by block, and gives the results that are finished."""
        done = []
        for start in range(self._end, stop, _FRAMES_A_BLOCK):
            timeline = np.arange(start, min(start + _FRAMES_A_BLOCK, stop))
            self._append(self._settings.fill(known, values, timeline))
            ready = int(np.searchsorted(self._waiting, self._end - self._reach))
            if ready:
                done.append(self._results(ready))
            self._forget()
        return done

    def _append(self, block: Float64) -> None:
        if not self._sums:
            self._rows = np.concatenate([self._rows, block]) if self._rows.size else block
        elif not self._rows.size:
            self._rows = np.concatenate([np.zeros((1, block.shape[1])), np.cumsum(block, axis=0)])
        else:
            # One sum after the other, as over the whole track: the results are the same to the last bit.
            following = np.cumsum(np.concatenate([self._rows[-1:], block]), axis=0)
            self._rows = np.concatenate([self._rows, following[1:]])
        self._end += len(block)

    def _results(self, n: int) -> Float64:
        """The results of the first n waiting frames."""
        frames, self._waiting = self._waiting[:n], self._waiting[n:]
        if not self._sums:
            numbers = None if self._frames is None else self._frames[: len(self._rows)]
            return np.asarray(self._settings.filter(self._rows, self._half_width, numbers)[frames - self._from])
        start = np.maximum(frames - self._half_width, self._begin)
        stop = np.minimum(frames + self._reach + 1, self._end)
        return np.asarray((self._rows[stop - self._from] - self._rows[start - self._from]) / (stop - start)[:, None])

    def _forget(self) -> None:
        """Drops the frames that no window reaches any more."""
        first = int(self._waiting[0]) if len(self._waiting) else self._end
        start = min(first, self._end) - self._half_width
        if start > self._from:
            self._rows = self._rows[start - self._from :]
            if self._frames is not None:
                self._frames = self._frames[start - self._from :]
            self._from = start


def _joined(parts: list[Float64], width: int) -> Float64:
    return np.concatenate(parts) if parts else np.empty((0, width))

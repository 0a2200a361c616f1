# SPDX-License-Identifier: Apache-2.0
"""`CausalMean`: smoothing frame by frame, for cameras and for videos while they are read."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError

Floats = npt.NDArray[np.float64]


class CausalMean:
    """The causal box mean of every track, one frame at a time, in memory that does not grow with the video.

    Gives what `box_mean` with ``causal=True`` gives on a track whose lost frames repeat the last value. A track that
    was away for more than ``half_width`` frames is forgotten and would start anew.

    Args:
        half_width: d >= 0; the mean is over the frames i - d to i.

    Raises:
        ConfigError: the half-width is negative.
    """

    def __init__(self, half_width: int) -> None:
        if half_width < 0:
            raise ConfigError(f"the half-width of a filter must be at least 0, got {half_width}")
        self._half_width = half_width
        # Track -> (frame, values) of its latest rows, oldest first.
        self._tracks: dict[int, deque[tuple[int, Floats]]] = {}
        self._frame: int | None = None

    @property
    def n_tracks(self) -> int:
        """Tracks that are remembered."""
        return len(self._tracks)

    def update(self, frame: int, track_ids: npt.ArrayLike, values: npt.ArrayLike) -> Floats:
        """Smooth the faces of one frame.

        Args:
            frame: its number, higher than that of the frame before; numbers between the two are lost frames.
            track_ids: (N,) each track once; faces with a negative number are returned as they are.
            values: (N, D) finite numbers.

        Returns:
            (N, D) float64.

        Raises:
            ConfigError: the frames do not ascend, a track occurs twice, or the shapes do not fit.
        """
        tracks, rows = np.asarray(track_ids), np.array(values, dtype=np.float64)
        followed = tracks[tracks >= 0]
        if rows.ndim != 2 or tracks.shape != rows.shape[:1]:
            raise ConfigError(f"N tracks and (N, D) values are needed, got {tracks.shape} and {rows.shape}")
        if self._frame is not None and frame <= self._frame:
            raise ConfigError(f"frames must ascend, got {frame} after {self._frame}")
        if len(np.unique(followed)) < len(followed):
            raise ConfigError(f"a track occurs once in a frame, got {followed.tolist()} in frame {frame}")
        self._frame = frame
        self._forget(frame)
        for row, track in enumerate(tracks.tolist()):
            if track >= 0:
                seen = self._tracks.setdefault(track, deque())
                seen.append((frame, rows[row].copy()))
                rows[row] = self._mean(seen, frame)
        return rows

    def _forget(self, frame: int) -> None:
        oldest = frame - self._half_width
        ended = [track for track, seen in self._tracks.items() if seen[-1][0] < oldest - 1]
        for track in ended:
            del self._tracks[track]

    def _mean(self, seen: deque[tuple[int, Floats]], frame: int) -> Floats:
        """Mean over the window, each value weighted with the frames through which it was the latest."""
        first = frame - self._half_width
        # The row before the window is kept while it is still held at the window's first frame.
        while len(seen) > 1 and seen[1][0] <= first:
            seen.popleft()
        edges = [max(first, number) for number, _ in seen] + [frame + 1]
        lengths = np.diff(edges)
        return np.asarray(lengths @ np.stack([value for _, value in seen]) / lengths.sum())

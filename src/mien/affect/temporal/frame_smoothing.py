# SPDX-License-Identifier: Apache-2.0
"""`smooth_frames`: the filters of `smooth_tracks` on the frames of a video while it is decoded."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mien.affect.temporal.smoothing import Smoothing
from mien.affect.temporal.time_mean import mean_over_time
from mien.core import Faces, Float64, Frame, Int64, UncertaintySpec, with_uncertainty
from mien.faces import MAX_LOST_S


def smooth_frames(
    frames: Iterable[Frame],
    settings: Smoothing,
    *,
    max_lost_s: float = MAX_LOST_S,
    uncertainty: UncertaintySpec | None = None,
) -> Generator[Frame, None, None]:
    """Smooth the faces of a stream, each track separately, in memory that does not grow with the video.

    The result equals that of `smooth_tracks` on the whole video. A window that reaches into the future costs delay: a
    frame is held back until the frames of its window have come, and while a face of it is lost in that window, until
    the face is back or its track has ended. Causal settings hold nothing back.

    Args:
        frames: Frames in ascending order of index; skipped or lost ones are interpolated like lost faces.
        settings: Half-widths, and the filter.
        max_lost_s: Longest time in seconds that a face may be lost before a new track starts, as in the tracker.
        uncertainty: Calibration of the bundle, for the sets and intervals of the smoothed values; None for none.

    Yields:
        The same frames, as many and in order. ``top_expressions`` follows the smoothed probabilities. Where
        ``frames`` raises an error, the frames that were held back come before it.
    """
    stream = FrameSmoother(settings, max_lost_s, uncertainty)
    try:
        for frame in frames:
            stream.add(frame)
            while stream.ready():
                yield stream.take()
    except Exception:
        yield from stream.rest()
        raise
    yield from stream.rest()


@dataclass(eq=False)
class _Track:
    """Recent values of one face: numbers of frames, and values by task."""

    frames: deque[int] = field(default_factory=deque)
    values: deque[tuple[Float64, ...]] = field(default_factory=deque)
    seen_s: float = 0.0

    def drop_before(self, frame: int) -> None:
        """Drop the rows that no window from ``frame`` on needs; the last row before it stays for interpolation."""
        while len(self.frames) > 1 and self.frames[1] <= frame:
            self._drop_first()

    def drop_all_but(self, n_before: int, frame: int) -> None:
        """Drop the rows before ``frame``, apart from the last ``n_before`` of them."""
        for _ in range(sum(number < frame for number in self.frames) - n_before):
            self._drop_first()

    def n_after(self, frame: int) -> int:
        """Number of rows after ``frame``."""
        return sum(number > frame for number in self.frames)

    def _drop_first(self) -> None:
        self.frames.popleft()
        self.values.popleft()


class FrameSmoother:
    """`smooth_frames` one frame at a time: frames that wait for their windows, and the tracks through them.

    Args:
        settings: Half-widths, and the filter.
        max_lost_s: Longest time in seconds that a face may be lost before a new track starts; a frame waits as long for
            a face that was lost.
        uncertainty: Calibration of the bundle, for the sets and intervals of the smoothed values; None for none.
    """

    def __init__(
        self, settings: Smoothing, max_lost_s: float = MAX_LOST_S, uncertainty: UncertaintySpec | None = None
    ) -> None:
        self._uncertainty = uncertainty
        self._settings = settings
        self._widths = (settings.expr, settings.va, settings.au, settings.au, settings.au)
        self._behind = max(self._widths)
        self._ahead = 0 if settings.causal else self._behind
        self._max_lost_s = max_lost_s
        self._newest: Frame | None = None
        self._tracks: dict[int, _Track] = {}
        self._newest_position = 0
        self._waiting: deque[tuple[Frame, int, list[_Track | None]]] = deque()

    def add(self, frame: Frame) -> None:
        """Add the next frame."""
        self._newest, position = frame, self._position(frame)
        self._newest_position = position
        self._tracks = {number: track for number, track in self._tracks.items() if not self._ended(track)}
        tracks: list[_Track | None] = []
        for row, number in enumerate(frame.faces.track_ids.tolist()):
            track = self._tracks.setdefault(number, _Track()) if number >= 0 else None
            if track is not None and track.frames and position <= track.frames[-1]:
                track = None  # within a millisecond of the frame before: its values stay
            if track is not None:
                track.frames.append(position)
                track.values.append(_values(frame.faces, row))
                track.seen_s = frame.time_s
            tracks.append(track)
        self._waiting.append((frame, position, tracks))

    def ready(self) -> bool:
        """Whether the first frame's windows are complete."""
        if not self._waiting:
            return False
        _, position, tracks = self._waiting[0]
        if self._settings.window == "rows":
            return all(
                track is None or track.n_after(position) >= self._ahead or self._ended(track) for track in tracks
            )
        stop = position + self._ahead
        return self._newest_position >= stop and all(
            track is None or track.frames[-1] >= stop or self._ended(track) for track in tracks
        )

    def take(self) -> Frame:
        """The first frame, smoothed with the frames so far."""
        frame, position, tracks = self._waiting.popleft()
        if not any(tracks):
            return frame
        rows = [
            _values(frame.faces, row) if track is None else self._smoothed(track, position)
            for row, track in enumerate(tracks)
        ]
        smoothed = _with_values(frame.faces, rows)
        return replace(frame, faces=with_uncertainty(smoothed, self._uncertainty))

    def rest(self) -> Generator[Frame, None, None]:
        """All frames that still wait, at the end of the stream."""
        while self._waiting:
            yield self.take()

    def _position(self, frame: Frame) -> int:
        """The place of a frame on the timeline of the filter."""
        return int(self._settings.positions(np.array([frame.index]), [frame.time_s])[0])

    def _ended(self, track: _Track) -> bool:
        return self._newest is not None and self._newest.time_s - track.seen_s > self._max_lost_s

    def _smoothed(self, track: _Track, frame: int) -> tuple[Float64, ...]:
        if self._settings.window == "rows":
            track.drop_all_but(self._behind, frame)
        else:
            track.drop_before(frame - self._behind)
        numbers = np.array(track.frames)
        own = int(np.searchsorted(numbers, frame))
        tasks = zip(*track.values, strict=True)
        return tuple(
            self._filtered(numbers, np.stack(values), own, width)
            for values, width in zip(tasks, self._widths, strict=True)
        )

    def _filtered(self, numbers: Int64, values: Float64, own: int, width: int) -> Float64:
        """One task of one face in the frame ``numbers[own]``; rows that are not finite count as lost."""
        known = np.asarray(np.isfinite(values).all(axis=1))
        if not width or not known[own]:
            return np.asarray(values[own])
        frame, numbers, values = int(numbers[own]), numbers[known], values[known]
        if self._settings.window == "rows":
            place = int(np.searchsorted(numbers, frame))
            near = slice(max(place - width, 0), place + width + 1)
            return np.asarray(self._settings.filter(values[near], width, numbers[near])[min(place, width)])
        if self._settings.is_time_mean:
            wanted = np.array([frame])
            means = mean_over_time(numbers, values, wanted, width, causal=self._settings.causal)
            return np.asarray(means[0])
        stop = frame if self._settings.causal else frame + width
        timeline = np.arange(max(frame - width, numbers[0]), min(stop, numbers[-1]) + 1)
        window = self._settings.fill(numbers, values, timeline)
        # The window is cut already, so the filter may reach over all of it.
        return np.asarray(self._settings.filter(window, len(window))[frame - timeline[0]])


def _values(faces: Faces, row: int) -> tuple[Float64, ...]:
    """Expression, valence and arousal, action units, their intensities and those of their sides."""
    va = np.array([faces.valence[row], faces.arousal[row]], dtype=np.float64)
    units = (faces.action_units[row], faces.action_unit_intensity[row], faces.action_unit_sides[row])
    return faces.expression[row].astype(np.float64), va, *(values.astype(np.float64) for values in units)


def _with_values(faces: Faces, rows: Sequence[tuple[Float64, ...]]) -> Faces:
    expression, va, units, intensity, sides = (np.stack(column) for column in zip(*rows, strict=True))
    return replace(
        faces,
        expression=expression,
        valence=va[:, 0],
        arousal=va[:, 1],
        action_units=units,
        action_unit_intensity=intensity,
        action_unit_sides=sides,
    )

# SPDX-License-Identifier: Apache-2.0
"""`Timeline`, which gives decoded frames their index and time and counts the frames that are lost."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass
from fractions import Fraction

_MAX_MESSAGES = 20
_JUMP_BACK_S = 1.0  # a larger step back is a new clock (joined recordings), not reordered frames
_GAP_STEPS = 4.0
_GAP_S = 0.3
_STEADY_AFTER = 10  # number of steps before a gap can be distinguished from an irregular stream


@dataclass(frozen=True)
class Place:
    """Index and time of one frame.

    Attributes:
        index: Index in the stream, from 0.
        time_s: Seconds since the start of the stream.
    """

    index: int
    time_s: float


class Timeline:
    """Gives frames their index and time, and counts the packets that give no frame.

    A decoder drops damaged packets silently and delays and reorders the others, so neither a count of its frames nor
    a frame rate gives the index of a frame. Frames are output in the order of their timestamps, however: at each
    frame, every packet with an earlier timestamp and no frame is lost. Memory is bounded by the delay of the decoder.

    Args:
        time_base_s: Seconds per timestamp unit.
        start_pts: Timestamp of the start of the stream; None takes the timestamp of the first frame.
        step_s: Typical seconds between frames, used for frames without a timestamp.
        ordered: Whether packets carry presentation timestamps. False for AVI, whose timestamps follow the decoding
            order; lost frames are then only counted, at the end of the stream or at an error of the decoder.
        all_shown: Whether every packet gives a frame. False for VP8, where only reported errors count as lost.

    Examples:
        >>> timeline = Timeline(time_base_s=Fraction(1, 25), start_pts=0, step_s=0.04, ordered=True, all_shown=True)
        >>> for pts in (0, 1, 2):
        ...     timeline.packet_sent(pts)
        >>> [timeline.place(pts) for pts in (0, 2)]  # the packet with timestamp 1 gave no frame
        [Place(index=0, time_s=0.0), Place(index=2, time_s=0.08)]
        >>> timeline.n_lost, timeline.messages
        (1, ('after 0.00 s (frame 0): 1 frames could not be decoded',))
    """

    def __init__(
        self, *, time_base_s: Fraction, start_pts: int | None, step_s: float, ordered: bool, all_shown: bool
    ) -> None:
        self._time_base_s = time_base_s
        self._start_pts = start_pts
        self._step_s = step_s
        self._tracked = ordered and all_shown
        self._all_shown = all_shown
        self._n_sent = 0
        self._n_placed = 0
        self._n_missing = 0
        self._n_discarded = 0
        self._pending: list[int] = []
        self._skipped_pts: deque[int] = deque(maxlen=256)
        self._last_pts: int | None = None
        self._last_time_s: float | None = None
        self._next_index = 0
        self._clock_shift_s = 0.0
        self._n_estimated = 0
        self._n_steps = 0
        self._longest_step_s = 0.0
        self._messages: list[str] = []
        self._n_omitted = 0

    @property
    def start_s(self) -> float:
        """Timestamp of the stream, in seconds, at time 0 of its frames."""
        return float((self._start_pts or 0) * self._time_base_s)

    @property
    def now_s(self) -> float:
        """Time of the latest frame in seconds; 0 before the first."""
        return self._last_time_s or 0.0

    @property
    def n_lost(self) -> int:
        """Number of frames that were never output or were discarded."""
        return self._n_missing + self._n_discarded

    @property
    def messages(self) -> tuple[str, ...]:
        """Messages so far, with one line for those that were only counted."""
        messages = list(self._messages)
        if self._n_omitted:
            messages.append(f"and {self._n_omitted} more")
        if self._n_estimated:
            messages.append(f"{self._n_estimated} frames had no usable timestamp: their times are estimated")
        return tuple(messages)

    def note(self, message: str) -> None:
        """Add a message to the report, with the current time and frame."""
        if len(self._messages) < _MAX_MESSAGES:
            self._messages.append(f"after {self.now_s:.2f} s (frame {max(self._next_index - 1, 0)}): {message}")
        else:
            self._n_omitted += 1

    def packet_sent(self, pts: int | None) -> None:
        """Record the timestamp of a packet that is passed to the decoder."""
        self._n_sent += 1
        # An earlier timestamp belongs to a clock that was set back and has no place in the order.
        in_order = pts is not None and (self._last_pts is None or pts > self._last_pts)
        if self._tracked and pts is not None and in_order:
            heapq.heappush(self._pending, pts)

    def discard_last(self, reason: str) -> None:
        """Count the frame that was placed last as lost."""
        self.note(f"this frame is left out: {reason}")
        self._n_discarded += 1

    def packet_failed(self, pts: int | None) -> None:
        """Record a packet that the decoder rejected."""
        if not self._tracked or pts is None:
            self._n_missing += 1  # otherwise its timestamp stays pending and is counted later
            self._next_index += 1

    def stop_tracking(self) -> None:
        """Stop matching packets to frames for the rest of the stream."""
        self._tracked = self._all_shown = False
        self._pending.clear()

    def place(self, pts: int | None) -> Place | None:
        """Index and time of a frame that the decoder output.

        Returns:
            None for a frame that comes out of order, as in damaged streams; it is already counted as lost.
        """
        if pts is not None and self._tracked:
            if pts in self._skipped_pts:
                self.note("a frame came out of order and is left out")
                return None
            self._skip_until(pts)
        place = Place(self._next_index, self._time(pts))
        self._watch_for_gap(place.time_s)
        self._next_index += 1
        self._n_placed += 1
        self._last_pts = pts
        self._last_time_s = place.time_s
        return place

    def finish(self, n_missing: int, duration_s: float | None) -> None:
        """Count what is missing at the end of the stream.

        Args:
            n_missing: Number of frames that the container declares without a packet.
            duration_s: Declared duration in seconds; None if undeclared.
        """
        n_undecoded = self._n_sent - self._n_placed - self._n_missing
        if self._all_shown and n_undecoded > 0:
            self.note(f"{n_undecoded} frames up to the end could not be decoded")
            self._n_missing += n_undecoded
        if n_missing > 0:
            self.note(f"the file ends here, {n_missing} frames before its declared end")
            self._n_missing += n_missing
        elif duration_s is not None and self.now_s + self._step_s < duration_s - max(_GAP_S, duration_s / 20):
            self.note(f"the frames end here, the declared duration is {duration_s:.2f} s; the file may be cut off")

    def _skip_until(self, pts: int) -> None:
        n_missing = 0
        while self._pending and self._pending[0] < pts:
            self._skipped_pts.append(heapq.heappop(self._pending))
            n_missing += 1
        if self._pending and self._pending[0] == pts:
            heapq.heappop(self._pending)
        if n_missing:
            self.note(f"{n_missing} frames could not be decoded")
            self._n_missing += n_missing
            self._next_index += n_missing

    def _time(self, pts: int | None) -> float:
        if pts is None:
            self._n_estimated += 1
            return 0.0 if self._last_time_s is None else self._last_time_s + self._step_s
        if self._start_pts is None or (self._last_time_s is None and pts < self._start_pts):
            self._start_pts = pts
        time_s = float((pts - self._start_pts) * self._time_base_s) + self._clock_shift_s
        if self._last_time_s is None or time_s > self._last_time_s:
            return time_s
        expected_s = self._last_time_s + self._step_s
        if self._last_time_s - time_s > _JUMP_BACK_S:
            self.note("the file's clock is set back here; times go on from the last frame")
            self._clock_shift_s += expected_s - time_s
        else:
            self._n_estimated += 1
        return expected_s

    def _watch_for_gap(self, time_s: float) -> None:
        """Add a message where a regular stream pauses, since some containers lose packets without a trace."""
        if self._last_time_s is None:
            return
        step_s = time_s - self._last_time_s
        if self._n_steps >= _STEADY_AFTER and step_s > max(_GAP_S, _GAP_STEPS * self._longest_step_s):
            self.note(f"no frame for {step_s:.2f} s, the longest gap so far; the file may be damaged here")
        self._n_steps += 1
        self._longest_step_s = max(self._longest_step_s, step_s)

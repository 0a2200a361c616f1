# SPDX-License-Identifier: Apache-2.0
"""`Timeline`, which gives decoded frames their index and time and counts the frames that are lost."""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from mien.core import FrameGap, counted
from mien.media.damage.byte_clock import NO_FRAMES, FrameEstimate

_MAX_MESSAGES = 20
_MAX_GAPS = 10_000
_JUMP_BACK_S = 1.0  # a larger step back is a new clock (joined recordings), not reordered frames
_GAP_STEPS = 4.0
_GAP_S = 0.3
_STEADY_AFTER = 10  # number of steps before a gap can be distinguished from an irregular stream
_MISSED_STEPS = 1.5  # where bytes are missing, a longer step than this has room for a lost frame
_RECENT_STEPS = 64
_MAX_REORDERED = 16  # packets between the decoding and the presentation of a frame, at most (H.264)


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
    frame, every packet with an earlier timestamp and no frame is lost. Frames whose packets the container lost as well
    leave only a step in time. Such a step counts as a loss where bytes of the file are damaged (`packet_sent`), never
    otherwise: a recording may pause or change its frame rate. Memory is bounded by the delay of the decoder.

    Args:
        time_base_s: Seconds per timestamp unit.
        start_pts: Timestamp of the start of the stream; None takes the timestamp of the first frame.
        step_s: Typical seconds between frames, used for frames without a timestamp.
        ordered: Whether packets carry presentation timestamps. False for AVI, whose timestamps follow the decoding
            order; lost frames are then only counted, at the end of the stream or at an error of the decoder.
        all_shown: Whether every packet that is sent gives a frame; if not, only reported errors count as lost.

    Examples:
        >>> timeline = Timeline(time_base_s=Fraction(1, 25), start_pts=0, step_s=0.04, ordered=True, all_shown=True)
        >>> for pts in (0, 1, 2):
        ...     timeline.packet_sent(pts)
        >>> [timeline.place(pts) for pts in (0, 2)]  # the packet with timestamp 1 gave no frame
        [Place(index=0, time_s=0.0), Place(index=2, time_s=0.08)]
        >>> timeline.n_lost, timeline.messages
        (1, ('after 0.00 s (frame 0): 1 frame could not be decoded',))
        >>> timeline.gaps
        (FrameGap(from_s=0.04, to_s=0.08, n_frames=1),)
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
        self._n_accounted = 0  # packets without a frame that are counted already
        self.n_vanished = 0
        """Number of lost frames of which there was no packet, up to the latest frame."""
        self._n_lost = 0
        self._pending: list[int] = []
        self._skipped_pts: deque[int] = deque(maxlen=256)
        self._last_pts: int | None = None
        self._last_sent_pts: int | None = None
        self._n_unstamped = 0  # frames since that timestamp
        self._last_time_s: float | None = None
        self._next_index = 0
        self._clock_shift_s = 0.0
        self._n_estimated = 0
        self._was_back = self._is_outlier = False
        self._n_steps = 0
        self._longest_step_s = 0.0
        self._recent_steps_s: deque[float] = deque(maxlen=_RECENT_STEPS)
        self._serials: OrderedDict[int, int] = OrderedDict()
        self._damaged_serials: deque[tuple[int, int]] = deque(maxlen=4 * _MAX_REORDERED)  # and their least reach
        self._n_reordered = 0  # packets between the decoding and the presentation of a frame, at most so far
        self._gaps: list[FrameGap] = []
        self._discarded = False
        self._messages: list[str] = []
        self._remarks: list[str] = []
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
        """Number of frames that were never output or were discarded; estimated where their packets are gone as well."""
        return self._n_lost

    @property
    def n_undecoded(self) -> int:
        """Number of packets so far that gave no frame and are not counted as lost."""
        return self._n_sent - self._n_placed - self._n_accounted

    @property
    def gaps(self) -> tuple[FrameGap, ...]:
        """Spans of time without their frames, in order; the last one takes in everything beyond the 10,000th."""
        return tuple(self._gaps)

    @property
    def messages(self) -> tuple[str, ...]:
        """Messages so far, with one line for those that were only counted."""
        messages = [*self._remarks, *self._messages]
        if self._n_omitted:
            messages.append(f"and {self._n_omitted} more")
        if self._n_estimated:
            messages.append(f"{counted(self._n_estimated, 'frame')} had no usable timestamp: times there are estimated")
        return tuple(messages)

    def note(self, message: str) -> None:
        """Add a message to the report, with the current time and frame."""
        if len(self._messages) < _MAX_MESSAGES:
            self._messages.append(f"after {self.now_s:.2f} s (frame {max(self._next_index - 1, 0)}): {message}")
        else:
            self._n_omitted += 1

    def remark(self, message: str) -> None:
        """Add a message about the whole video to the report."""
        self._remarks.append(message)

    def begin_damaged(self, start_pts: int | None, n_frames: int) -> None:
        """Record that bytes before the first packet are damaged.

        Args:
            start_pts: Timestamp at which the stream began; None if it is unknown: time 0 is the first intact frame.
            n_frames: Estimated number of lost frames; used only where the start is unknown.
        """
        if start_pts is not None:
            self._start_pts = start_pts
        elif n_frames > 0:
            self.note(f"about {n_frames} frames before the first one are gone: the file is damaged at its beginning")
            self._lose(0.0, 0.0, n_frames)

    def packet_sent(self, pts: int | None, *, damaged: bool = False) -> None:
        """Record the timestamp of a packet that is passed to the decoder.

        Args:
            pts: Timestamp of the packet.
            damaged: Whether bytes of the file before or in this packet are damaged.
        """
        self._n_sent += 1
        if damaged:
            self._damaged_serials.append((self._n_sent, 1))
        if pts is None:
            return
        self._n_reordered = min(max(self._n_reordered, sum(later > pts for later in self._serials)), _MAX_REORDERED)
        self._last_sent_pts = pts if self._last_sent_pts is None else max(self._last_sent_pts, pts)
        self._serials[pts] = self._n_sent
        if len(self._serials) > 4 * _MAX_REORDERED:
            self._serials.popitem(last=False)
        # An earlier timestamp belongs to a clock that was set back and has no place in the order.
        if self._tracked and (self._last_pts is None or pts > self._last_pts):
            heapq.heappush(self._pending, pts)

    def discard_last(self, reason: str) -> None:
        """Count the frame that was placed last as lost."""
        self.note(f"this frame is left out: {reason}")
        self._lose(self.now_s, self.now_s + self._step_s, 1)
        self._discarded = True

    def packet_failed(self, pts: int | None) -> None:
        """Record a packet that the decoder rejected."""
        if not self._tracked or pts is None:  # otherwise its timestamp stays pending and is counted later
            self._n_accounted += 1
            self._next_index += 1
            # Lost frames extend one gap until the next good frame closes it.
            from_s = self._next_time_s
            if self._discarded:
                from_s = max(from_s, self._gaps[-1].to_s)
            self._lose(from_s, from_s + self._step_s, 1)
            self._discarded = True

    def mark_damaged(self) -> None:
        """Record that the decoder finds damaged data: a step in time that is near is a loss."""
        self._damaged_serials.append((self._n_sent, _MAX_REORDERED))

    def vanish(self, n_frames: int) -> None:
        """Count frames of a raw stream that are gone here; the times of the next ones are later by as much."""
        if n_frames > 0:
            step_s = self.typical_step_s()
            self.note(f"about {n_frames} frames are gone: bytes of the file are damaged here")
            self.n_vanished += n_frames
            self._lose(self._next_time_s, self._next_time_s + n_frames * step_s, n_frames)
            self._next_index += n_frames
            self._clock_shift_s += n_frames * step_s
            if self._last_time_s is not None and self._last_pts is None:
                self._last_time_s += n_frames * step_s

    def stop_tracking(self) -> None:
        """Stop matching packets to frames for the rest of the stream."""
        self._tracked = self._all_shown = False
        self._pending.clear()

    def place(self, pts: int | None) -> Place | None:
        """Index and time of a frame that the decoder output.

        Returns:
            None for a frame that comes out of order, as in damaged streams; it is already counted as lost.
        """
        n_failed = n_vanished = 0
        if pts is not None:
            if self._tracked and pts in self._skipped_pts:
                self.note("a frame came out of order and is left out")
                return None
            skipped = self._skip_until(pts) if self._tracked else []
            n_failed, n_vanished = len(skipped), self._n_vanished([*skipped, pts])
        from_s = self._next_time_s
        time_s = self._time(pts)
        if n_failed:
            self.note(f"{counted(n_failed, 'frame')} could not be decoded")
        self.n_vanished += n_vanished
        if n_vanished:
            self.note(f"about {n_vanished} frames are gone, up to {time_s:.2f} s: bytes of the file are damaged here")
        if n_failed + n_vanished:
            self._lose(from_s, time_s, n_failed + n_vanished)
            self._next_index += n_failed + n_vanished
        elif self._discarded:
            last = self._gaps[-1]
            self._gaps[-1] = FrameGap(last.from_s, max(last.from_s, time_s), last.n_frames)
        else:
            self._watch_for_gap(time_s)
        self._discarded = False
        place = Place(self._next_index, time_s)
        self._next_index += 1
        self._n_placed += 1
        if pts is None or self._is_outlier:
            self._n_unstamped += 1
            self._is_outlier = False
        else:
            self._last_pts, self._n_unstamped = pts, 0
        self._last_time_s = place.time_s
        return place

    def finish(
        self,
        n_missing: int,
        duration_s: float | None,
        *,
        damaged: bool = False,
        unexplained: bool = False,
        by_bytes: FrameEstimate = NO_FRAMES,
    ) -> None:
        """Count what is missing at the end of the stream.

        Args:
            n_missing: Number of frames that the container declares without a packet.
            duration_s: Declared duration of the stream in seconds; None if undeclared.
            damaged: Whether bytes after the last packet are damaged or missing.
            unexplained: Whether there are bytes after the last packet that are none of an index.
            by_bytes: Frames in bytes of which the container tells nothing.
        """
        from_s = self._next_time_s
        if self._discarded:
            from_s = max(from_s, self._gaps[-1].to_s)
        n_undecoded = self.n_undecoded
        step_s = self.typical_step_s()
        if self._all_shown and n_undecoded > 0:
            n_undecoded = max(n_undecoded, self._n_steps_to_the_last_packet() if n_missing <= 0 else 0)
            self.note(f"{counted(n_undecoded, 'frame')} up to the end could not be decoded")
        else:
            n_undecoded = 0
        n_at_end = max(0, n_missing)
        if n_missing > 0:
            self.note(f"the file ends here, {counted(n_missing, 'frame')} before its declared end")
        elif duration_s is not None:
            missing_s = duration_s - from_s - n_undecoded * step_s
            is_long = missing_s > max(_GAP_S, duration_s / 20)
            if (damaged and missing_s > step_s / 2) or (unexplained and is_long):
                n_at_end = round(missing_s / step_s)
                self.note(f"about {n_at_end} frames up to the declared end at {duration_s:.2f} s are gone")
            elif is_long:
                self.note(f"the frames end here, the declared duration is {duration_s:.2f} s; the file may be cut off")
        if by_bytes.n_frames > 0 and (n_missing > 0 or not n_at_end):
            n_at_end += by_bytes.n_frames
            self.note(
                f"about {by_bytes.n_frames} frames up to the end of the file are gone, {by_bytes.between()}: "
                "its bytes are damaged from here"
            )
        if n_undecoded + n_at_end:
            self._lose(from_s, from_s + (n_undecoded + n_at_end) * step_s, n_undecoded + n_at_end)

    def _n_steps_to_the_last_packet(self) -> int:
        """Number of frames from the latest one to the last packet, by time, where damaged bytes lie between; else 0."""
        last, sent = self._last_pts, self._last_sent_pts
        if last is None or sent is None or not self._tracked or not self._is_damaged_between(last, sent):
            return 0
        missing_s = float((sent - last) * self._time_base_s)
        n_frames = round(missing_s / self.typical_step_s())
        return n_frames if n_frames <= self._n_sent else 0  # else a damaged timestamp

    @property
    def _next_time_s(self) -> float:
        """Time at which the frame after the latest one is due; 0 before the first frame."""
        return 0.0 if self._last_time_s is None else self._last_time_s + self.typical_step_s()

    def typical_step_s(self) -> float:
        """Recent mean step between frames; the declared one where it fits, since timestamps may be rounded."""
        if len(self._recent_steps_s) < 3:
            return self._step_s
        mean_s = sum(self._recent_steps_s) / len(self._recent_steps_s)
        return self._step_s if abs(mean_s / self._step_s - 1) < 0.05 else mean_s

    def _lose(self, from_s: float, to_s: float, n_frames: int) -> None:
        """Add lost frames as a gap, or to the gap that ends where they begin."""
        self._n_lost += n_frames
        last = self._gaps[-1] if self._gaps else None
        if last is not None and (from_s < last.to_s + self._step_s / 2 or len(self._gaps) >= _MAX_GAPS):
            self._gaps[-1] = FrameGap(last.from_s, max(last.to_s, to_s), last.n_frames + n_frames)
        else:
            self._gaps.append(FrameGap(from_s, max(from_s, to_s), n_frames))

    def _skip_until(self, pts: int) -> list[int]:
        """Timestamps of the packets before a frame that gave none."""
        skipped = []
        while self._pending and self._pending[0] < pts:
            skipped.append(heapq.heappop(self._pending))
        self._skipped_pts.extend(skipped)
        self._n_accounted += len(skipped)
        if self._pending and self._pending[0] == pts:
            heapq.heappop(self._pending)
        return skipped

    def _n_vanished(self, stamps: list[int]) -> int:
        """Number of frames without a packet between the latest frame and the given timestamps, estimated by time."""
        if not self._damaged_serials:
            return 0
        typical_s = self.typical_step_s()
        n_frames = 0
        if self._last_pts is not None:
            stamps = [self._last_pts, *stamps]
        elif self._start_pts is not None and self._is_damaged_between(stamps[0], stamps[0]):
            n_frames = max(0, round(float((stamps[0] - self._start_pts) * self._time_base_s) / typical_s))
        for earlier, later in pairwise(stamps):
            step_s = float((later - earlier) * self._time_base_s)
            if step_s > _MISSED_STEPS * typical_s and self._is_damaged_between(earlier, later):
                n_frames += max(1, round(step_s / typical_s) - 1)
        return max(0, n_frames - self._n_unstamped)

    def _is_damaged_between(self, earlier: int, later: int) -> bool:
        serials = [self._serials[pts] for pts in (earlier, later) if pts in self._serials]
        if not serials:
            return False
        first, last = min(serials), max(serials)
        return any(
            first < serial + max(reach, self._n_reordered) and serial <= last + max(reach, self._n_reordered)
            for serial, reach in self._damaged_serials
        )

    def _time(self, pts: int | None) -> float:
        if pts is None:
            self._n_estimated += 1
            return 0.0 if self._last_time_s is None else self._last_time_s + self._step_s
        if self._start_pts is None or (self._last_time_s is None and pts < self._start_pts):
            self._start_pts = pts
        time_s = float((pts - self._start_pts) * self._time_base_s) + self._clock_shift_s
        if self._last_time_s is None or time_s > self._last_time_s:
            self._was_back = False
            return time_s
        expected_s = self._last_time_s + self._step_s
        if self._last_time_s - time_s <= _JUMP_BACK_S:
            self._n_estimated += 1
        elif self._damaged_serials and not self._was_back:
            # One damaged timestamp; a clock that is set back gives another such frame.
            self._n_estimated += 1
            self._was_back = self._is_outlier = True
            return expected_s
        else:
            self.note("the file's clock is set back here; times go on from the last frame")
            self._clock_shift_s += expected_s - time_s
        self._was_back = False
        return expected_s

    def _watch_for_gap(self, time_s: float) -> None:
        """Add a message where a regular stream pauses, since some containers lose packets without a trace."""
        if self._last_time_s is None:
            return
        step_s = time_s - self._last_time_s
        if self._n_steps >= _STEADY_AFTER and step_s > max(_GAP_S, _GAP_STEPS * self._longest_step_s):
            self.note(f"no frame for {step_s:.2f} s, the longest pause so far; no byte of the file is missing here")
        self._n_steps += 1
        if len(self._recent_steps_s) < 3 or step_s < _GAP_STEPS * self.typical_step_s():
            self._recent_steps_s.append(step_s)
        self._longest_step_s = max(self._longest_step_s, step_s)

# SPDX-License-Identifier: Apache-2.0
"""Where each decoded frame stands in its stream: number, time, and what is missing before it."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass
from fractions import Fraction

_MAX_MESSAGES = 20
_JUMP_BACK_S = 1.0  # further back than this is a new clock (joined recordings), not frames in disorder
_GAP_STEPS = 4.0
_GAP_S = 0.3
_STEADY_AFTER = 10  # steps to see before a gap can be told from an irregular stream


@dataclass(frozen=True)
class Place:
    """Number and time of one frame."""

    index: int
    time_s: float


class Timeline:
    """Gives frames their number and time, and counts the packets that no frame came out of.

    A decoder drops damaged packets without a word and delays and reorders the others, so neither counting its frames
    nor dividing by a frame rate says which frame one is. Frames do come out in the order of their timestamps, though:
    when one appears, every packet with an earlier timestamp that gave no frame yet never will. Memory is bounded by
    the decoder's delay.

    Args:
        time_base_s: seconds per timestamp unit.
        start_pts: timestamp of the start of the stream; None takes the first frame's.
        step_s: usual seconds between frames, for frames without a timestamp.
        ordered: False where packets are stamped in the order of decoding, not of showing (AVI). What is lost is then
            known by its number only, at the end of the stream or when the decoder says so.
        all_shown: False where some packets are never shown (VP8); only reported failures are then lost.
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
        self._n_spoiled = 0
        self._pending: list[int] = []
        self._given_up: deque[int] = deque(maxlen=256)
        self._last_pts: int | None = None
        self._last_time_s: float | None = None
        self._next_index = 0
        self._clock_shift_s = 0.0
        self._n_estimated = 0
        self._n_steps = 0
        self._longest_step_s = 0.0
        self._messages: list[str] = []
        self._n_unsaid = 0

    @property
    def start_s(self) -> float:
        """The stream's own clock at our second 0."""
        return float((self._start_pts or 0) * self._time_base_s)

    @property
    def now_s(self) -> float:
        """Time of the latest frame, 0 before the first."""
        return self._last_time_s or 0.0

    @property
    def n_lost(self) -> int:
        """Frames that never came out or came out spoiled."""
        return self._n_missing + self._n_spoiled

    @property
    def messages(self) -> tuple[str, ...]:
        """Everything said so far, with one line for what was only counted."""
        said = list(self._messages)
        if self._n_unsaid:
            said.append(f"and {self._n_unsaid} more")
        if self._n_estimated:
            said.append(f"{self._n_estimated} frames had no usable timestamp: their times are estimated")
        return tuple(said)

    def say(self, message: str) -> None:
        """Note something for the report, with the place where it happened."""
        if len(self._messages) < _MAX_MESSAGES:
            self._messages.append(f"after {self.now_s:.2f} s (frame {max(self._next_index - 1, 0)}): {message}")
        else:
            self._n_unsaid += 1

    def sent(self, pts: int | None) -> None:
        """A packet with this timestamp went to the decoder."""
        self._n_sent += 1
        # A timestamp in the past belongs to a clock that was set back; it would only confuse the order.
        in_order = pts is not None and (self._last_pts is None or pts > self._last_pts)
        if self._tracked and pts is not None and in_order:
            heapq.heappush(self._pending, pts)

    def spoiled(self, reason: str) -> None:
        """The frame placed last is of no use."""
        self.say(f"this frame is left out: {reason}")
        self._n_spoiled += 1

    def failed(self, pts: int | None) -> None:
        """The decoder refused a packet."""
        if not self._tracked or pts is None:
            self._n_missing += 1  # otherwise its timestamp is pending and is missed later
            self._next_index += 1

    def stop_tracking(self) -> None:
        """From here on packets do not correspond to frames."""
        self._tracked = self._all_shown = False
        self._pending.clear()

    def place(self, pts: int | None) -> Place | None:
        """Number and time of a frame that came out of the decoder.

        Returns:
            None for a frame that comes after its turn, which damaged streams bring; it has been counted as lost.
        """
        if pts is not None and self._tracked:
            if pts in self._given_up:
                self.say("a frame came out after its turn and is left out")
                return None
            self._give_up_before(pts)
        place = Place(self._next_index, self._time(pts))
        self._watch_for_gap(place.time_s)
        self._next_index += 1
        self._n_placed += 1
        self._last_pts = pts
        self._last_time_s = place.time_s
        return place

    def finish(self, n_missing: int, duration_s: float | None) -> None:
        """The stream is over.

        Args:
            n_missing: frames that the container declares but holds no packet of.
            duration_s: how long the file says it is; None if it does not.
        """
        n_unseen = self._n_sent - self._n_placed - self._n_missing
        if self._all_shown and n_unseen > 0:
            self.say(f"{n_unseen} frames up to the end could not be decoded")
            self._n_missing += n_unseen
        if n_missing > 0:
            self.say(f"the file ends here, {n_missing} frames before its declared end")
            self._n_missing += n_missing
        elif duration_s is not None and self.now_s + self._step_s < duration_s - max(_GAP_S, duration_s / 20):
            self.say(f"the pictures end here, the file says it lasts {duration_s:.2f} s; it may be cut off")

    def _give_up_before(self, pts: int) -> None:
        n_missing = 0
        while self._pending and self._pending[0] < pts:
            self._given_up.append(heapq.heappop(self._pending))
            n_missing += 1
        if self._pending and self._pending[0] == pts:
            heapq.heappop(self._pending)
        if n_missing:
            self.say(f"{n_missing} frames could not be decoded")
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
            self.say("the file's clock is set back here; times go on from the last frame")
            self._clock_shift_s += expected_s - time_s
        else:
            self._n_estimated += 1
        return expected_s

    def _watch_for_gap(self, time_s: float) -> None:
        """Say where a steady stream pauses: some containers lose packets without leaving a trace."""
        if self._last_time_s is None:
            return
        step_s = time_s - self._last_time_s
        if self._n_steps >= _STEADY_AFTER and step_s > max(_GAP_S, _GAP_STEPS * self._longest_step_s):
            self.say(f"no picture for {step_s:.2f} s, longer than anywhere before; the file may be damaged here")
        self._n_steps += 1
        self._longest_step_s = max(self._longest_step_s, step_s)

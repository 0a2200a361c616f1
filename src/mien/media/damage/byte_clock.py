# SPDX-License-Identifier: Apache-2.0
"""`ByteClock`, the rate at which the bytes of a file hold the packets of a stream, and their stamps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import av

STEADY_AFTER = 10
"""Number of packets after which their mean size counts."""

_MAX_SAMPLES = 512
_STARTS = (0.0, 1 / 8, 1 / 2, 3 / 4)  # shares of the packets before those whose rate may be the measure
_TRIED = (0.4, 0.5, 0.6, 0.7)  # shares of the packets that are tried as a forecast of the rest
_START = 8  # part of the samples that does not count: rate controls begin with larger packets


@dataclass(frozen=True)
class FrameEstimate:
    """Number of frames in bytes that cannot be read.

    Attributes:
        n_frames: Estimated number.
        fewest: Number if all of them were as large as in the part of the file with the largest frames.
        most: Number if all of them were as large as in the part of the file with the smallest frames.
    """

    n_frames: int = 0
    fewest: int = 0
    most: int = 0

    def between(self) -> str:
        """The range, for a message."""
        return f"between {self.fewest} and {self.most} by the sizes of those before"


NO_FRAMES = FrameEstimate()


def stamp_of(packet: av.Packet[Any]) -> int | None:
    """Decoding time of a packet, else the time at which it is shown, in units of its time base; None for neither."""
    return packet.dts if packet.dts is not None else packet.pts


class ByteClock:
    """Times of the packets of one stream at their places in the file."""

    def __init__(self) -> None:
        self.samples: list[tuple[int, float | None, int]] = []  # end of a packet, its end in time, its number
        self.n_bytes = 0
        self._every = 1
        self._n_packets = 0

    def add(self, packet: av.Packet[Any], number: int) -> None:
        """Note a packet; samples are thinned, but for the last."""
        self.n_bytes += packet.size
        if packet.pos is None or packet.stream.type not in ("video", "audio"):
            return
        time = stamp_of(packet)
        end_s = None if time is None else float((time + (packet.duration or 0)) * packet.time_base)
        if self._n_packets % self._every and self.samples:
            self.samples.pop()
        self.samples.append((packet.pos + packet.size, end_s, number))
        self._n_packets += 1
        if len(self.samples) > _MAX_SAMPLES:
            self.samples = self.samples[1::2]
            self._every *= 2

    def bytes_per_packet(self) -> int:
        """Mean size of a packet without the first eighth and the last one; 0 if there are too few."""
        if len(self.samples) < STEADY_AFTER:
            return 0
        first, last = self.samples[len(self.samples) // _START], self.samples[-2]
        return (last[0] - first[0]) // max(1, last[2] - first[2])

    def drop_last(self) -> None:
        """Forget the last packet."""
        del self.samples[-1:]

    @property
    def has_times(self) -> bool:
        """Whether the packets are stamped."""
        return len(self.samples) > 1 and None not in (self.samples[-1][1], self.samples[len(self.samples) // _START][1])

    def last(self, step_s: float) -> float:
        """End in time of the last packet, in seconds."""
        return self._time(self.samples[-1], step_s)

    def seconds_per_byte(self, step_s: float) -> float:
        """Seconds that a byte of the file takes.

        The rate of all packets, of those after the first eighth, of the latter half or of the last quarter: the one
        that predicts the times of later packets best.
        """
        start = 1 / _START
        if len(self.samples) >= 4 * STEADY_AFTER:
            start = min(_STARTS, key=lambda each: sum(self._error(each, share, step_s) for share in _TRIED))
        rate = self._rate(self.samples, start, step_s)
        last = self.samples[-1]
        return rate or (step_s * last[2] / last[0] if last[0] > 0 else 0.0)

    def _error(self, start: float, share: float, step_s: float) -> float:
        """Error of the rate in a first share of the samples for the time of the rest, as the size of a logarithm."""
        known, last = self.samples[: int(share * len(self.samples))], self.samples[-1]
        seconds = self._time(last, step_s) - self._time(known[-1], step_s)
        predicted_s = self._rate(known, start, step_s) * (last[0] - known[-1][0])
        return abs(math.log(predicted_s / seconds)) if min(predicted_s, seconds) > 0 else math.inf

    def _rate(self, samples: list[tuple[int, float | None, int]], start: float, step_s: float) -> float:
        """Seconds per byte from a share of the samples on; 0 where time or place do not rise."""
        first, last = samples[int(start * len(samples))], samples[-1]
        seconds, n_bytes = self._time(last, step_s) - self._time(first, step_s), last[0] - first[0]
        return seconds / n_bytes if min(seconds, n_bytes) > 0 else 0.0

    def range_of_rates(self, step_s: float) -> tuple[float, float]:
        """Least and largest ratio of the rate in an eighth of the packets to `seconds_per_byte`; (1, 1) for too few."""
        mean = self.seconds_per_byte(step_s)
        places = [len(self.samples) * part // _START for part in range(1, _START)]
        parts = [self.samples[place] for place in places] + self.samples[-1:]
        steps = [(self._time(b, step_s) - self._time(a, step_s), b[0] - a[0]) for a, b in pairwise(parts)]
        ratios = [seconds / n_bytes / mean for seconds, n_bytes in steps if min(seconds, n_bytes, mean) > 0]
        return min([1.0, *ratios]), max([1.0, *ratios])

    def _time(self, sample: tuple[int, float | None, int], step_s: float) -> float:
        return sample[2] * step_s if sample[1] is None else sample[1]

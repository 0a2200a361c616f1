# SPDX-License-Identifier: Apache-2.0
"""Events (stretches in which a signal is on, by hysteresis) and the expressions that follow one another."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from mien.core import DEFAULT_THRESHOLD, Bools, Float64, Indices
from mien.results.tables.recording import Recording, Subject

LOW_SHARE = 0.75
"""Share of its threshold down to which a signal that is on stays on, so that a flicker around it is one event."""

SWITCH_MARGIN = 0.1
"""Smallest difference of probabilities by which another expression must lead to replace the current one."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One stretch in which an action unit or an expression of a face is on.

    Attributes:
        source: Name of the recording.
        subject: Track or person with the event.
        kind: Kind of signal, ``"action_unit"`` or ``"expression"``.
        signal: Name of the signal, such as ``"AU12"`` or ``"happiness"``.
        onset_s: Time of the first frame in seconds.
        offset_s: End of the last frame in seconds.
        peak_s: Time in seconds of the first frame with the highest probability.
        peak: Highest probability.
        mean: Mean probability over the event's frames.
        n_frames: Number of the event's frames with the face in view.
        onset_seen: Whether the face was in view, with the signal off, right before; if not, the event may have begun
            earlier.
        offset_seen: Whether the face was in view, with the signal off, right after.
        threshold: Probability that begins an event.
    """

    source: str
    subject: Subject
    kind: str
    signal: str
    onset_s: float
    offset_s: float
    peak_s: float
    peak: float
    mean: float
    n_frames: int
    onset_seen: bool
    offset_seen: bool
    threshold: float

    @property
    def duration_s(self) -> float:
        """Seconds from onset to offset; a lower limit where one of them was not seen."""
        return self.offset_s - self.onset_s


def is_on(values: Float64, threshold: float, *, was_on: bool = False) -> Bools:
    """A Schmitt trigger: on from ``threshold``, off below `LOW_SHARE` of it, else as before.

    Args:
        values: (N,) without NaN, in order of time.
        threshold: Threshold of the signal.
        was_on: State before the first value.

    Examples:
        >>> is_on(np.array([0.4, 0.5, 0.4, 0.3]), 0.5).tolist()
        [False, True, True, False]
    """
    decided = (values >= threshold) | (values < LOW_SHARE * threshold)
    last = np.maximum.accumulate(np.where(decided, np.arange(len(values)), -1))
    return np.asarray(np.where(last >= 0, values[last] >= threshold, was_on), dtype=np.bool_)


def find_events(recording: Recording, signals: Mapping[str, str], thresholds: Mapping[str, float]) -> Iterator[Event]:
    """Every event of every followed face, by face, then signal, then time.

    Args:
        recording: Recording of one source.
        signals: Column -> kind, for example ``{"AU12": "action_unit", "expression_happiness": "expression"}``.
        thresholds: Column -> threshold; `mien.core.DEFAULT_THRESHOLD` for columns that are not named.
    """
    for subject in recording.followed():
        rows = recording.rows_of(subject)
        for column, kind in signals.items():
            finder = EventFinder(recording.source, subject, column, kind, thresholds.get(column, DEFAULT_THRESHOLD))
            finder.add(recording, rows, recording.numbers(column))
            yield from finder.finish()


_N_NUMBERS = 5


class EventFinder:
    """Finds the events of one signal of one face, part by part in order of time.

    Args:
        source: Name of the recording.
        subject: Track or person.
        column: Column of the signal.
        kind: Kind of signal, ``"action_unit"`` or ``"expression"``.
        threshold: Probability that begins an event.
    """

    def __init__(self, source: str, subject: Subject, column: str, kind: str, threshold: float) -> None:
        self._source = source
        self._subject = subject
        self._signal = column.removeprefix("expression_")
        self._kind = kind
        self._threshold = threshold
        self._done = array("d")  # five numbers an event: long recordings have very many
        self._counts = array("q")  # frames of each event, then a bit for each end that was seen
        self._open: _OpenEvent | None = None
        self._last_s: float | None = None

    def add(self, recording: Recording, rows: Indices, values: Float64) -> None:
        """Adds the next frames.

        Args:
            recording: Frames after those of the last call.
            rows: Rows of the face in them, in order of time.
            values: (R,) signal of every row of the recording; rows with NaN are left out.
        """
        for piece in recording.pieces(rows[np.isfinite(values[rows])]):
            time_s = recording.row_time_s[piece]
            continues = self._last_s is not None and time_s[0] - self._last_s <= recording.gap_s
            if not continues:
                self._close(offset_seen=False)
            on = is_on(values[piece], self._threshold, was_on=self._open is not None)
            if self._open is not None and not on[0]:
                self._close(offset_seen=True)
            for first, stop in _runs(on):
                if self._open is None:
                    self._open = _OpenEvent(onset_s=float(time_s[first]), onset_seen=first > 0 or continues)
                during = piece[first:stop]
                self._open.add(time_s[first:stop], recording.row_hold_s[during[-1:]], values[during])
                if stop < len(piece):
                    self._close(offset_seen=True)
            self._last_s = float(time_s[-1])

    def finish(self) -> Iterator[Event]:
        """The events in order of time, once all frames are added."""
        self._close(offset_seen=False)
        for number, count in enumerate(self._counts):
            at = number * _N_NUMBERS
            onset_s, offset_s, peak_s, peak, mean = self._done[at : at + _N_NUMBERS]
            yield Event(
                source=self._source,
                subject=self._subject,
                kind=self._kind,
                signal=self._signal,
                onset_s=onset_s,
                offset_s=offset_s,
                peak_s=peak_s,
                peak=peak,
                mean=mean,
                n_frames=count >> 2,
                onset_seen=bool(count & 2),
                offset_seen=bool(count & 1),
                threshold=self._threshold,
            )

    def _close(self, *, offset_seen: bool) -> None:
        if self._open is None:
            return
        event, self._open = self._open, None
        mean = event.total / event.n_frames
        self._done.extend((event.onset_s, event.offset_s, event.peak_s, event.peak, mean))
        self._counts.append(event.n_frames << 2 | event.onset_seen << 1 | offset_seen)


@dataclass(kw_only=True)
class _OpenEvent:
    onset_s: float
    onset_seen: bool
    offset_s: float = 0.0
    peak_s: float = 0.0
    peak: float = -np.inf
    total: float = 0.0
    n_frames: int = 0

    def add(self, time_s: Float64, last_hold_s: Float64, values: Float64) -> None:
        highest = int(values.argmax())
        if values[highest] > self.peak:
            self.peak, self.peak_s = float(values[highest]), float(time_s[highest])
        self.total += float(values.sum())
        self.n_frames += len(values)
        self.offset_s = float(time_s[-1] + last_hold_s[0])


def expression_states(probabilities: Float64, held: int | None = None) -> Indices:
    """The expression of a face over time, held until another one is clearly more probable.

    Args:
        probabilities: (N, E) probabilities in [0, 1], in order of time; NaN for classes that the bundle does not have,
            at least one number in each row.
        held: Index of the expression before the first row; None where there is none.

    Returns:
        (N,) index of the expression: the most probable one at first, and later whenever another one leads the current
        one by at least `SWITCH_MARGIN`.

    Examples:
        >>> expression_states(np.array([[0.6, 0.4], [0.47, 0.53], [0.4, 0.6]])).tolist()
        [0, 0, 1]
    """
    known = np.where(np.isnan(probabilities), -np.inf, probabilities)
    top = known.argmax(axis=1)
    states = np.empty(len(top), dtype=np.intp)
    if held is None:
        held = top[0] if len(top) else 0
    for row, leader in enumerate(top):
        if leader != held and known[row, leader] - known[row, held] >= SWITCH_MARGIN:
            held = leader
        states[row] = held
    return states


def _runs(on: Bools) -> Iterator[tuple[int, int]]:
    """First index and the one after the last of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(np.int8)))
    for first, stop in edges.reshape(-1, 2):
        yield int(first), int(stop)

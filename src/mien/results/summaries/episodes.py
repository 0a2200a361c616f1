# SPDX-License-Identifier: Apache-2.0
"""Events (stretches in which a signal is on, by hysteresis) and the expressions that follow one another."""

from __future__ import annotations

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


def is_on(values: Float64, threshold: float) -> Bools:
    """A Schmitt trigger: on from ``threshold``, off below `LOW_SHARE` of it, else as before; off at the start.

    Args:
        values: (N,) without NaN, in order of time.
        threshold: Threshold of the signal.

    Examples:
        >>> is_on(np.array([0.4, 0.5, 0.4, 0.3]), 0.5).tolist()
        [False, True, True, False]
    """
    decided = (values >= threshold) | (values < LOW_SHARE * threshold)
    last = np.maximum.accumulate(np.where(decided, np.arange(len(values)), -1))
    return np.asarray((last >= 0) & (values[last] >= threshold), dtype=np.bool_)


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
            values = recording.numbers(column)
            threshold = thresholds.get(column, DEFAULT_THRESHOLD)
            for piece in recording.pieces(rows[np.isfinite(values[rows])]):
                for first, stop in _runs(is_on(values[piece], threshold)):
                    during = piece[first:stop]
                    highest = during[values[during].argmax()]
                    yield Event(
                        source=recording.source,
                        subject=subject,
                        kind=kind,
                        signal=column.removeprefix("expression_"),
                        onset_s=float(recording.row_time_s[during[0]]),
                        offset_s=float(recording.row_time_s[during[-1]] + recording.row_hold_s[during[-1]]),
                        peak_s=float(recording.row_time_s[highest]),
                        peak=float(values[highest]),
                        mean=float(values[during].mean()),
                        n_frames=len(during),
                        onset_seen=first > 0,
                        offset_seen=stop < len(piece),
                        threshold=threshold,
                    )


def expression_states(probabilities: Float64) -> Indices:
    """The expression of a face over time, held until another one is clearly more probable.

    Args:
        probabilities: (N, E) probabilities in [0, 1], in order of time; NaN for classes that the bundle does not have,
            at least one number in each row.

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

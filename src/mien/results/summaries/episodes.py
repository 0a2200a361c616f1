# SPDX-License-Identifier: Apache-2.0
"""Events: stretches in which a signal is on, by hysteresis, and the expressions that follow one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.core import DEFAULT_THRESHOLD
from mien.results.tables.recording import Floats, Recording, Subject

LOW_SHARE = 0.75
"""A signal that is on stays on down to this share of its threshold, so that a flicker around it is one event."""

SWITCH_MARGIN = 0.1
"""An expression gives way only to one that is more probable by at least this much."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One stretch in which an action unit or an expression of a face is on.

    Attributes:
        source: name of the recording.
        subject: whose face.
        kind: ``"action_unit"`` or ``"expression"``.
        signal: ``"AU12"``, ``"happiness"``, ...
        onset_s: time of the first frame.
        offset_s: end of the last frame.
        peak_s: time of the first frame with the highest probability.
        peak: that probability.
        mean: of the probability over the event's frames.
        n_frames: the event's frames in which the face was seen.
        onset_seen: whether the face was in view, with the signal off, right before; if not, it may have begun earlier.
        offset_seen: the same for the end.
        threshold: the probability that begins an event.
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


def is_on(values: Floats, threshold: float) -> npt.NDArray[np.bool_]:
    """A Schmitt trigger: on from ``threshold``, off below `LOW_SHARE` of it, else as before; off at the start.

    Args:
        values: (N,) without NaN, in order of time.
        threshold: of the signal.
    """
    decided = (values >= threshold) | (values < LOW_SHARE * threshold)
    last = np.maximum.accumulate(np.where(decided, np.arange(len(values)), -1))
    return np.asarray((last >= 0) & (values[last] >= threshold), dtype=np.bool_)


def find_events(recording: Recording, signals: Mapping[str, str], thresholds: Mapping[str, float]) -> Iterator[Event]:
    """Every event of every followed face, by face, then signal, then time.

    Args:
        recording: one source.
        signals: column -> kind, for example ``{"AU12": "action_unit", "expression_happiness": "expression"}``.
        thresholds: column -> threshold; `DEFAULT_THRESHOLD` for the others.
    """
    for subject in recording.followed():
        rows = recording.rows_of(subject)
        for column, kind in signals.items():
            values = recording.numbers(column)
            threshold = thresholds.get(column, DEFAULT_THRESHOLD)
            for piece in recording.pieces(rows[np.isfinite(values[rows])]):
                on = is_on(values[piece], threshold)
                for first, stop in _runs(on):
                    yield _event(recording, subject, kind, column, values, piece, first, stop, threshold)


def expression_states(probabilities: Floats) -> npt.NDArray[np.intp]:
    """The expression that a face shows, held until another one is clearly more probable.

    Args:
        probabilities: (N, E) probabilities in [0, 1], in order of time; NaN for classes that the bundle does not have,
            at least one number in each row.

    Returns:
        (N,) index of the expression: the most probable one at first, and whenever it leads the one that was held by
        at least `SWITCH_MARGIN`.
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


def _runs(on: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """First index and the one after the last of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(np.int8)))
    for first, stop in edges.reshape(-1, 2):
        yield int(first), int(stop)


def _event(
    recording: Recording,
    subject: Subject,
    kind: str,
    column: str,
    values: Floats,
    piece: npt.NDArray[np.intp],
    first: int,
    stop: int,
    threshold: float,
) -> Event:
    rows = piece[first:stop]
    highest = rows[values[rows].argmax()]
    return Event(
        source=recording.source,
        subject=subject,
        kind=kind,
        signal=column.removeprefix("expression_"),
        onset_s=float(recording.row_time_s[rows[0]]),
        offset_s=float(recording.row_time_s[rows[-1]] + recording.row_hold_s[rows[-1]]),
        peak_s=float(recording.row_time_s[highest]),
        peak=float(values[highest]),
        mean=float(values[rows].mean()),
        n_frames=len(rows),
        onset_seen=first > 0,
        offset_seen=stop < len(piece),
        threshold=threshold,
    )

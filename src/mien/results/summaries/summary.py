# SPDX-License-Identifier: Apache-2.0
"""Summaries of a table per source, face and time window, with events and transitions, and the columns they have."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mien.core import DIMENSIONS, Bools, ConfigError, Float64, Indices, Int64
from mien.results.summaries.episodes import (
    Event,
    expression_states,
    find_events,
)
from mien.results.table_reader import iter_sources
from mien.results.tables.recording import UNTRACKED, Recording, Subject
from mien.results.tables.schema import (
    Column,
    action_unit_columns,
    expression_columns,
    presence_thresholds,
    table_schema,
)

PERCENTILES = (5, 25, 50, 75, 95)
"""Percentiles of valence and arousal in a summary."""


def _text(name: str, meaning: str) -> Column:
    return Column(name=name, type=pa.string(), unit="", range="any text", meaning=meaning)


def _whole(name: str, meaning: str, unit: str = "") -> Column:
    return Column(name=name, type=pa.int64(), unit=unit, range=">= 0", meaning=meaning)


def _real(name: str, unit: str, range_: str, meaning: str) -> Column:
    return Column(name=name, type=pa.float64(), unit=unit, range=range_, meaning=meaning)


def _flag(name: str, meaning: str) -> Column:
    return Column(name=name, type=pa.bool_(), unit="", range="true, false", meaning=meaning)


_WHO = (
    _text("source", "The input, as in the table."),
    _whole("track_id", "The track; null for persons, untracked faces and whole sources."),
    _text("person", "The name given to tracks, where the table has one."),
)
_WINDOW = _whole("window", "Number of the time window, from 0 at second 0 of the source.")

_HEAD = (
    _WHO[0],
    Column(
        name="scope",
        type=pa.string(),
        unit="",
        range="source, person, track, untracked",
        meaning="Faces of the row: all of the source, those of a named person, a track, or faces without a track.",
    ),
    *_WHO[1:],
    _WINDOW,
    _real("start_s", "s", "any", "Begin of the window; time of the first frame where there is only one window."),
    _real("end_s", "s", "> start_s", "End of the window, or of the source if that comes first."),
    _whole("n_frames", "Number of frames of the source in the window.", "frames"),
    _whole("n_face_frames", "Number of frames of the window in which the face (source: any face) was found.", "frames"),
    _real("coverage", "1", "[0, 1]", "n_face_frames / n_frames; null in a window without a frame."),
    _whole("n_faces", "Number of rows with a face.", "rows"),
    _real("face_s", "s", ">= 0", "Time that those rows stand for."),
    _real("unseen_s", "s", ">= 0", "Time in gaps between frames, for which the table has no rows."),
    _real("confidence_mean", "1", "[0, 1]", "Mean of the detector's confidence."),
    _real("quality_mean", "1", "[0, 1]", "Mean quality."),
)

EVENT_COLUMNS = (
    *_WHO,
    Column(
        name="kind", type=pa.string(), unit="", range="action_unit, expression", meaning="What kind of signal it is."
    ),
    _text("signal", "AU12, happiness, ..."),
    _real("onset_s", "s", "any", "Time of the first frame of the event."),
    _real("offset_s", "s", "> onset_s", "End of the last frame of the event."),
    _real("duration_s", "s", ">= 0", "offset_s - onset_s."),
    _real("peak_s", "s", "any", "Time of the first frame with the highest probability."),
    _real("peak", "1", "[0, 1]", "The highest probability of the event."),
    _real("mean", "1", "[0, 1]", "Mean probability over the event's frames."),
    _whole("n_frames", "Number of frames of the event in which the face was found.", "frames"),
    _flag("onset_seen", "Whether the face was in view right before, with the signal off."),
    _flag("offset_seen", "Whether the face was in view right after, with the signal off."),
    _real("threshold", "1", "(0, 1]", "The probability that begins an event."),
)

TRANSITION_COLUMNS = (
    *_WHO,
    _WINDOW,
    _text("from_expression", "The expression before the change."),
    _text("to_expression", "The expression after the change."),
    _whole("n", "Number of changes from the one to the other.", ""),
)


def summary_columns(schema: pa.Schema) -> tuple[Column, ...]:
    """The columns of the summary of a table.

    Args:
        schema: Schema of the affect table.
    """
    return (
        *_HEAD,
        *(column for dimension in DIMENSIONS for column in _dimension(dimension)),
        *(column for name in expression_columns(schema) for column in _signal(name, name, "share")),
        *(column for name in action_unit_columns(schema) for column in _signal(name, name, "rate")),
        _whole("n_transitions", "Number of changes of the current expression; null where nothing is tracked."),
    )


def summary_schema(schema: pa.Schema) -> pa.Schema:
    """The Arrow schema of the summary of a table with this schema."""
    return _arrow(summary_columns(schema))


def event_row(event: Event) -> dict[str, Any]:
    """An event as a row of `EVENT_SCHEMA`."""
    row = {**vars(event), "duration_s": event.duration_s, **vars(event.subject)}
    del row["subject"]
    return row


def _dimension(name: str) -> tuple[Column, ...]:
    return (
        _real(f"{name}_mean", "1", "[-1, 1]", f"Mean {name} of the rows, each row once."),
        _real(f"{name}_sd", "1", ">= 0", "Standard deviation, divisor n - 1; null for a single row."),
        *(_real(f"{name}_p{p:02d}", "1", "[-1, 1]", f"Percentile {p} of {name}, interpolated.") for p in PERCENTILES),
    )


def _signal(name: str, what: str, share: str) -> tuple[Column, ...]:
    meaning = (
        "Share of the face's time in which it is the most probable expression."
        if share == "share"
        else "Base rate: share of the face's time with a probability at or above the threshold."
    )
    return (
        _real(f"{name}_{share}", "1", "[0, 1]", meaning),
        _whole(
            f"{name}_events", f"Number of events of {what} that begin in the window; null where nothing is tracked."
        ),
        _real(f"{name}_event_s", "s", "> 0", "Mean duration of those events; null without an event."),
    )


def _arrow(columns: tuple[Column, ...]) -> pa.Schema:
    return pa.schema([column.field for column in columns])


EVENT_SCHEMA = _arrow(EVENT_COLUMNS)
TRANSITION_SCHEMA = _arrow(TRANSITION_COLUMNS)


Rows = Indices
_EVERYONE = None  # stands for all faces of a source


class SourceSummary:
    """The summary of one recording.

    Args:
        recording: Recording of one source.
        window_s: Length of the time windows in seconds; None for one window over everything.
        thresholds: Thresholds of the bundle, for a table that keeps none.

    Attributes:
        thresholds: Action unit -> probability from which it counts as present.
    """

    def __init__(self, recording: Recording, window_s: float | None, thresholds: Mapping[str, float]) -> None:
        self._recording = recording
        self._window_s = window_s
        schema = recording.table.schema
        self._units = action_unit_columns(schema)
        self.thresholds = presence_thresholds(schema, thresholds)
        # Classes that the bundle does not have are null throughout: they have no share, not a share of 0.
        self._expressions = [name for name in expression_columns(schema) if _known(recording, name)]
        self._columns = {
            name: recording.numbers(name)
            for name in ("confidence", "quality", *DIMENSIONS, *self._expressions, *self._units)
        }
        self._top = np.array(recording.table["expression"].to_pylist(), dtype=object)
        self._frame_window = self._window_of(recording.frame_time_s)
        self._row_window = self._frame_window[recording.frame_of_row]

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """Every event of every followed face."""
        signals = dict.fromkeys(self._expressions, "expression") | dict.fromkeys(self._units, "action_unit")
        return tuple(find_events(self._recording, signals, self.thresholds))

    def windows(self) -> Iterator[dict[str, Any]]:
        """One row per window of the whole source, then of each face from its first to its last window."""
        recording = self._recording
        everyone = np.flatnonzero(recording.has_face)
        yield from self._rows_of("source", _EVERYONE, everyone, self._frame_window[[0, -1]])
        for subject in recording.subjects:
            rows = recording.rows_of(subject)
            if subject == UNTRACKED and len(rows) == len(everyone):
                continue  # the rows of the whole source say the same
            yield from self._rows_of(_scope(subject), subject, rows, self._row_window[rows[[0, -1]]])

    def transitions(self) -> Iterator[dict[str, Any]]:
        """One row per face, window and pair of expressions."""
        for (subject, window, before, after), n in sorted(self._changes.items(), key=self._place):
            yield {
                "source": self._recording.source,
                **vars(subject),
                "window": window,
                "from_expression": before,
                "to_expression": after,
                "n": n,
            }

    def _place(self, change: tuple[tuple[Subject, int, str, str], int]) -> tuple[int, int, str, str]:
        subject, window, before, after = change[0]
        return self._recording.subjects.index(subject), window, before, after

    @cached_property
    def _changes(self) -> Counter[tuple[Subject, int, str, str]]:
        recording = self._recording
        labels = [name.removeprefix("expression_") for name in self._expressions]
        found: Counter[tuple[Subject, int, str, str]] = Counter()
        if not labels:
            return found
        probabilities = np.stack([self._columns[name] for name in self._expressions], axis=1)
        known: Bools = np.asarray(np.isfinite(probabilities).any(axis=1))
        for subject in recording.followed():
            rows = recording.rows_of(subject)
            for piece in recording.pieces(rows[known[rows]]):
                states = expression_states(probabilities[piece])
                for at in np.flatnonzero(states[1:] != states[:-1]) + 1:
                    window = int(self._row_window[piece[at]])
                    found[subject, window, labels[states[at - 1]], labels[states[at]]] += 1
        return found

    @cached_property
    def _durations(self) -> dict[tuple[Subject | None, int, str], list[float]]:
        """Durations of the events by face (and for everyone), window of the onset, and signal."""
        durations: dict[tuple[Subject | None, int, str], list[float]] = defaultdict(list)
        for event in self.events:
            window = int(self._window_of(np.array([event.onset_s]))[0])
            for whose in (event.subject, _EVERYONE):
                durations[whose, window, event.signal].append(event.duration_s)
        return durations

    def _window_of(self, time_s: Float64) -> Int64:
        if self._window_s is None:
            return np.zeros(len(time_s), dtype=np.int64)
        window: Int64 = np.floor(time_s / self._window_s).astype(np.int64)
        return window

    def _rows_of(self, scope: str, subject: Subject | None, rows: Rows, span: Int64) -> Iterator[dict[str, Any]]:
        """One row per window of a span, windows without the face included."""
        who = vars(subject) if subject is not None else vars(UNTRACKED)
        row_window = self._row_window[rows]
        for window in range(int(span[0]), int(span[-1]) + 1):
            start, stop = np.searchsorted(row_window, [window, window + 1])
            yield {
                "source": self._recording.source,
                "scope": scope,
                **who,
                "window": window,
                **self._coverage(window, rows[start:stop]),
                **self._means(rows[start:stop]),
                **self._counts(window, subject),
            }

    def _coverage(self, window: int, rows: Rows) -> dict[str, Any]:
        recording = self._recording
        first, stop = np.searchsorted(self._frame_window, [window, window + 1])
        n_frames = int(stop - first)
        n_face_frames = len(np.unique(recording.frame_of_row[rows]))
        unseen_s = np.maximum(np.diff(recording.frame_time_s) - recording.hold_s[:-1], 0)
        start_s, end_s = float(recording.frame_time_s[0]), recording.end_s
        if self._window_s is not None:
            start_s, end_s = window * self._window_s, min((window + 1) * self._window_s, recording.end_s)
        return {
            "start_s": start_s,
            "end_s": end_s,
            "n_frames": n_frames,
            "n_face_frames": n_face_frames,
            "coverage": n_face_frames / n_frames if n_frames else None,
            "n_faces": len(rows),
            "face_s": float(recording.row_hold_s[rows].sum()),
            "unseen_s": float(unseen_s[first:stop].sum()),
        }

    def _means(self, rows: Rows) -> dict[str, Any]:
        values_of: dict[str, Any] = {
            f"{name}_mean": _mean(self._columns[name][rows]) for name in ("confidence", "quality")
        }
        for name in DIMENSIONS:
            values_of |= _distribution(name, self._columns[name][rows])
        weights = self._recording.row_hold_s[rows]
        if not weights.any():
            weights = np.ones(len(rows))  # photos have no duration: each face counts alike
        top = self._top[rows]
        has_top = np.array([label is not None for label in top], dtype=np.bool_)
        for name in self._expressions:
            values_of[f"{name}_share"] = _share(top == name.removeprefix("expression_"), weights, has_top)
        for name in self._units:
            values = self._columns[name][rows]
            values_of[f"{name}_rate"] = _share(values >= self.thresholds[name], weights, np.isfinite(values))
        return values_of

    def _counts(self, window: int, subject: Subject | None) -> dict[str, Any]:
        if subject == UNTRACKED or not any(True for _ in self._recording.followed()):
            return {}  # rows that do not follow one another have no events
        counts: dict[str, Any] = {
            "n_transitions": sum(
                n for (whose, at, _, _), n in self._changes.items() if at == window and subject in (whose, _EVERYONE)
            )
        }
        for name in (*self._expressions, *self._units):
            durations = self._durations.get((subject, window, name.removeprefix("expression_")), [])
            counts[f"{name}_events"] = len(durations)
            counts[f"{name}_event_s"] = sum(durations) / len(durations) if durations else None
        return counts


def _known(recording: Recording, name: str) -> bool:
    return bool(recording.table[name].null_count < len(recording.table))


def _scope(subject: Subject) -> str:
    if subject.person is not None:
        return "person"
    return "untracked" if subject == UNTRACKED else "track"


def _mean(values: Float64) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def _distribution(name: str, values: Float64) -> dict[str, float | None]:
    known = values[np.isfinite(values)]
    row: dict[str, float | None] = {f"{name}_mean": _mean(values)}
    row[f"{name}_sd"] = float(known.std(ddof=1)) if len(known) > 1 else None
    if len(known):
        found = np.percentile(known, PERCENTILES)
        row |= {f"{name}_p{p:02d}": float(value) for p, value in zip(PERCENTILES, found, strict=True)}
    return row


def _share(on: Bools, weights: Float64, known: Bools) -> float | None:
    total = float(weights[known].sum())
    return float(weights[known & on].sum()) / total if total else None


@dataclass(frozen=True, eq=False, kw_only=True)
class Summary:
    """The three tables of `summarize_table`; with pandas installed each has ``to_pandas()``.

    Attributes:
        windows: Table with one row per source, face (and all faces of the source) and time window.
        events: Table with one row per stretch in which an action unit or an expression was on.
        transitions: Table with one row per source, face, window and ordered pair of expressions that followed one
            another.
    """

    windows: pa.Table
    events: pa.Table
    transitions: pa.Table


def summarize_table(
    table: pa.Table | str | Path, *, window_s: float | None = None, thresholds: Mapping[str, float] | None = None
) -> Summary:
    """Summarises an affect table; ``docs/summaries.md`` defines every column and shows how to repeat it.

    Args:
        table: Table from `mien.read_table`, or the path of one; a Parquet file is read one source at a time.
        window_s: Length of the time windows in seconds, counted from second 0 of each source; None for one window.
        thresholds: Action unit -> probability from which it counts as present, for tables that keep no thresholds of
            their bundle (text formats); 0.5 for units that are named nowhere.

    Raises:
        ConfigError: The window is not longer than 0 s, or the ending is unknown.
        InputError: The table cannot be read, or its rows have no clear time.
    """
    if window_s is not None and not 0 < window_s < float("inf"):
        raise ConfigError(f"a window must be longer than 0 s, got {window_s}")
    schema = table_schema()  # of a table without rows
    windows: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    transitions: list[dict[str, Any]] = []
    for recording in iter_recordings(table):
        summary = SourceSummary(recording, window_s, thresholds or {})
        schema = recording.table.schema
        windows += summary.windows()
        events += [event_row(event) for event in summary.events]
        transitions += summary.transitions()
    return Summary(
        windows=pa.Table.from_pylist(windows, summary_schema(schema)),
        events=pa.Table.from_pylist(events, EVENT_SCHEMA),
        transitions=pa.Table.from_pylist(transitions, TRANSITION_SCHEMA),
    )


def iter_recordings(table: pa.Table | str | Path) -> Iterator[Recording]:
    """Every source of a table on its own clock; a Parquet file is read one source at a time.

    Raises:
        ConfigError: The ending is unknown.
        InputError: The table cannot be read, or its rows have no clear time.
    """
    for source, rows in iter_sources(table):
        yield Recording.from_table(source, rows)

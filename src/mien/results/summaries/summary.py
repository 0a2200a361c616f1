# SPDX-License-Identifier: Apache-2.0
"""Summaries of a table per source, face and time window, with events and transitions, and the columns they have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from mien.core import DIMENSIONS, MAX_SECONDS, ConfigError, counted, html_table
from mien.results.summaries.distribution import PERCENTILES
from mien.results.summaries.episodes import Event
from mien.results.summaries.source_parts import Pieces, iter_parts
from mien.results.summaries.source_summary import SourceSummary
from mien.results.tables.schema import action_unit_columns, expression_columns, table_schema
from mien.results.tables.table_columns import Column


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
        _text("smoothing", "How tracked values were smoothed before they were summarised; null for raw values."),
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


_HTML_ROWS = 20
_HTML_COLUMNS = (
    "source",
    "scope",
    "track_id",
    "person",
    "start_s",
    "end_s",
    "coverage",
    "valence_mean",
    "arousal_mean",
)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
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

    def __repr__(self) -> str:
        counts = (counted(len(table), noun) for table, noun in ((self.windows, "row"), (self.events, "event")))
        return f"Summary({', '.join(counts)})"

    def _repr_html_(self) -> str:
        """The first rows of the windows, as notebooks show them."""
        shares = [name for name in self.windows.schema.names if name.endswith("_share")]
        names = [name for name in (*_HTML_COLUMNS, *shares) if name in self.windows.schema.names]
        rows = self.windows.select(names).slice(0, _HTML_ROWS).to_pylist()
        header = [name.removeprefix("expression_").removesuffix("_share") for name in names]
        return f"<p>{escape(repr(self))}</p>{html_table(header, ([row[name] for name in names] for row in rows))}"


def check_window(window_s: float | None) -> None:
    """Refuses a length of time windows.

    Args:
        window_s: Length in seconds; None for one window.

    Raises:
        ConfigError: It is not longer than 0 s, or longer than `mien.core.MAX_SECONDS`.
    """
    if window_s is not None and not 0 < window_s <= MAX_SECONDS:
        raise ConfigError(f"a window must be longer than 0 s and at most {MAX_SECONDS:,.0f} s, got {window_s}")


def summarize_table(
    table: pa.Table | str | Path,
    *,
    window_s: float | None = None,
    thresholds: Mapping[str, float] | None = None,
    values: Pieces | None = None,
    smoothing: str | None = None,
) -> Summary:
    """Summarises an affect table; ``docs/reference/summaries.md`` defines every column and shows how to repeat it.

    Args:
        table: Table from `mien.read_table`, or the path of one, which is read piece by piece. Only a source whose rows
            are not in order of time is held in memory.
        window_s: Length of the time windows in seconds, counted from second 0 of each source; None for one window.
        thresholds: Action unit -> probability from which it counts as present, for tables that keep no thresholds of
            their bundle (text formats); 0.5 for units that are named nowhere.
        values: Gives the same rows with smoothed values, as for `mien.results.iter_parts`; None for the table's own.
        smoothing: How they were smoothed, for the column of that name; None for raw values.

    Raises:
        ConfigError: The window is not longer than 0 s or longer than `mien.core.MAX_SECONDS`, or the ending is unknown.
        InputError: The table cannot be read, or its rows have no clear time.
    """
    check_window(window_s)
    schema = table_schema()  # of a table without rows
    running: dict[int, SourceSummary] = {}
    windows, events, transitions = _Rows(), _Rows(), _Rows()
    for part in iter_parts(table, values):
        schema = part.schema
        if part.number not in running:
            known = list(part.expressions)
            running[part.number] = SourceSummary(part.recording.source, schema, known, window_s, thresholds or {})
        running[part.number].add(part.recording)
        if part.is_last:
            summary = running.pop(part.number)
            rows = ({**row, "smoothing": smoothing} for row in summary.windows())
            windows.add(part.number, rows, summary_schema(schema))
            events.add(part.number, map(event_row, summary.events()), EVENT_SCHEMA)
            transitions.add(part.number, summary.transitions(), TRANSITION_SCHEMA)
    return Summary(
        windows=windows.table(summary_schema(schema)),
        events=events.table(EVENT_SCHEMA),
        transitions=transitions.table(TRANSITION_SCHEMA),
    )


_ROWS_A_PIECE = 2048  # a row as a Python object takes ten times the memory of one in a table


class _Rows:
    """Rows of many sources, packed into tables as they come."""

    def __init__(self) -> None:
        self._found: dict[int, list[dict[str, Any] | pa.Table]] = {}

    def add(self, number: int, rows: Iterator[dict[str, Any]], schema: pa.Schema) -> None:
        """Adds the rows of a source with its number."""
        found = self._found.setdefault(number, [])
        while piece := list(islice(rows, _ROWS_A_PIECE)):
            found += piece if len(piece) < _ROWS_A_PIECE else [pa.Table.from_pylist(piece, schema)]

    def table(self, schema: pa.Schema) -> pa.Table:
        """All rows, by the number of their source."""
        ordered = (row for _, rows in sorted(self._found.items()) for row in rows)
        parts = [schema.empty_table()]
        for packed, group in groupby(ordered, key=lambda row: isinstance(row, pa.Table)):
            rows = list(group)
            parts += rows if packed else [pa.Table.from_pylist(rows, schema)]
        return pa.concat_tables(parts)

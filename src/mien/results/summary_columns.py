# SPDX-License-Identifier: Apache-2.0
"""The columns of the summary tables and what they mean, written once."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from mien.core import DIMENSIONS
from mien.results.episodes import Event
from mien.results.schema import Column, action_unit_columns, expression_columns

PERCENTILES = (5, 25, 50, 75, 95)
"""Of valence and arousal."""


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
        meaning="Whose rows: all faces of the source, a named person, a track, or faces that were not tracked.",
    ),
    *_WHO[1:],
    _WINDOW,
    _real("start_s", "s", "any", "Begin of the window; of the first frame where there is only one window."),
    _real("end_s", "s", "> start_s", "End of the window, or of the source if that comes first."),
    _whole("n_frames", "Frames of the source in the window.", "frames"),
    _whole("n_face_frames", "Frames of the window in which the face (source: any face) was found.", "frames"),
    _real("coverage", "1", "[0, 1]", "n_face_frames / n_frames; null in a window without a frame."),
    _whole("n_faces", "Rows with a face.", "rows"),
    _real("face_s", "s", ">= 0", "Time that those rows stand for."),
    _real("unseen_s", "s", ">= 0", "Time in gaps between frames, of which the table knows nothing."),
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
    _real("offset_s", "s", "> onset_s", "End of its last frame."),
    _real("duration_s", "s", ">= 0", "offset_s - onset_s."),
    _real("peak_s", "s", "any", "Time of the first frame with the highest probability."),
    _real("peak", "1", "[0, 1]", "That probability."),
    _real("mean", "1", "[0, 1]", "Mean probability over the event's frames."),
    _whole("n_frames", "Frames of the event in which the face was found.", "frames"),
    _flag("onset_seen", "Whether the face was in view right before, with the signal off."),
    _flag("offset_seen", "Whether the face was in view right after, with the signal off."),
    _real("threshold", "1", "(0, 1]", "The probability that begins an event."),
)

TRANSITION_COLUMNS = (
    *_WHO,
    _WINDOW,
    _text("from_expression", "The expression before."),
    _text("to_expression", "The expression after."),
    _whole("n", "How often the one gave way to the other.", ""),
)


def summary_columns(schema: pa.Schema) -> tuple[Column, ...]:
    """The columns of the summary of a table.

    Args:
        schema: of the affect table.
    """
    return (
        *_HEAD,
        *(column for dimension in DIMENSIONS for column in _dimension(dimension)),
        *(column for name in expression_columns(schema) for column in _signal(name, name, "share")),
        *(column for name in action_unit_columns(schema) for column in _signal(name, name, "rate")),
        _whole("n_transitions", "Changes of the expression that is held; null where nothing is tracked."),
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
        _whole(f"{name}_events", f"Events of {what} that begin in the window; null where nothing is tracked."),
        _real(f"{name}_event_s", "s", "> 0", "Their mean duration; null without an event."),
    )


def _arrow(columns: tuple[Column, ...]) -> pa.Schema:
    return pa.schema([column.field for column in columns])


EVENT_SCHEMA = _arrow(EVENT_COLUMNS)
TRANSITION_SCHEMA = _arrow(TRANSITION_COLUMNS)

# SPDX-License-Identifier: Apache-2.0
"""What a table says in short: per source, face and time window, with every event and every change of expression."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from mien.core import ConfigError
from mien.results.recording import Recording
from mien.results.schema import table_schema
from mien.results.sources import iter_sources
from mien.results.summary_columns import EVENT_SCHEMA, TRANSITION_SCHEMA, event_row, summary_schema
from mien.results.summary_rows import SourceSummary


@dataclass(frozen=True, eq=False, kw_only=True)
class Summary:
    """The three tables of `summarize`; with pandas installed each has ``to_pandas()``.

    Attributes:
        windows: one row per source, face (and all faces of the source) and time window.
        events: one row per stretch in which an action unit or an expression was on.
        transitions: one row per source, face, window and ordered pair of expressions that followed one another.
    """

    windows: pa.Table
    events: pa.Table
    transitions: pa.Table


def summarize(
    table: pa.Table | str | Path, *, window_s: float | None = None, thresholds: Mapping[str, float] | None = None
) -> Summary:
    """Summarise an affect table; ``docs/summaries.md`` defines every number and shows how to repeat it.

    Args:
        table: from `mien.read_table`, or the path of a table; of a Parquet file only one source at a time is read.
        window_s: length of the windows in seconds, counted from second 0 of each source; None for a single window.
        thresholds: action unit -> probability from which it counts as on, for tables that do not carry their
            bundle's own (text formats); .5 for units that are named nowhere.

    Raises:
        ConfigError: the window is not longer than 0 s, or the ending is unknown.
        InputError: the table cannot be read, or it is not clear when its rows were.
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
    """Every source of a table on its own clock; of a Parquet file one at a time is in memory.

    Raises:
        ConfigError: the ending is unknown.
        InputError: the table cannot be read, or it is not clear when its rows were.
    """
    for source, rows in iter_sources(table):
        yield Recording.from_table(source, rows)

# SPDX-License-Identifier: Apache-2.0
"""Affect tables smoothed over time: each track on its own, on probabilities, before the top expression is decided."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from mien.affect import Smoothing, StreamedFilter, TimeMean
from mien.core import (
    DIMENSIONS,
    ConfigError,
    Float64,
    Indices,
    InputError,
    Int64,
    PathName,
    joined_names,
    prediction_sets,
)
from mien.pipeline.media_run import SMOOTHING_KEY
from mien.results import (
    Pieces,
    RunManifest,
    TableStream,
    action_unit_columns,
    check_output,
    column_numbers,
    expression_columns,
    expression_limits_of,
    format_of,
    intensity_columns,
    iter_pieces,
    list_tables,
    open_stream,
    save_pieces,
    source_runs,
    table_metadata,
    track_numbers,
    with_table_metadata,
)


def smooth_file(path: PathName, out: PathName, settings: Smoothing) -> int:
    """Reads an affect table, smooths it and writes it, possibly in another format.

    The rows stay the same, one for one. A frame in which a face was lost has no row of that track: it counts in the
    filter, interpolated, but no row is added for it. The table is read twice, part by part; memory grows only with the
    longest time for which a track is lost, and a table whose frames do not ascend is held whole.

    Args:
        path: Path of the table.
        out: Path of the new table; its ending chooses the format.
        settings: Half-widths, and the kernel.

    Returns:
        Number of tracks that were smoothed.

    Raises:
        ConfigError: An ending is unknown, every half-width is 0, or the new table would replace the old one or another.
        InputError: The table cannot be read, or is smoothed already.
        OutputError: The new table cannot be written.
    """
    format_of(Path(out))  # refuse an unknown ending before the work
    check_output("--out", out, {"TABLE": path})
    Smoothing.of(settings)
    stream = open_stream(path)
    try:
        save_pieces(Path(out), stream.restored(smoothed_parts(stream, settings)))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return count_tracks(stream)


def smooth_table(table: pa.Table, settings: Smoothing) -> tuple[pa.Table, int]:
    """The table with smoothed probabilities, values and top expression, and the number of tracks.

    Args:
        table: Affect table.
        settings: Half-widths, and the kernel.

    Raises:
        ConfigError: Every half-width is 0.
        InputError: A track has two rows of one frame, or the table is smoothed already.
    """
    Smoothing.of(settings)  # refuses settings that would change nothing
    stream = open_stream(table)
    return pa.concat_tables(list(stream.restored(smoothed_parts(stream, settings)))), count_tracks(stream)


@dataclass(frozen=True, eq=False)
class ShownValues:
    """What a summary or report of a table shows.

    Attributes:
        pieces: Gives the rows of the table with smoothed values; None for the table's own.
        smoothing: How these are smoothed, such as ``"mean over 0.4 s before and after each frame"``; None for raw
            values.
        note: The same as a sentence for the reader; empty for a table without tracks.
    """

    pieces: Pieces | None = None
    smoothing: str | None = None
    note: str = ""


def shown_values(table: pa.Table | PathName, settings: Smoothing | str | None) -> ShownValues:
    """The values that a summary or report of a table shows: smoothed lightly, each track on its own.

    A table that is smoothed already, by its metadata or its manifest, is not smoothed again. Photos and other rows
    without a track stay as they are.

    Args:
        table: Affect table, or the path of one.
        settings: Settings or their text; None or ``"none"`` for the table's own values.

    Raises:
        ConfigError: The settings are malformed, or the ending of the table is unknown.
        InputError: The table cannot be read.
    """
    wanted = Smoothing.of_display(settings)
    earlier = _earlier_smoothing(table)
    if earlier:
        return ShownValues(None, f"of the table: {earlier}", f"The table itself is smoothed ({earlier}).")
    if wanted is None:
        return ShownValues(note="Values are raw, as in the table.")
    stream = open_stream(table)
    if not count_tracks(stream):
        return ShownValues()
    how = wanted.in_words()
    note = f"Values are smoothed over time ({how}), each face on its own; the table keeps raw values."
    return ShownValues(partial(_smoothed_pieces, stream, wanted), how, note)


def _smoothed_pieces(stream: TableStream, settings: Smoothing) -> Iterator[pa.Table]:
    return stream.restored(smoothed_parts(stream, settings))


def _earlier_smoothing(table: pa.Table | PathName) -> str:
    """The settings with which a table was smoothed before; empty where it was not."""
    if isinstance(table, pa.Table):
        return table_metadata(table.schema).get(SMOOTHING_KEY, "")
    schema = next(iter_pieces(table)).schema
    if SMOOTHING_KEY in table_metadata(schema):
        return table_metadata(schema)[SMOOTHING_KEY]
    try:
        manifest = RunManifest.load(list_tables(table)[0])
    except InputError:
        return ""  # none beside the table, or a damaged one, which the report itself tells of
    return str(manifest.arguments.get("smooth") or "")


def count_tracks(stream: TableStream) -> int:
    """Number of tracks of all sources of a table."""
    return sum(len(facts.last_row_of_track) for facts in stream.sources.values())


def smoothed_parts(stream: TableStream, settings: Smoothing) -> Iterator[pa.Table]:
    """The parts of a table with smoothed probabilities, values and top expression.

    Args:
        stream: Affect table.
        settings: Half-widths, and the kernel.

    Raises:
        InputError: The table is smoothed already, or a track is longer than any video.
    """
    about = table_metadata(stream.schema)
    if SMOOTHING_KEY in about:
        raise InputError(f"the table is smoothed already ({about[SMOOTHING_KEY]}); smooth the original")
    # Classes that the bundle does not have are null in every row and stay null.
    tasks = [
        _Task(half_width, tuple(name for name in group if name in stream.filled), is_expression)
        for half_width, group, is_expression in (
            (settings.expr, expression_columns(stream.schema), True),
            (settings.va, list(DIMENSIONS), False),
            (settings.au, action_unit_columns(stream.schema), False),
            (settings.au, intensity_columns(stream.schema), False),
        )
    ]
    try:
        yield from _PartSmoother(stream, [task for task in tasks if task.half_width and task.names], settings).parts()
    except ConfigError as error:
        raise InputError(str(error)) from error


@dataclass(frozen=True)
class _Task:
    """Columns that are smoothed alike.

    Attributes:
        half_width: Half-width of the filter, in what the settings count.
        names: Columns with values.
        is_expression: Whether they are the probabilities of expressions.
    """

    half_width: int
    names: tuple[str, ...]
    is_expression: bool


@dataclass(eq=False)
class _Held:
    """A part whose rows wait for their results.

    Attributes:
        rows: Rows of the part.
        values: (R, D) numbers of each task, smoothed where they are finished.
        n_waiting: Number of rows, each counted once for each task, that are not finished.
    """

    rows: pa.Table
    values: list[Float64]
    n_waiting: int = 0


class _PartSmoother:
    """Smooths the parts of a stream, each as soon as the windows of all its rows are known."""

    def __init__(self, stream: TableStream, tasks: Sequence[_Task], settings: Smoothing) -> None:
        self._stream = stream
        self._tasks = tasks
        self._settings = settings
        self._filters: dict[tuple[str, int, int], StreamedFilter | TimeMean] = {}
        self._places: dict[tuple[str, int, int], deque[tuple[_Held, Indices]]] = {}
        self._last: dict[tuple[str, int, int], int] = {}  # place of the last row that was used

    def parts(self) -> Iterator[pa.Table]:
        """All parts in order."""
        held: deque[_Held] = deque()
        n_rows = 0
        for part in self._stream.parts():
            values = [np.stack([column_numbers(part[name]) for name in task.names], axis=1) for task in self._tasks]
            held.append(_Held(part, values))
            start = 0
            for source, rows in source_runs([part]):
                self._add(source, held[-1], np.arange(start, start + len(rows)), n_rows)
                start += len(rows)
            n_rows += len(part)
            while held and not held[0].n_waiting:
                yield self._finished(held.popleft())
        assert not held, "the last row of a track finishes it"

    def _add(self, source: str, held: _Held, rows: Indices, n_rows_before: int) -> None:
        """Adds the rows of one source, one track after the other."""
        tracks: Int64 = track_numbers(held.rows)[rows]
        times_s = column_numbers(held.rows["time_s"])
        timed = np.isfinite(times_s) if self._settings.window == "milliseconds" else np.ones(len(times_s), bool)
        numbers = held.rows["frame"].to_numpy()
        frames = self._settings.positions(numbers, np.where(timed, times_s, 0.0))
        order = np.argsort(tracks, kind="stable")
        for members in np.split(rows[order], np.flatnonzero(np.diff(tracks[order])) + 1):
            track = int(tracks[members[0] - rows[0]])
            if track < 0:
                continue
            ends = self._stream.sources[source].last_row_of_track[track] < n_rows_before + len(held.rows)
            for number, task in enumerate(self._tasks):
                key = source, track, number
                if key not in self._filters:
                    self._filters[key] = self._create_filter(task.half_width)
                    self._places[key] = deque()
                # Rows that are not finite, or have no time where time counts, count as lost, and stay as they are.
                usable = members[np.isfinite(held.values[number][members]).all(axis=1) & timed[members]]
                if self._settings.window == "milliseconds":
                    usable = self._later(key, usable, frames, numbers)
                if len(usable):
                    held.n_waiting += len(usable)
                    self._places[key].append((held, usable))
                self._settle(key, self._filters[key].add(frames[usable], held.values[number][usable]))
                if ends:
                    self._settle(key, self._filters[key].finish())
                    del self._filters[key], self._places[key]

    def _later(self, key: tuple[str, int, int], rows: Indices, times: Int64, numbers: Int64) -> Indices:
        """The rows that are at least a millisecond after the one before; the others stay as they are.

        Raises:
            ConfigError: A track has two rows of one frame.
        """
        twice = np.flatnonzero(np.diff(numbers[rows]) == 0)
        if len(twice):
            raise ConfigError(f"track {key[1]} has two rows of frame {numbers[rows[twice[0]]]}; a face is in it once")
        latest = np.maximum.accumulate(np.append(self._last.get(key, np.iinfo(np.int64).min), times[rows]))
        later = rows[times[rows] > latest[:-1]]
        self._last[key] = int(latest[-1])
        return later

    def _create_filter(self, half_width: int) -> StreamedFilter | TimeMean:
        if self._settings.is_time_mean:
            return TimeMean(half_width, causal=self._settings.causal)
        return StreamedFilter(half_width, self._settings)

    def _settle(self, key: tuple[str, int, int], results: Float64) -> None:
        """Puts results into the rows that have waited longest."""
        places = self._places[key]
        while len(results):
            held, rows = places.popleft()
            now, later = rows[: len(results)], rows[len(results) :]
            held.values[key[2]][now] = results[: len(now)]
            held.n_waiting -= len(now)
            results = results[len(now) :]
            if len(later):
                places.appendleft((held, later))

    def _finished(self, held: _Held) -> pa.Table:
        columns = dict(zip(held.rows.schema.names, held.rows.columns, strict=True))
        for task, values in zip(self._tasks, held.values, strict=True):
            for column, name in enumerate(task.names):
                columns[name] = pa.array(values[:, column].astype(np.float32), from_pandas=True)
            if task.is_expression:
                columns["expression"] = _top(task.names, values)
            columns |= _moved_intervals(held.rows, task, values)
            if task.is_expression and "possible_expressions" in columns:
                columns["possible_expressions"] = _possible(held.rows.schema, task.names, values)
        schema = with_table_metadata(held.rows.schema, {SMOOTHING_KEY: str(self._settings)})
        return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def _moved_intervals(rows: pa.Table, task: _Task, values: Float64) -> dict[str, pa.Array]:
    """The ends of the intervals of a task, moved as far as the values were and held within their range."""
    moved = {}
    for place, name in enumerate(task.names):
        shift = values[:, place] - column_numbers(rows[name])
        least = -1.0 if name in DIMENSIONS else 0.0
        for end in (f"{name}_low", f"{name}_high"):
            if end in rows.schema.names:
                ends = np.clip(column_numbers(rows[end]) + shift, least, 1.0)
                moved[end] = pa.array(ends.astype(np.float32), from_pandas=True)
    return moved


def _possible(schema: pa.Schema, names: Sequence[str], probabilities: Float64) -> pa.Array:
    """The sets of possible expressions at the limits that the table keeps; null where it keeps none."""
    limits = expression_limits_of(schema)
    if not limits:
        return pa.nulls(len(probabilities), pa.string())
    labels = [name.removeprefix("expression_") for name in names]
    return pa.array(joined_names(prediction_sets(probabilities, labels, limits), labels), pa.string())


def _top(names: Sequence[str], probabilities: Float64) -> pa.Array:
    """The most probable expression of each row, null where no probability is known."""
    labels = pa.array([name.removeprefix("expression_") for name in names])
    unknown = np.isnan(probabilities).all(axis=1)
    best = np.where(np.isnan(probabilities), -np.inf, probabilities).argmax(axis=1)
    return labels.take(pa.array(best, mask=unknown))

# SPDX-License-Identifier: Apache-2.0
"""The sources of a table in parts of bounded size, each in order of time and on the clock of its whole source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from mien.core import Float64, Int64
from mien.results.summaries.distribution import EXACT_ROWS
from mien.results.table_reader import checked_table, iter_pieces
from mien.results.tables.recording import Clock, Recording, source_runs
from mien.results.tables.schema import expression_columns
from mien.results.tables.table_formats import ROWS_PER_GROUP


@dataclass(frozen=True, eq=False, kw_only=True)
class Part:
    """Some frames of one source of a table.

    Attributes:
        number: Number of the source, by first appearance.
        schema: Schema of the table.
        expressions: Columns of expressions that have a value anywhere in the source.
        recording: Frames after those of the source's last part.
        begin_s: Time of the first frame of the source in seconds.
        end_s: End of the last frame of the source in seconds.
        n_frames: Number of frames of the source.
        is_last: Whether no part of the source follows.
    """

    number: int
    schema: pa.Schema
    expressions: tuple[str, ...]
    recording: Recording
    begin_s: float
    end_s: float
    n_frames: int
    is_last: bool


Pieces = Callable[[], Iterable[pa.Table]]
"""Function that gives the rows of a table piece by piece; it is called once for each pass."""


def iter_parts(table: pa.Table | str | Path, values: Pieces | None = None) -> Iterator[Part]:
    """Every source of a table, part by part.

    A source of up to `EXACT_ROWS` rows, and one whose rows are not in order of time, comes as one part.

    Args:
        table: Table from `mien.results.read_table`, or the path of one, which is read twice.
        values: Gives the same rows in the same order with other values, such as smoothed ones, in place of the table's
            own; None for these.

    Raises:
        ConfigError: The ending is unknown.
        InputError: The table cannot be read, or its rows have no clear time.
    """
    pieces: Pieces
    if isinstance(table, pa.Table):
        checked = checked_table(table)
        pieces = lambda: (checked.slice(at, ROWS_PER_GROUP) for at in range(0, len(checked), ROWS_PER_GROUP))  # noqa: E731 - two ways to the same pieces
    else:
        path = table
        pieces = lambda: iter_pieces(path)  # noqa: E731
    sources: dict[str, _Source] = {}
    for piece in pieces():
        for name, rows in source_runs([piece]):
            sources.setdefault(name, _Source(name, len(sources))).survey(rows)
    for piece in (values or pieces)():
        for name, rows in source_runs([piece]):
            yield from sources[name].feed(rows)


@dataclass(eq=False)
class _Source:
    """The facts about a source from the first pass, and its rows that wait for their part in the second."""

    name: str
    number: int
    n_rows: int = 0
    ordered: bool = True
    expressions: dict[str, None] = field(default_factory=dict)
    _begin_s: float = 0.0
    _n_steps: int = 0
    _steps: list[tuple[Float64, Int64]] = field(default_factory=list)  # lengths, and how often each occurs
    _last: tuple[float, int] | None = None
    _clock: Clock | None = None
    _waiting: list[pa.Table] = field(default_factory=list)
    _n_fed: int = 0
    _n_waiting: int = 0

    def survey(self, rows: pa.Table) -> None:
        """Adds rows of the first pass."""
        time_s, frame = rows["time_s"].to_numpy(), rows["frame"].to_numpy()
        if self._last is None:
            self._begin_s = float(time_s[0])
        else:
            time_s, frame = np.append(self._last[0], time_s), np.append(self._last[1], frame)
        steps_s, steps = np.diff(time_s), np.diff(frame)
        self.ordered &= bool(((steps_s >= 0) & (steps >= 0) & ((steps_s > 0) == (steps > 0))).all())
        if self.ordered:
            values, counts = np.unique(steps_s[steps_s > 0], return_counts=True)
            self._steps.append((values, counts))
            self._n_steps += int(counts.sum())
        else:
            self._steps.clear()
        self._last = float(time_s[-1]), int(frame[-1])
        self.n_rows += len(rows)
        for name in expression_columns(rows.schema):
            if name not in self.expressions and rows[name].null_count < len(rows):
                self.expressions[name] = None

    def feed(self, rows: pa.Table) -> Iterator[Part]:
        """Adds rows of the second pass, and gives the parts that they complete."""
        self._waiting.append(rows)
        self._n_fed += len(rows)
        self._n_waiting += len(rows)
        if self._n_fed == self.n_rows:
            whole = pa.concat_tables(self._waiting)
            self._waiting.clear()
            clock = self._on_clock() if self.ordered else None
            yield self._part(Recording.from_table(self.name, whole, clock), is_last=True)
        elif self.ordered and self._n_waiting > EXACT_ROWS:
            table = pa.concat_tables(self._waiting)
            time_s = table["time_s"].to_numpy()
            stop = int(np.searchsorted(time_s, time_s[-1]))  # the last frame may have further rows
            self._waiting = [table.slice(stop)]
            self._n_waiting = len(table) - stop
            if stop:
                part = Recording.from_table(self.name, table.slice(0, stop), self._on_clock(), float(time_s[-1]))
                yield self._part(part, is_last=False)

    def _on_clock(self) -> Clock:
        if self._clock is None:
            values, counts = (np.concatenate(arrays) for arrays in zip(*self._steps, strict=True))
            self._steps.clear()
            self._clock = Clock.of_steps(values, counts)
        return self._clock

    def _part(self, recording: Recording, *, is_last: bool) -> Part:
        schema = recording.table.schema
        known = tuple(name for name in expression_columns(schema) if name in self.expressions)
        begin_s, end_s, n_frames = float(recording.frame_time_s[0]), recording.end_s, len(recording.frame_time_s)
        if self.ordered and self._last is not None:
            clock, last_s = self._on_clock(), self._last[0]
            begin_s, end_s, n_frames = self._begin_s, last_s + min(clock.step_s, clock.gap_s), self._n_steps + 1
        return Part(
            number=self.number,
            schema=schema,
            expressions=known,
            recording=recording,
            begin_s=begin_s,
            end_s=end_s,
            n_frames=n_frames,
            is_last=is_last,
        )

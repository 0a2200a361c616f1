# SPDX-License-Identifier: Apache-2.0
"""`TableStream`: an affect table that is read part by part, frame by frame, as often as needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, count

import numpy as np
import pyarrow as pa

from mien.core import Int64
from mien.results.tables import arrow_compute as pc
from mien.results.tables.frame_order import ROWS_PER_PART, FrameOrder, in_frame_order, whole_frames
from mien.results.tables.recording import source_runs

_ROW = "row"


@dataclass(eq=False, kw_only=True)
class SourceFacts:
    """What a first pass over a table tells of one source.

    Attributes:
        name: Name of the source.
        n_rows: Number of rows.
        last_row_of_track: Track -> position of its last row in the stream.
        last_value: Column -> position of its last value in the stream; without columns that have none.
    """

    name: str
    n_rows: int = 0
    last_row_of_track: dict[int, int] = field(default_factory=dict)
    last_value: dict[str, int] = field(default_factory=dict)

    def add(self, rows: pa.Table, first_row: int) -> None:
        """Adds the next rows, of which the first one has this position in the stream."""
        self.n_rows += len(rows)
        tracks = track_numbers(rows)[::-1]
        found, last = np.unique(tracks, return_index=True)
        ends = (first_row + len(rows) - 1 - last).tolist()
        self.last_row_of_track |= {track: end for track, end in zip(found.tolist(), ends, strict=True) if track >= 0}
        for name, column in zip(rows.schema.names, rows.columns, strict=True):
            if not column.null_count:
                self.last_value[name] = first_row + len(rows) - 1
            elif column.null_count < len(rows):
                self.last_value[name] = first_row + int(np.flatnonzero(column.is_valid().to_numpy())[-1])


@dataclass(frozen=True, eq=False, kw_only=True)
class TableStream:
    """A table in parts that hold whole frames; the frames of each source ascend.

    Attributes:
        schema: Schema of the table.
        n_rows: Number of rows.
        sources: Source -> its facts, in the order of first appearance.
        row: Column of the parts with the place of each row in a table whose frames do not ascend; None for others.
    """

    schema: pa.Schema
    n_rows: int
    sources: Mapping[str, SourceFacts]
    _open: Callable[[], Iterator[pa.Table]]
    row: str | None = None

    @classmethod
    def of(cls, pieces: Callable[[], Iterator[pa.Table]], *, by_source: bool = False) -> TableStream:
        """The stream of a table, after a first pass over it.

        A table whose frames do not ascend is held in memory, and streamed in the order of its frames.

        Args:
            pieces: Function that gives the pieces of the table, at least one; it is called once for each pass.
            by_source: Whether the rows of each source have to follow one another.
        """
        order = FrameOrder()
        schema, n_rows, sources = _survey(pieces(), order)
        if order.ascending and (order.contiguous or not by_source):
            opened = partial(_whole_frames, pieces)
            return cls(schema=schema, n_rows=n_rows, sources=sources, _open=opened)
        whole = pa.concat_tables(list(pieces()))
        row = next(name for n in count() if (name := f"{_ROW}{n or ''}") not in whole.schema.names)
        rows = in_frame_order(whole)
        ordered = whole.take(pa.array(rows)).append_column(row, pa.array(rows))
        _, _, sources = _survey(iter([ordered]), FrameOrder())
        return cls(schema=schema, n_rows=n_rows, sources=sources, _open=lambda: iter([ordered]), row=row)

    @property
    def filled(self) -> frozenset[str]:
        """The columns that have a value in any row."""
        return frozenset(name for facts in self.sources.values() for name in facts.last_value)

    def parts(self) -> Iterator[pa.Table]:
        """All rows, at least one part."""
        return self._open()

    def restored(self, parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Parts that were made of those of the stream, row by row, in the order of the table.

        Args:
            parts: At least one part, with all columns of the stream's.
        """
        if self.row is None:
            return iter(parts)
        rows = pa.concat_tables(list(parts))
        rows = rows.take(pc.sort_indices(rows[self.row]))
        return iter([rows.drop_columns([self.row])])


def track_numbers(table: pa.Table) -> Int64:
    """Track of each row, -1 for rows that belong to none."""
    return np.asarray(table["track_id"].fill_null(-1).to_numpy(), dtype=np.int64)


def _whole_frames(pieces: Callable[[], Iterator[pa.Table]]) -> Iterator[pa.Table]:
    return whole_frames(pieces(), ROWS_PER_PART)


def _survey(pieces: Iterator[pa.Table], order: FrameOrder) -> tuple[pa.Schema, int, dict[str, SourceFacts]]:
    sources: dict[str, SourceFacts] = {}
    first = next(pieces)
    n_rows = 0
    for piece in chain([first], pieces):
        for name, rows in source_runs([piece]):
            order.add(name, rows)
            sources.setdefault(name, SourceFacts(name=name)).add(rows, n_rows)
            n_rows += len(rows)
    return first.schema, n_rows, sources

# SPDX-License-Identifier: Apache-2.0
"""The order of a table's frames: whether they ascend, parts that split no frame, and tables put in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from mien.core import Indices
from mien.results.tables import arrow_compute as pc
from mien.results.tables.recording import source_runs

ROWS_PER_PART = 1 << 15
"""Number of rows from which on a part of a table is given; a part never ends within a frame."""


class FrameOrder:
    """Tells, piece by piece, whether the rows of a table come frame by frame.

    Attributes:
        ascending: Whether the rows of each frame follow one another, and the frames of each source ascend.
        contiguous: Whether the rows of each source follow one another.
    """

    def __init__(self) -> None:
        self.ascending = True
        self.contiguous = True
        self._last_frame: dict[str, int] = {}
        self._last_source: str | None = None

    def add(self, source: str, rows: pa.Table) -> None:
        """Adds the next rows of one source, at least one."""
        frames = rows["frame"].to_numpy()
        steps = np.diff(frames)
        self.ascending &= not len(steps) or int(steps.min()) >= 0
        if source in self._last_frame:
            again = source != self._last_source
            self.contiguous &= not again
            self.ascending &= int(frames[0]) >= self._last_frame[source] + again
        self._last_frame[source] = int(frames[-1])
        self._last_source = source


def whole_frames(pieces: Iterable[pa.Table], n_rows: int = ROWS_PER_PART) -> Iterator[pa.Table]:
    """The rows of pieces in parts that end with a frame; at least one part.

    Args:
        pieces: Pieces of a table whose frames ascend, at least one.
        n_rows: Number of rows from which on a part is given; one with a frame of very many faces is larger.
    """
    waiting: list[pa.Table] = []
    n_waiting = 0
    for piece in pieces:
        waiting.append(piece)
        n_waiting += len(piece)
        if n_waiting < n_rows:
            continue
        table = pa.concat_tables(waiting)
        stop = _start_of_last_frame(table)
        if stop:
            yield table.slice(0, stop)
        waiting = [table.slice(stop)]
        n_waiting = len(table) - stop
    yield pa.concat_tables(waiting)


def in_frame_order(table: pa.Table) -> Indices:
    """The rows of a table by source, in the order of the sources' first appearance, and by frame.

    Rows of one frame keep their order.

    Args:
        table: Affect table of R rows.

    Returns:
        (R,) indices.
    """
    sources = table["source"].combine_chunks()
    codes = np.asarray(pc.index_in(sources, value_set=pc.unique(sources)))
    return np.lexsort((table["frame"].to_numpy(), codes))


def _start_of_last_frame(table: pa.Table) -> int:
    """Position of the first row of the last frame of a table with rows."""
    *_, (_, run) = source_runs([table])
    frames = run["frame"].to_numpy()
    return len(table) - len(run) + int(np.searchsorted(frames, frames[-1]))

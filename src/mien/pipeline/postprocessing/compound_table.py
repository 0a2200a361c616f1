# SPDX-License-Identifier: Apache-2.0
"""Compound expressions of an affect table: one row per frame of each source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from mien.affect import CompoundMean, Smoothing, StreamedFilter, compound_scores, strongest_per_frame
from mien.core import (
    COMPOUND_EXPRESSIONS,
    DEFAULT_THRESHOLD,
    EXPRESSIONS,
    ConfigError,
    Float64,
    InputError,
    PathName,
    printable,
)
from mien.pipeline.media_run import SMOOTHING_KEY
from mien.results import (
    SourceFacts,
    TableStream,
    check_output,
    column_numbers,
    format_of,
    open_stream,
    save_pieces,
    source_runs,
    table_metadata,
)

_MAX_FRAMES = 20_000_000

NONE_OF_THESE = "none of these"
"""Value of ``compound_or_none`` where no compound expression stands out."""


def compound_file(
    path: PathName, out: PathName, *, half_width: int = 50, mean: CompoundMean = "arithmetic"
) -> tuple[int, int]:
    """Reads an affect table and writes the compound expression of each of its frames.

    The table is read twice, part by part; memory grows only with the longest time without a face. A table whose frames
    do not ascend, or whose sources alternate, is held whole.

    Args:
        path: Path of the table.
        out: Path of the new table; its ending chooses the format.
        half_width: Half-width of the box mean over time, in frames; 0 for none.
        mean: Mean of the probabilities of the two basic expressions.

    Returns:
        Number of frames written, and how many of them belong to sources in which no face has expressions.

    Raises:
        ConfigError: An ending is unknown, or the new table would replace the old one or another table.
        InputError: The table cannot be read, is smoothed already, or lacks a basic expression.
        OutputError: The new table cannot be written.
    """
    format_of(Path(out))  # refuse an unknown ending before the work
    check_output("--out", out, {"TABLE": path})
    stream = open_stream(path, by_source=True)
    n_empty = 0

    def parts() -> Iterator[pa.Table]:
        nonlocal n_empty
        for part in _parts(stream, half_width, mean):
            n_empty += part["compound"].null_count
            yield part

    try:
        n_frames = save_pieces(Path(out), parts())
    except (ConfigError, InputError) as error:
        raise InputError(f"{path}: {error}") from error
    return n_frames, n_empty


def compound_table(table: pa.Table, *, half_width: int = 50, mean: CompoundMean = "arithmetic") -> pa.Table:
    """``source, frame, time_s, compound, compound_<name>, compound_or_none`` for every frame of every source.

    The last column is `NONE_OF_THESE` where the two basic expressions of the best compound together have less than half
    of the probability.

    A score is the mean of two probabilities, in [0, 0.5]; see `mien.affect.compound_timeline`. Frames without a face
    are interpolated; in a source without any face everything is null.

    Args:
        table: Affect table.
        half_width: Half-width of the box mean over time, in frames; 0 for none.
        mean: Mean of the probabilities of the two basic expressions.

    Raises:
        ConfigError: A basic expression is missing in the bundle.
        InputError: The table is smoothed already and would be smoothed again.
    """
    return pa.concat_tables(list(_parts(open_stream(table, by_source=True), half_width, mean)))


def _parts(stream: TableStream, half_width: int, mean: CompoundMean) -> Iterator[pa.Table]:
    """The table of compound expressions in parts, at least one."""
    if half_width and SMOOTHING_KEY in table_metadata(stream.schema):
        raise InputError("the table is smoothed already; choose half-width 0, or take the original")
    labels = [label for label in EXPRESSIONS if f"expression_{label}" in stream.filled]
    schema = pa.schema(
        [
            *(stream.schema.field(name) for name in ("source", "frame", "time_s")),
            ("compound", pa.string()),
            *((f"compound_{name}", pa.float32()) for name in map(_column, COMPOUND_EXPRESSIONS)),
            ("compound_or_none", pa.string()),
        ]
    )
    yield schema.empty_table()
    running: _SourceCompounds | None = None
    n_rows = 0
    for part in stream.parts():
        for source, rows in source_runs([part]):
            n_rows += len(rows)
            if running is None or running.name != source:
                if running is not None:
                    yield running.finish()
                running = _SourceCompounds(stream.sources[source], schema, labels, half_width, mean)
            yield running.add(rows, n_rows)
    if running is not None:
        yield running.finish()


class _SourceCompounds:
    """The compound expressions of one source, part by part in order of its frames."""

    def __init__(
        self, facts: SourceFacts, schema: pa.Schema, labels: Sequence[str], half_width: int, mean: CompoundMean
    ) -> None:
        self.name = facts.name
        self._schema = schema
        self._labels = labels
        self._mean = mean
        self._names = [f"expression_{label}" for label in labels]
        # After this row no face can be known: a face has all of its probabilities.
        self._last_known = min((facts.last_value.get(name, -1) for name in self._names), default=-1)
        self._filter = StreamedFilter(half_width, Smoothing(expr=half_width))
        self._waiting = schema.empty_table().select(["source", "frame", "time_s"])
        self._first_frame: int | None = None

    def add(self, rows: pa.Table, n_rows: int) -> pa.Table:
        """The frames that are finished with further rows of the source.

        Args:
            rows: Whole frames after those of the last call.
            n_rows: Number of rows of the stream up to the end of these.

        Raises:
            ConfigError: A basic expression is missing, or probabilities do not sum to 1.
            InputError: The frames are longer than any video.
        """
        numbers = rows["frame"].to_numpy()
        first = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1))
        frames = numbers[first]
        if self._first_frame is None:
            self._first_frame = int(frames[0])
        columns = ("source", "frame", "time_s")
        self._waiting = pa.concat_tables([self._waiting, rows.select(columns).take(pa.array(first))])
        if self._last_known < 0:
            return self._take(np.full((len(self._waiting), len(COMPOUND_EXPRESSIONS)), np.nan))
        if int(frames[-1]) - self._first_frame >= _MAX_FRAMES:
            name = printable(self.name, limit=100)
            raise InputError(
                f"{name}: frames {self._first_frame} to {frames[-1]} are longer than any video; check them"
            )
        probabilities = np.stack([column_numbers(rows[name]) for name in self._names], axis=1)
        seen = ~np.isnan(probabilities).any(axis=1)
        present, scores = numbers[:0], np.empty((0, len(COMPOUND_EXPRESSIONS)))
        if seen.any():
            found = compound_scores(probabilities[seen], self._labels, mean=self._mean)
            present, scores = strongest_per_frame(numbers[seen], found)
        return self._take(self._filter.add(present, scores, frames, closed=n_rows > self._last_known))

    def finish(self) -> pa.Table:
        """The frames that are left."""
        results = self._filter.finish()
        if not len(results):  # there is nothing left, or no row has all probabilities
            results = np.full((len(self._waiting), len(COMPOUND_EXPRESSIONS)), np.nan)
        return self._take(results)

    def _take(self, scores: Float64) -> pa.Table:
        """The frames that have waited longest, with scores (F, 7), NaN for a source without a face."""
        frames, self._waiting = self._waiting.slice(0, len(scores)), self._waiting.slice(len(scores))
        unknown = np.isnan(scores).any(axis=1)
        best = pa.array(np.where(unknown, 0, scores.argmax(axis=1)), mask=unknown)
        compound = pa.array(COMPOUND_EXPRESSIONS, pa.string()).take(best)
        # A score is the mean of two probabilities: below half the threshold, both together are less likely than not.
        unclear = ~unknown & (scores.max(axis=1, initial=-np.inf) < DEFAULT_THRESHOLD / 2)
        names = np.where(unclear, len(COMPOUND_EXPRESSIONS), best.fill_null(0).to_numpy())
        columns = [*frames.columns, compound]
        columns += [pa.array(column.astype(np.float32), mask=unknown) for column in scores.T]
        columns.append(pa.array([*COMPOUND_EXPRESSIONS, NONE_OF_THESE]).take(pa.array(names, mask=unknown)))
        return pa.Table.from_arrays(columns, schema=self._schema)


def _column(name: str) -> str:
    return name.replace(" ", "_")

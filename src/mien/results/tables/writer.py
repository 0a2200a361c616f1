# SPDX-License-Identifier: Apache-2.0
"""`TableWriter`: rows go to disk as they come and become one valid file at the end, whatever happens between."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, Self, get_args

import pyarrow as pa

from mien.core import ConfigError, Frame, OutputError
from mien.results.tables.row_encoder import RowEncoder, SourcedFrame
from mien.results.tables.schema import table_metadata
from mien.results.tables.spool import Recovery, Spool, SpoolScan, recover_from, scan_spool
from mien.results.tables.table_formats import format_of, write_batches

LeftoverPolicy = Literal["recover", "redo", "resume", "discard"]


@dataclass(kw_only=True)
class _Pending:
    """What is not on the disk yet, and what already is.

    Flushing replaces the object in one assignment, so that an interrupt can neither lose rows nor double them: a part
    that was written but not yet ticked off is written once more under the same number.

    Attributes:
        number: the part that the frames will become.
        n_rows_safe: rows in the parts before it.
        last: source and frame of the last of those rows.
        frames: what will be in the part.
        n_rows: the rows that ``frames`` give.
    """

    number: int
    n_rows_safe: int
    last: tuple[str, int] | None
    frames: list[SourcedFrame] = field(default_factory=list)
    n_rows: int = 0


class TableWriter:
    """Writes one affect table; a context manager.

    Frames are appended in any number; every ``rows_per_part`` rows, or with the first frame that comes more than
    ``seconds_per_part`` after the last flush, they are made safe in ``<path>.parts``. Frames are never split, so what
    is safe always ends with a whole frame. `close`, also after an exception or Ctrl-C, turns the parts into the table
    with one rename; memory does not grow with the number of rows. After a kill the parts stay, and the next writer of
    the same table, or `mien.results.recover`, finds them. Not thread-safe: one thread appends.

    Args:
        path: the table; its ending chooses the format (.parquet, .csv, .jsonl, .ndjson). Missing folders are created.
            An older table of that name stays in place until this one is complete.
        schema: from `mien.results.table_schema`.
        leftovers: what to do with rows that a killed run left for the same table. ``"recover"`` makes them a table of
            their own, ``<name>.recovered<ending>``, as this run will take the name; ``"redo"`` deletes rows with this
            table's columns and metadata, because the caller will make the same ones again, and recovers others;
            ``"resume"`` makes this table begin with them, for a caller that goes on after `last`; ``"discard"``
            deletes them.
        rows_per_part: rows after which to flush, at least 1.
        seconds_per_part: seconds after which the next frame flushes, at least 0.

    Attributes:
        path: the table.
        schema: the table's columns.
        recovery: what happened to leftovers under ``"recover"``; None if there were none.

    Raises:
        ConfigError: the ending is unknown, the schema is not mien's, an argument is out of range, or leftovers to be
            resumed were made with other columns or metadata.
        OutputError: the place cannot be written, or another run is writing this table.
    """

    def __init__(
        self,
        path: str | Path,
        schema: pa.Schema,
        *,
        leftovers: LeftoverPolicy = "recover",
        rows_per_part: int = 500,
        seconds_per_part: float = 2.0,
    ) -> None:
        if leftovers not in get_args(LeftoverPolicy):
            raise ConfigError(f"leftovers must be one of {get_args(LeftoverPolicy)}, got {leftovers!r}")
        if rows_per_part < 1 or seconds_per_part < 0:
            raise ConfigError("rows_per_part must be at least 1 and seconds_per_part at least 0")
        self.path = Path(path)
        self.schema = schema
        self.recovery: Recovery | None = None
        self._format = format_of(self.path)
        self._encoder = RowEncoder(schema)
        self._rows_per_part = rows_per_part
        self._seconds_per_part = seconds_per_part
        self._store = Spool(self.path)
        try:
            self._resumed = self._take_over(leftovers)
            self._first_number = self._store.next_number()
        except BaseException:
            self._store.release()
            raise
        self._pending = _Pending(number=self._first_number, n_rows_safe=self._resumed.n_rows, last=self._resumed.last)
        self._flushed_at = time.monotonic()
        self._closed = False

    @property
    def n_rows(self) -> int:
        """Rows of the table so far, those that were resumed included."""
        return self._pending.n_rows_safe + self._pending.n_rows

    @property
    def last(self) -> tuple[str, int] | None:
        """Source and frame of the last row that is safe on the disk; a caller that resumes goes on after it."""
        return self._pending.last

    @property
    def messages(self) -> tuple[str, ...]:
        """What the caller should tell the user about leftovers, one sentence each."""
        if self.recovery is None:
            return self._resumed.messages
        if self.recovery.path is None:
            return self.recovery.messages
        saved = f"{self.recovery.n_rows} rows of an interrupted run over {self.path} are now in {self.recovery.path}"
        return (saved, *self.recovery.messages)

    def append(self, source: str | Path, frame: Frame) -> None:
        """Adds the rows of one frame: one per face, or a single ``success = false`` row. The image is not kept.

        Raises:
            ConfigError: the faces have other labels or landmarks than the table, or the writer is closed.
            OutputError: a flush failed; the frame is queued all the same and goes out with the next flush.
        """
        if self._closed:
            raise ConfigError(f"{self.path} is finished; open a new writer to write more rows")
        self._encoder.check(frame.faces)
        self._pending.frames.append((str(source), replace(frame, image=None)))
        self._pending.n_rows += max(len(frame.faces), 1)
        waited_s = time.monotonic() - self._flushed_at
        if self._pending.n_rows >= self._rows_per_part or waited_s >= self._seconds_per_part:
            self.flush()

    def flush(self) -> None:
        """Makes every row so far safe on the disk.

        Raises:
            OutputError: the disk is full or the folder cannot be written; the rows stay queued.
        """
        pending = self._pending
        if pending.frames:
            batch = self._encoder.encode(pending.frames)
            self._store.write(pending.number, batch)
            self._pending = _Pending(
                number=pending.number + 1,
                n_rows_safe=pending.n_rows_safe + batch.num_rows,
                last=(batch["source"][-1].as_py(), batch["frame"][-1].as_py()),
            )
        self._flushed_at = time.monotonic()

    def close(self) -> None:
        """Finishes the table and removes the parts. Closing twice does nothing.

        Raises:
            OutputError: the table cannot be written. What was flushed is safe; close again once there is room, or
                let the next run recover it.
        """
        if self._closed:
            return
        if self._pending.number == self._first_number and self._pending.frames and not self._resumed.parts:
            self._publish_at_once()
        else:
            self.flush()
            own = map(self._store.path_of, range(self._first_number, self._pending.number))
            self._store.publish(self.path, self._store.batches((*self._resumed.parts, *own)), self._encode)
        self._closed = True
        self._store.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Finishes the table with the rows so far; if an exception came before the first row, leaves no trace."""
        if error is not None and self.n_rows == 0:
            self._closed = True
            self._store.remove()
            return
        try:
            self.close()
        finally:
            # The parts of a table that could not be finished must be free for the next run to recover.
            self._store.release()

    def _publish_at_once(self) -> None:
        """Finish a table that is over before its first part, and spare short inputs one wait for the disk."""
        batch = self._encoder.encode(self._pending.frames)
        try:
            self._store.publish(self.path, iter([batch]), self._encode)
        except OutputError:
            self.flush()  # a part is smaller than most tables: it may still fit
            raise

    def _take_over(self, leftovers: LeftoverPolicy) -> SpoolScan:
        """Deals with what a killed run left; gives the parts that this table begins with."""
        found = scan_spool(self.path)
        if leftovers == "resume":
            if found.schema is not None and not found.schema.equals(self.schema, check_metadata=True):
                differences = _differences(found.schema, self.schema)
                raise ConfigError(
                    f"{self.path} cannot be resumed: the interrupted run differs in {differences};"
                    ' choose "recover" or "discard"'
                )
            return found
        same = found.schema is not None and found.schema.equals(self.schema, check_metadata=True)
        keep = leftovers == "recover" or (leftovers == "redo" and not same)
        if keep and (found.n_rows or found.messages):
            self.recovery = recover_from(self._store, found, keep_name_free=True)
        self._store.clear()
        return SpoolScan()

    def _encode(self, file: BinaryIO, batches: Iterator[pa.RecordBatch]) -> None:
        write_batches(file, self._format, self.schema, batches)


def _differences(before: pa.Schema, now: pa.Schema) -> str:
    old, new = table_metadata(before), table_metadata(now)
    keys = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    return ", ".join(keys) or "its columns"

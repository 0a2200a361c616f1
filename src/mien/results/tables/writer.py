# SPDX-License-Identifier: Apache-2.0
"""`TableWriter`: rows go to the disk as they come and become one valid file at the end, also after an interrupt."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, Self, get_args

import pyarrow as pa

from mien.core import ConfigError, Frame, OutputError
from mien.jobs import deferred_interrupts
from mien.results.tables.row_encoder import RowEncoder, SourcedFrame
from mien.results.tables.spool import Recovery, Spool, recover_from, scan_spool
from mien.results.tables.table_formats import format_of, write_batches

LeftoverPolicy = Literal["recover", "redo"]


@dataclass(kw_only=True)
class _Pending:
    """The frames that are not on the disk yet, and the count of rows that are.

    Flushing replaces the object in one assignment, so that an interrupt can neither lose rows nor double them: a part
    that was written but not yet counted is written once more under the same number.

    Attributes:
        number: Number of the part that the frames will become.
        n_rows_safe: Number of rows in the parts before it.
        frames: Frames of the part.
        n_rows: Number of rows that the frames give.
    """

    number: int
    n_rows_safe: int = 0
    frames: list[SourcedFrame] = field(default_factory=list)
    n_rows: int = 0


class TableWriter:
    """Writes one affect table; a context manager.

    Frames are appended in any number; every ``rows_per_part`` rows, or with the first frame that comes more than
    ``seconds_per_part`` after the last flush, they are made safe in ``<path>.parts``. Frames are never split, so what
    is safe always ends with a whole frame. `close`, also after an exception or Ctrl-C, turns the parts into the table
    with one rename; memory does not grow with the number of rows. After a crash the parts stay, and the next writer of
    the same table, or `mien.results.recover`, finds them. Not thread-safe: one thread appends.

    Args:
        path: Path of the table; its ending chooses the format (.parquet, .csv, .jsonl, .ndjson). Missing folders are
            created. An older table of that name stays in place until this one is complete.
        schema: Schema from `mien.results.table_schema`.
        leftovers: Policy for rows that a crashed run left for the same table. ``"recover"`` makes them a table of
            their own, ``<name>.recovered<ending>``, as this run will take the name; ``"redo"`` deletes rows with this
            table's columns and metadata, because the caller will make the same ones again, and recovers others.
        rows_per_part: Number of rows after which to flush, at least 1.
        seconds_per_part: Seconds after which the next frame flushes, at least 0.

    Attributes:
        path: Path of the table.
        schema: Schema of the table.
        recovery: Outcome of the recovery of leftovers; None if there were none to recover.

    Raises:
        ConfigError: The ending is unknown, the schema is not mien's, or an argument is out of range.
        OutputError: The place cannot be written, or another run is writing this table.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from mien.core import Faces, Frame
        >>> from mien.results import TableWriter, read_table, table_schema
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = Path(folder.name) / "clip.csv"
        >>> with TableWriter(path, table_schema()) as writer:
        ...     writer.append("clip.mp4", Frame(index=0, time_s=0.0, faces=Faces.empty()))
        >>> read_table(path)["success"].to_pylist()
        [False]
        >>> folder.cleanup()
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
        self._spool = Spool(self.path)
        try:
            self._clear_leftovers(leftovers)
        except BaseException:
            self._spool.release()
            raise
        self._pending = _Pending(number=0)
        self._flushed_at = time.monotonic()
        self._closed = False

    @property
    def n_rows(self) -> int:
        """Number of rows of the table so far."""
        return self._pending.n_rows_safe + self._pending.n_rows

    @property
    def messages(self) -> tuple[str, ...]:
        """Sentences for the user about leftovers."""
        if self.recovery is None:
            return ()
        if self.recovery.path is None:
            return self.recovery.messages
        saved = f"{self.recovery.n_rows} rows of an interrupted run over {self.path} are now in {self.recovery.path}"
        return (saved, *self.recovery.messages)

    def append(self, source: str | Path, frame: Frame) -> None:
        """Adds the rows of one frame: one per face, or a single ``success = false`` row. The image is not kept.

        Args:
            source: Name of the input.
            frame: Frame with its faces.

        Raises:
            ConfigError: The faces have other labels than the table, or the writer is closed.
            OutputError: A flush failed; the frame stays queued and is written with the next flush.
        """
        if self._closed:
            raise ConfigError(f"{self.path} is finished; open a new writer to write more rows")
        self._encoder.check(frame.faces)
        self._pending.frames.append((str(source), replace(frame, image=None)))
        self._pending.n_rows += max(len(frame.faces), 1)
        waited_s = time.monotonic() - self._flushed_at
        if self._pending.n_rows >= self._rows_per_part or waited_s >= self._seconds_per_part:
            self.flush()

    def set_stream_offset(self, source: str | Path, offset_s: float) -> None:
        """Sets the value of the column ``stream_offset_s`` of a source, before its first frame.

        Args:
            source: Name of the input.
            offset_s: Time in seconds on the file's own clock where ``time_s`` is 0.
        """
        self._encoder.stream_offsets_s[str(source)] = offset_s

    def flush(self) -> None:
        """Makes every row so far safe on the disk.

        Raises:
            OutputError: The disk is full or the folder cannot be written; the rows stay queued.
        """
        pending = self._pending
        if pending.frames:
            batch = self._encoder.encode(pending.frames)
            self._spool.write(pending.number, batch)
            self._pending = _Pending(
                number=pending.number + 1,
                n_rows_safe=pending.n_rows_safe + batch.num_rows,
            )
        self._flushed_at = time.monotonic()

    def close(self) -> None:
        """Finishes the table and removes the parts. Closing twice does nothing.

        Raises:
            OutputError: The table cannot be written. What was flushed is safe; close again once there is room, or
                let the next run recover it.
        """
        if self._closed:
            return
        # An interrupt must leave the table or the parts: it is raised once there is the one or the other.
        with deferred_interrupts():
            if self._pending.number == 0 and self._pending.frames:
                self._publish_at_once()
            else:
                self.flush()
                parts = map(self._spool.path_of, range(self._pending.number))
                self._spool.publish(self.path, self._spool.batches(parts), self._encode)
            self._closed = True
            self._spool.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Finishes the table with the rows so far; if an exception came before the first row, leaves no trace."""
        if error is not None and self.n_rows == 0:
            self._closed = True
            self._spool.remove()
            return
        try:
            self.close()
        finally:
            # The parts of a table that could not be finished must be free for the next run to recover.
            self._spool.release()

    def _publish_at_once(self) -> None:
        """Finish a table that is over before its first part, and spare short inputs one wait for the disk."""
        batch = self._encoder.encode(self._pending.frames)
        try:
            self._spool.publish(self.path, iter([batch]), self._encode)
        except BaseException as error:
            self.flush()  # a part is smaller than most tables: it may still fit
            if isinstance(error, OutputError):
                with self._spool.errors():
                    raise error.__cause__ or error from None
            raise

    def _clear_leftovers(self, leftovers: LeftoverPolicy) -> None:
        """Recover or delete the rows that a crashed run left."""
        found = scan_spool(self.path)
        again = found.schema is not None and found.schema.equals(self.schema, check_metadata=True)
        if (found.n_rows or found.messages) and not (leftovers == "redo" and again):
            self.recovery = recover_from(self._spool, found, keep_name_free=True)
        else:
            self._spool.keep_aside(found.others)
        self._spool.clear()

    def _encode(self, file: BinaryIO, batches: Iterator[pa.RecordBatch]) -> None:
        write_batches(file, self._format, self.schema, batches)

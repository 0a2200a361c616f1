# SPDX-License-Identifier: Apache-2.0
"""`FeatureWriter`: vectors go into shards as they come, and a run that crashed resumes after its last safe row."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mien.core import ConfigError, Floats, Int64
from mien.jobs import deferred_interrupts
from mien.results.features.feature_shards import (
    FeatureInfo,
    Position,
    ShardProgress,
    SourceRecord,
    list_shards,
    shard_path,
    shard_schema,
)
from mien.results.files import acquire_lock, atomic_write, output_errors

ROWS_PER_SHARD = 8192
"""Number of rows after which a shard is closed: 40 MB of 1290-d float32."""

SECONDS_PER_DRAFT = 10.0
"""Seconds after which the rows of the shard that is being filled are made safe, and the most that a crash can lose."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FrameVectors:
    """The vectors of the N >= 0 faces of one frame, or the reason why the frame could not be read.

    Attributes:
        source: Name of the input.
        frame: Number of the frame, rising within an input.
        time_s: Time since the start in seconds; NaN where unknown (crops).
        tracks: (N,) int64, -1 where nothing is tracked.
        features: (N, D).
        scores: (N, K).
        failure: Reason why the frame could not be read; empty if it could.
    """

    source: str
    frame: int
    time_s: float
    tracks: Int64
    features: Floats
    scores: Floats
    failure: str = ""

    def __len__(self) -> int:
        return len(self.tracks)


@dataclass(kw_only=True)
class _Pending:
    """The entries that are not on the disk yet, and the state of the shards before them.

    A flush replaces the object in one assignment, so that an interrupt can neither lose rows nor double them: a shard
    that was written but not yet counted is written once more under the same number.

    Attributes:
        number: Number of the shard that the entries will become.
        n_rows_safe: Number of rows in the shards before it.
        positions: Positions at the end of those shards.
        failures: Failures in those shards.
        entries: Entries of the shard.
        n_rows: Number of rows of the entries.
    """

    number: int
    n_rows_safe: int
    positions: tuple[Position, ...]
    failures: tuple[tuple[str, int, str], ...]
    entries: list[FrameVectors | SourceRecord] = field(default_factory=list)
    n_rows: int = 0


class FeatureWriter:
    """Writes the shards of one folder; a context manager. Not thread-safe.

    Frames are never split between shards. Leaving the context, also after an exception or Ctrl-C, makes everything
    safe that was appended. Memory holds one shard and does not grow with the number of rows.

    Args:
        folder: Folder of the shards, created if missing; shards of an earlier run with the same ``info`` are continued.
        info: Description of the vectors.
        rows_per_shard: Number of rows after which a shard is closed, at least 1.
        seconds_per_draft: Seconds after which the next frame makes all rows so far safe; they are written once more
            when their shard is full.

    Attributes:
        folder: Folder of the shards.
        records: Records of the inputs that are done, those of earlier runs first.
        n_rows_found: Number of rows of earlier runs.

    Raises:
        ConfigError: The folder holds other vectors, or ``rows_per_shard`` is below 1.
        InputError: A shard of an earlier run is damaged.
        OutputError: The folder cannot be written, or another run is writing there.
    """

    def __init__(
        self,
        folder: str | Path,
        info: FeatureInfo,
        *,
        rows_per_shard: int = ROWS_PER_SHARD,
        seconds_per_draft: float = SECONDS_PER_DRAFT,
    ) -> None:
        if rows_per_shard < 1:
            raise ConfigError(f"rows_per_shard must be at least 1, got {rows_per_shard}")
        self.folder = Path(folder)
        self._info = info
        self._rows_per_shard = rows_per_shard
        self._seconds_per_draft = seconds_per_draft
        self._saved_at_s = time.monotonic()
        with output_errors(self.folder, "choose a folder that may be written to"):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = acquire_lock(self.folder / ".lock", self.folder)
        try:
            shards = list_shards(self.folder)
            if shards and shards[0].info != info:
                differences = _differences(shards[0].info, info)
                raise ConfigError(
                    f"{self.folder} holds vectors of other settings ({differences}); choose another folder"
                )
        except BaseException:
            self._lock.close()
            raise
        self.records: list[SourceRecord] = [record for shard in shards for record in shard.progress.done]
        self.n_rows_found = sum(shard.n_rows for shard in shards)
        self._pending = _Pending(
            number=len(shards),
            n_rows_safe=self.n_rows_found,
            positions=shards[-1].progress.positions if shards else (),
            failures=tuple(failure for shard in shards for failure in shard.progress.failures),
        )

    @property
    def n_rows(self) -> int:
        """Number of rows of the folder, those of earlier runs included."""
        return self._pending.n_rows_safe + self._pending.n_rows

    @property
    def failures(self) -> tuple[tuple[str, int, str], ...]:
        """Triples ``(source, frame, reason)`` of frames that could not be read, those of earlier runs first."""
        return self._pending.failures + self._progress().failures

    def is_done(self, source: str) -> bool:
        """Whether an input was read to its end."""
        return any(record.source == source for record in self.records)

    def last_frame(self, source: str) -> int:
        """Number of the last frame of an input that is safe on the disk or waiting, -1 before the first."""
        position = self._position(source)
        return -1 if position is None else position.frame

    def append(self, vectors: FrameVectors) -> None:
        """Adds a frame; its input continues until `finish`.

        Raises:
            ConfigError: The vectors have other lengths than those of ``info``.
            OutputError: A shard cannot be written; its rows stay queued.
        """
        n, wanted = len(vectors), (self._info.n_features, len(self._info.score_names))
        if (vectors.features.shape, vectors.scores.shape) != ((n, wanted[0]), (n, wanted[1])):
            raise ConfigError(
                f"{vectors.source}: vectors of lengths {wanted} are needed, "
                f"got {vectors.features.shape} and {vectors.scores.shape}"
            )
        pending = self._pending
        previous = pending.entries[-1] if pending.entries else None
        if isinstance(previous, FrameVectors) and not (len(previous) or previous.failure):
            # Of frames without a face only the last counts, as a position: hours of them must not pile up.
            pending.entries[-1] = vectors
        else:
            pending.entries.append(vectors)
        pending.n_rows += n
        if pending.n_rows >= self._rows_per_shard:
            self.flush()
        elif time.monotonic() - self._saved_at_s >= self._seconds_per_draft:
            self._save()

    def finish(self, source: str, *, n_frames: int, messages: tuple[str, ...] = ()) -> SourceRecord:
        """Ends an input; its record becomes safe with the next shard.

        Args:
            source: Name of the input.
            n_frames: Number of frames that were read, those of earlier runs included.
            messages: Sentences about lost frames.
        """
        position = self._position(source)
        n_rows = 0 if position is None else position.n_rows
        record = SourceRecord(source=source, n_frames=n_frames, n_rows=n_rows, messages=messages)
        self._pending.entries.append(record)
        self.records.append(record)
        return record

    def flush(self) -> None:
        """Writes the waiting entries as a shard; does nothing without entries.

        Raises:
            OutputError: The disk is full or the folder cannot be written.
        """
        if not self._pending.entries:
            return
        progress, n_rows = self._save()
        self._pending = _Pending(
            number=self._pending.number + 1,
            n_rows_safe=self._pending.n_rows_safe + n_rows,
            positions=progress.positions,
            failures=self._pending.failures + progress.failures,
        )

    def _save(self) -> tuple[ShardProgress, int]:
        """Writes the waiting entries under the number of their shard, over an earlier state of it.

        Returns:
            Progress and number of rows of the shard.
        """
        pending, progress = self._pending, self._progress()
        frames = [entry for entry in pending.entries if isinstance(entry, FrameVectors)]
        table = _table(frames, self._info).replace_schema_metadata(shard_schema(self._info, progress).metadata)
        path = shard_path(self.folder, pending.number)
        with (
            output_errors(path, "the shards before it are safe; make room and run again"),
            atomic_write(path) as file,
        ):
            # Vectors neither compress nor repeat: trying to costs time on both ways.
            pq.write_table(table, file, compression="none", use_dictionary=["source"])
        self._saved_at_s = time.monotonic()
        return progress, table.num_rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            with deferred_interrupts():  # a second Ctrl-C must not cost the rows
                self.flush()
        finally:
            self._lock.close()

    def _progress(self) -> ShardProgress:
        """The progress that the next shard will hold."""
        done: list[SourceRecord] = []
        failures: list[tuple[str, int, str]] = []
        positions = {position.source: position for position in self._pending.positions}
        for entry in self._pending.entries:
            before = positions.pop(entry.source, None)
            if isinstance(entry, SourceRecord):
                done.append(entry)
                continue
            n_rows = (0 if before is None else before.n_rows) + len(entry)
            positions[entry.source] = Position(source=entry.source, frame=entry.frame, n_rows=n_rows)
            if entry.failure:
                failures.append((entry.source, entry.frame, entry.failure))
        return ShardProgress(done=tuple(done), positions=tuple(positions.values()), failures=tuple(failures))

    def _position(self, source: str) -> Position | None:
        return next((position for position in self._progress().positions if position.source == source), None)


def _table(frames: list[FrameVectors], info: FeatureInfo) -> pa.Table:
    counts = [len(frame) for frame in frames]

    def repeated(values: list[float] | list[int], dtype: type) -> pa.Array:
        return pa.array(np.repeat(np.asarray(values, dtype), counts), from_pandas=True)

    def joined(parts: list[Floats], length: int) -> pa.Array:
        flat = np.concatenate([np.empty((0, length)), *parts], dtype=info.dtype, casting="same_kind").reshape(-1)
        return pa.array(flat)

    columns = {
        "source": pa.array(np.repeat(np.asarray([frame.source for frame in frames], object), counts), pa.string()),
        "frame": repeated([frame.frame for frame in frames], np.int64),
        "time_s": repeated([frame.time_s for frame in frames], np.float64),
        "track": pa.array(np.concatenate([np.empty(0, np.int64), *(frame.tracks for frame in frames)])),
    }
    schema = info.schema
    for name, length in (("features", info.n_features), ("scores", len(info.score_names))):
        if length:
            flat = joined([getattr(frame, name) for frame in frames], length)
            columns[name] = pa.FixedSizeListArray.from_arrays(flat, type=schema.field(name).type)
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def _differences(before: FeatureInfo, now: FeatureInfo) -> str:
    old, new = ({**asdict(info), **info.settings} for info in (before, now))
    keys = [key for key in old.keys() | new.keys() if old.get(key) != new.get(key) and key != "settings"]
    return ", ".join(f"{key}: {_short(old.get(key))} there, {_short(new.get(key))} now" for key in sorted(keys))


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."

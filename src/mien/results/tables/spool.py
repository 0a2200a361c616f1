# SPDX-License-Identifier: Apache-2.0
"""The rows of an unfinished table: numbered Arrow files beside it that survive a crash, and their recovery."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from mien.core import OutputError, sync_folder
from mien.results.files import acquire_lock, atomic_write, output_errors
from mien.results.tables.table_formats import format_of, write_batches

_LOCK = "lock"
_DRAFT = "table"
_MARKER = "complete"
# A file of another name is not one of mien's: it is neither read nor deleted.
_PART = re.compile(r"part-[0-9]{1,9}\.arrow")


class _TornPartError(Exception):
    """A part that cannot be decoded."""


@dataclass(frozen=True, kw_only=True)
class SpoolScan:
    """The content of a spool folder.

    Attributes:
        parts: Paths of the readable parts in the order in which they were written.
        schema: Common schema of the parts; None if there is no readable part.
        n_rows: Number of rows in the parts.
        messages: One sentence per part that had to be left out.
        others: Paths of readable parts that were left out, as their columns are not those of the most rows.
    """

    parts: tuple[Path, ...] = ()
    schema: pa.Schema | None = None
    n_rows: int = 0
    messages: tuple[str, ...] = ()
    others: tuple[Path, ...] = ()


def spool_folder(table: Path) -> Path:
    """The folder that holds the rows of a table until it is finished: ``<table>.parts``.

    Examples:
        >>> spool_folder(Path("clip.csv")).name
        'clip.csv.parts'
    """
    return table.with_name(table.name + ".parts")


def scan_spool(table: Path) -> SpoolScan:
    """Reads the parts that an interrupted run left, one at a time; torn parts are left out with a message.

    Args:
        table: Path of the table that the run was writing.

    Raises:
        OutputError: The folder or a part in it cannot be opened.
    """
    folder = spool_folder(table)
    with output_errors(folder, "check its permissions"):
        if not folder.is_dir() or _is_published(folder):
            return SpoolScan()
        paths = _list_parts(folder)
    schemas: dict[Path, pa.Schema] = {}
    n_rows: dict[Path, int] = {}
    messages: list[str] = []
    for path in paths:
        try:
            content = _read_part(path)
        except _TornPartError as error:
            messages.append(f"{path.name} of {table} was left out: {error}")
            continue
        schemas[path], n_rows[path] = content.schema, content.num_rows
    schema = _schema_of_most(schemas, n_rows)
    parts = tuple(path for path in schemas if schemas[path].equals(schema))
    others = tuple(path for path in schemas if path not in parts)
    messages += [
        f"{path.name} of {table} was left out: its columns differ from those of most rows; it is kept in {folder}"
        for path in others
    ]
    total = sum(n_rows[path] for path in parts)
    return SpoolScan(parts=parts, schema=schema, n_rows=total, messages=tuple(messages), others=others)


def _schema_of_most(schemas: Mapping[Path, pa.Schema], n_rows: Mapping[Path, int]) -> pa.Schema | None:
    """The columns that most rows have, with the metadata that most of these have: a part may have been edited."""
    found: list[tuple[pa.Schema, int]] = []
    for path, schema in schemas.items():
        at = next((n for n, (known, _) in enumerate(found) if known.equals(schema, check_metadata=True)), len(found))
        found[at:] = [(schema, n_rows[path] + (found[at][1] if at < len(found) else 0)), *found[at + 1 :]]
    if not found:
        return None
    n_like = [sum(n for other, n in found if other.equals(schema)) for schema, _ in found]
    best = max(range(len(found)), key=lambda at: (n_like[at], found[at][1]))
    return found[best][0]


class Spool:
    """Exclusive write access to the parts of one table.

    Args:
        table: Final path of the table. Its folder and the spool folder are created.

    Attributes:
        table: Final path of the table.
        folder: Folder of the parts.

    Raises:
        OutputError: The place cannot be written, or another run is writing this table.
    """

    def __init__(self, table: Path) -> None:
        self.table = table
        self.folder = spool_folder(table)
        with output_errors(table, "check that the folder exists and may be written to"):
            if table.is_dir():
                raise IsADirectoryError(None, "it is a folder")
            if self.folder.is_symlink():
                raise FileExistsError(None, f"{self.folder} is a link, which is not followed")
            table.parent.mkdir(parents=True, exist_ok=True)
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self._lock = acquire_lock(self.folder / _LOCK, table)
        try:
            with self.errors():
                self.finish_previous()
        except BaseException:
            self._lock.close()
            raise

    def write(self, number: int, batch: pa.RecordBatch) -> None:
        """Writes a batch to the disk as part ``number``; an older part of that number is replaced.

        Args:
            number: Number of the part, from 0.
            batch: Rows of the part.

        Raises:
            OutputError: The disk is full or the folder cannot be written; earlier parts are unharmed.
        """
        path = self.path_of(number)
        with self.errors(), atomic_write(path) as file, pa.ipc.new_file(file, batch.schema) as writer:
            writer.write_batch(batch)

    def path_of(self, number: int) -> Path:
        """The path of part ``number``, whether it exists or not."""
        return self.folder / f"part-{number:05d}.arrow"

    def publish(
        self,
        target: Path,
        batches: Iterator[pa.RecordBatch],
        encode: Callable[[BinaryIO, Iterator[pa.RecordBatch]], None],
    ) -> None:
        """Builds the table and moves it to ``target`` in one step.

        The parts stay until `clear`, but no later run takes them for rows that still need a table.

        Args:
            target: Path of the table, or another one in the same folder.
            batches: All rows: `batches` of the parts to include, and rows that are in no part.
            encode: Function that writes the batches in the table's format and holds only a few of them at a time.

        Raises:
            OutputError: The table cannot be written or a part not be read; all parts are kept.
        """
        marker, draft = self.folder / _MARKER, self.folder / _DRAFT
        with self.errors(target):
            # Without a draft, a marker of an earlier attempt would read as "already moved".
            marker.unlink(missing_ok=True)
            with atomic_write(draft) as file:
                encode(file, batches)
            marker.touch()
            sync_folder(self.folder)
            draft.replace(target)
            sync_folder(target.parent)

    def clear(self) -> None:
        """Deletes all parts; the spool stays open.

        Raises:
            OutputError: Something cannot be deleted.
        """
        with output_errors(self.folder, "delete the folder by hand"):
            self._clear()

    def keep_aside(self, parts: Iterable[Path]) -> None:
        """Gives parts another name, under which they are neither read nor deleted.

        Args:
            parts: Paths of parts whose rows do not fit into the table.

        Raises:
            OutputError: A part cannot be renamed.
        """
        for path in parts:
            with output_errors(path, "move it away by hand"):
                names = (self.folder / f"kept-{n}-{path.name}" for n in count(1))
                path.rename(next(name for name in names if not name.exists()))

    def remove(self) -> None:
        """Deletes all parts and the folder, and releases the lock on the table.

        Raises:
            OutputError: Something cannot be deleted.
        """
        self.clear()
        self.release()
        with output_errors(self.folder, "delete the folder by hand"):
            (self.folder / _LOCK).unlink(missing_ok=True)
            # A file that mien did not write stays, and it does no harm there.
            if not any(self.folder.iterdir()):
                self.folder.rmdir()

    def release(self) -> None:
        """Releases the lock on the table; the parts stay."""
        self._lock.close()

    def finish_previous(self) -> None:
        """Completes the clean-up of an earlier run that crashed while it finished its table.

        Raises:
            OSError: As the operating system reports.
        """
        if _is_published(self.folder):
            self._clear()
        # The marker goes before the draft: alone it would say that the rows are in the table.
        (self.folder / _MARKER).unlink(missing_ok=True)
        (self.folder / _DRAFT).unlink(missing_ok=True)

    def _clear(self) -> None:
        for path in (*_list_parts(self.folder), *self.folder.glob(".mien-*.part*"), *self.folder.glob("*.tmp")):
            path.unlink()
        # The marker outlives the parts: it says that they are in the table already.
        (self.folder / _MARKER).unlink(missing_ok=True)

    def batches(self, parts: Iterable[Path]) -> Iterator[pa.RecordBatch]:
        """The rows of some parts, one part in memory at a time.

        Args:
            parts: Paths of the parts.

        Raises:
            OutputError: A part is damaged.
        """
        for path in parts:
            try:
                yield from _read_part(path).to_batches()
            except _TornPartError as error:
                raise OutputError(
                    f"cannot finish {self.table}: {path} is damaged ({error}); run again to recover the other rows"
                ) from error

    @contextmanager
    def errors(self, path: Path | None = None) -> Iterator[None]:
        """Turns an operating system error into an `OutputError` that says which rows are safe.

        Args:
            path: Path of the file that is written; None for the table.

        Raises:
            OutputError: The block raised an `OSError`.
        """
        try:
            yield
        except OSError as error:
            advice = "check that the folder exists and has room, or choose another one"
            with suppress(OSError):
                if _list_parts(self.folder) and not _is_published(self.folder):
                    advice = f"the rows flushed so far are safe in {self.folder} and are recovered on the next run"
            raise OutputError(f"cannot write {path or self.table}: {error.strerror or error}; {advice}") from error


def _list_parts(folder: Path) -> list[Path]:
    parts = (path for path in folder.glob("part-*.arrow") if _PART.fullmatch(path.name))
    return sorted(parts, key=_part_number)


def _part_number(path: Path) -> int:
    return int(path.stem.removeprefix("part-"))


def _is_published(folder: Path) -> bool:
    return (folder / _MARKER).exists() and not (folder / _DRAFT).exists()


def _read_part(path: Path) -> pa.Table:
    # Read first, decode then: an error of the disk must not pass for a torn part, which would drop its rows.
    with output_errors(path, "move it away; the other rows are recovered on the next run"):
        if not path.is_file():
            raise OSError(None, "it is no file")
        content = path.read_bytes()
    try:
        # In this thread: another one might still hold the bytes while the interpreter shuts down.
        options = pa.ipc.IpcReadOptions(use_threads=False)
        with pa.ipc.open_file(pa.BufferReader(content), options=options) as reader:
            rows = reader.read_all()
        rows.validate(full=True)  # changed bytes may leave buffers that are shorter than their columns
        return rows
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _TornPartError(str(error)) from error


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """The outcome of `recover`.

    Attributes:
        path: Path of the table that now holds the rows; None if there were none.
        n_rows: Number of rows in it.
        messages: One sentence for the user per damaged part that had to be left out.
    """

    path: Path | None = None
    n_rows: int = 0
    messages: tuple[str, ...] = ()


def recover(path: str | Path) -> Recovery:
    """Turns the rows that a crashed run left into a valid table of their own.

    They take the name that the run was writing to if it is free, else ``<name>.recovered<ending>`` (then
    ``<name>.recovered-2<ending>`` and so on): an existing table is never replaced.

    Args:
        path: Path of the table that the run was writing.

    Raises:
        ConfigError: The ending is unknown.
        OutputError: The table cannot be written (the rows are kept), or its run is still going on.
    """
    table = Path(path)
    format_of(table)
    if not spool_folder(table).is_dir():
        return Recovery()
    spool = Spool(table)
    try:
        recovery = recover_from(spool, scan_spool(table), keep_name_free=False)
        spool.remove()
    finally:
        spool.release()
    return recovery


def recover_from(spool: Spool, found: SpoolScan, *, keep_name_free: bool) -> Recovery:
    """Turns the parts that were found into a table; the spool stays open and is empty afterwards.

    Args:
        spool: Spool of the parts.
        found: Content of the parts.
        keep_name_free: Whether to leave the table's own name free for a run that is about to write it.

    Raises:
        OutputError: The table cannot be written; the rows are kept.
    """
    target = None
    if found.n_rows:
        target = _free_name(spool.table, keep_name_free=keep_name_free)

        def encode(file: BinaryIO, batches: Iterator[pa.RecordBatch]) -> None:
            write_batches(file, format_of(spool.table), found.schema, batches)

        spool.publish(target, spool.batches(found.parts), encode)
    spool.keep_aside(found.others)
    spool.clear()
    return Recovery(path=target, n_rows=found.n_rows, messages=found.messages)


def _free_name(table: Path, *, keep_name_free: bool) -> Path:
    if not keep_name_free and not table.exists():
        return table
    tags = ("recovered" if n == 1 else f"recovered-{n}" for n in count(1))
    names = (table.with_name(f"{table.stem}.{tag}{table.suffix}") for tag in tags)
    return next(name for name in names if not name.exists())

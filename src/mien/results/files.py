# SPDX-License-Identifier: Apache-2.0
"""Files that exist in full or not at all, locks that end with their process, and errors that name the file."""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mien.core import DraftFile, OutputError, delete_drafts, is_file_at


@contextmanager
def output_errors(path: Path, advice: str) -> Iterator[None]:
    """Turns an operating system error into an `OutputError` that names the file.

    Args:
        path: Path of the file that is written.
        advice: Advice for the user, without a full stop.

    Raises:
        OutputError: The block raised an `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; {advice}") from error


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """A file to fill, which takes its name only once it is complete and on the disk.

    If the block raises, nothing stays behind and an older file of that name is untouched. A link of that name is
    replaced and not followed.

    Args:
        path: Final path; its folder must exist.

    Raises:
        OSError: As the operating system reports.
    """
    draft = DraftFile(path)
    with draft:
        yield draft.file
        draft.publish()


def cache_folder(name: str) -> Path:
    """Folder for data that mien can make again, ``$XDG_CACHE_HOME/mien/NAME`` or ``~/.cache/mien/NAME``."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "mien" / name


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: BinaryIO) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try_lock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


_BUSY = frozenset({errno.EACCES, errno.EAGAIN})
# Some network file systems have no locks; there a table is written without protection.
_UNSUPPORTED = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})


_FOLDER_LOCK = ".mien.lock"
_LOCK_PAUSE_S = 0.02
_LOCK_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


@contextmanager
def locked_folder(folder: Path, *, wait_s: float = 0.0) -> Iterator[None]:
    """Keeps other runs out of a folder of tables. A missing folder is created, and removed again if it stays empty.

    Args:
        folder: Folder of the tables.
        wait_s: Time in seconds to wait for another run that holds the lock.

    Raises:
        OutputError: Another run holds the lock, or the folder cannot be made or written to.
    """
    with output_errors(folder, "check that the folder may be written to, or choose another one"):
        created = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / _FOLDER_LOCK
        lock = _awaited_lock(path, folder, time.monotonic() + wait_s)
        while not is_file_at(lock.fileno(), path):  # the previous run deleted it between opening and locking
            lock.close()
            lock = acquire_lock(path, folder)
    delete_drafts(folder)
    try:
        yield
    finally:
        with suppress(OSError):  # Windows deletes no open file: it stays there and does no harm
            path.unlink()
        lock.close()
        if created:
            with suppress(OSError):  # it is not empty
                folder.rmdir()


def _awaited_lock(path: Path, folder: Path, end_s: float) -> BinaryIO:
    while True:
        try:
            return acquire_lock(path, folder)
        except OutputError:
            if time.monotonic() >= end_s:
                raise
        time.sleep(_LOCK_PAUSE_S)


def acquire_lock(path: Path, table: Path) -> BinaryIO:
    """Locks a file, which is created if it does not exist; closing the returned file frees the lock.

    Args:
        path: Path of the lock file.
        table: Path of what the lock guards, for the message.

    Raises:
        OutputError: Another writer holds the lock.
        OSError: The lock file cannot be opened or locked.
    """
    # Neither a link is followed nor a pipe waited for.
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | _LOCK_FLAGS, 0o666)
    file: BinaryIO = os.fdopen(descriptor, "r+b", buffering=0)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise OutputError(f"cannot write {table}: {path} is not a regular file; move it, or choose another name")
    try:
        _try_lock(file)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return file
        file.close()
        if error.errno in _BUSY:
            raise OutputError(f"{table} is being written by another run; wait for it or choose another name") from error
        raise
    return file

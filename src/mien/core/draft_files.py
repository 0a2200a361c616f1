# SPDX-License-Identifier: Apache-2.0
"""Files that are written under a random name and take their own name once they are complete."""

from __future__ import annotations

import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Self

_LEFTOVER = re.compile(r"\.mien-[0-9a-f]{16}\.part(\.\w{1,8})?")
_ENDING = re.compile(r"\.\w{1,8}")
_swept: set[str] = set()
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_BINARY = getattr(os, "O_BINARY", 0)


class DraftFile:
    """A new file beside its target, which takes the target's name with `publish` or is deleted with `discard`.

    The name is random and the file is created exclusively, so that no file of the user and no link is ever opened.
    The file is locked while its process lives: see `delete_drafts`.

    Args:
        target: Final path of the file; its folder must exist.

    Attributes:
        path: Path of the draft.
        file: The draft, open for writing.

    Raises:
        OSError: As the operating system reports.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     draft = DraftFile(Path(folder, "clip.mp4"))
        ...     _ = draft.file.write(b"frames")
        ...     before = [path.suffixes for path in Path(folder).iterdir()]
        ...     draft.publish()
        ...     (before, [path.name for path in Path(folder).iterdir()])
        ([['.part', '.mp4']], ['clip.mp4'])
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        delete_drafts(target.parent)
        ending = target.suffix if _ENDING.fullmatch(target.suffix) else ""
        while True:
            self.path = target.with_name(f".mien-{secrets.token_hex(8)}.part{ending}")
            descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR | _NO_LINK | _BINARY, 0o666)
            self.file: BinaryIO = os.fdopen(descriptor, "wb")
            _lock(descriptor)
            if is_file_at(descriptor, self.path):
                break
            self.file.close()  # another process took it for a leftover before it was locked

    def publish(self) -> None:
        """Makes the content safe on the disk and moves the file to its target, over an older file of that name.

        Raises:
            OSError: As the operating system reports; the draft is still there.
        """
        self.file.flush()
        os.fsync(self.file.fileno())
        if os.name != "posix":
            self.file.close()  # Windows renames no open file
        self.path.replace(self._target)
        self.file.close()
        sync_folder(self._target.parent)

    def discard(self) -> None:
        """Deletes the draft; does nothing once it is published."""
        with suppress(OSError):  # a write that waits in the buffer may fail again
            self.file.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()


def sync_folder(folder: Path) -> None:
    """Makes renames in a folder survive a power cut, where the system supports it (Windows has no such call)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_file_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is the one of that name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


@contextmanager
def private_files(*, private: bool) -> Iterator[None]:
    """New files and folders of this process are closed to other users (0600 and 0700) during the block.

    Args:
        private: False changes nothing.
    """
    if not private:
        yield
        return
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


if sys.platform == "win32":

    def _lock(descriptor: int) -> bool:  # noqa: ARG001 - Windows deletes no file that is open
        return True

else:
    import fcntl

    def _lock(descriptor: int) -> bool:
        """Locks a file for as long as it is open; False where that is refused or not supported."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def delete_drafts(folder: Path) -> None:
    """Deletes the drafts that crashed processes left in a folder, once in the life of this process.

    They may show faces. Every draft in the folder does so, and every run that locks the folder.

    Args:
        folder: Folder; it may be missing.
    """
    key = os.path.realpath(folder)
    if key in _swept:
        return
    with suppress(OSError):  # writing into a folder that cannot be listed reports the error
        with os.scandir(folder) as entries:
            found = [entry.path for entry in entries if _LEFTOVER.fullmatch(entry.name)]
        for path in found:
            with suppress(OSError):  # it belongs to another user, or is in use
                _delete_unlocked(path)
        _swept.add(key)


def _delete_unlocked(path: str) -> None:
    descriptor = os.open(path, os.O_RDWR | _NO_LINK | _BINARY)
    try:
        is_left = stat.S_ISREG(os.fstat(descriptor).st_mode) and _lock(descriptor)
        if is_left and os.name == "posix":
            Path(path).unlink()
    finally:
        os.close(descriptor)
    if is_left and os.name != "posix":
        Path(path).unlink()

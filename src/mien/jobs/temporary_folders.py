# SPDX-License-Identifier: Apache-2.0
"""Private temporary folders that a later run deletes where a crash left them."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

RAY_PREFIX = "mien-ray-"
"""First part of the names of the folders of a Ray that mien starts itself."""

_LOCK = "lock"
_UNLOCKED_S = 3600.0  # a folder without a lock file comes from an earlier version, or is just being made
_NEW_S = 2.0  # age below which a folder may not have been locked yet
_MAX_PARENT = 20  # longest parent in characters under which the sockets of Ray can be opened: paths have 104 at most


@contextmanager
def temporary_folder(prefix: str, parent: str | None = None) -> Iterator[Path]:
    """A new folder that only this user can open (0700), deleted at the end of the block.

    The folder is locked while its process lives. First, folders of the same prefix that crashed processes of this user
    left behind are deleted.

    Args:
        prefix: First part of the name; must belong to one purpose.
        parent: Folder in which it is made; if None, the system's temporary folder, or ``/tmp`` in place of a long path.

    Yields:
        Path of an empty folder inside; libraries may change the mode of this one, but not that of the folder around it.

    Examples:
        >>> with temporary_folder("mien-example-") as folder:
        ...     folder.is_dir()
        True
        >>> folder.parent.exists()
        False
    """
    parent = parent or _short_parent()
    delete_leftovers(prefix, parent=parent)
    around = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        with (around / _LOCK).open("xb") as lock:
            _lock(lock)
            inside = around / "t"
            inside.mkdir(mode=0o700)
            yield inside
    finally:
        shutil.rmtree(around, ignore_errors=True)


def delete_leftovers(prefix: str, *, parent: str | None = None) -> None:
    """Delete the folders that crashed processes of this user left; those of running processes stay.

    Args:
        prefix: First part of their names.
        parent: Folder that holds them; None as for `temporary_folder`.
    """
    with suppress(OSError):
        for entry in list(os.scandir(parent or _short_parent())):
            if entry.name.startswith(prefix):
                with suppress(OSError):  # it is another user's, or is being deleted
                    _delete_unlocked(Path(entry.path))


def _delete_unlocked(folder: Path) -> None:
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or (sys.platform != "win32" and status.st_uid != os.geteuid()):
        return
    age_s = time.time() - status.st_mtime
    if age_s < _NEW_S:
        return
    try:
        lock = (folder / _LOCK).open("r+b")
    except FileNotFoundError:
        if age_s > _UNLOCKED_S:
            shutil.rmtree(folder, ignore_errors=True)
        return
    with lock:
        # Windows deletes no file that is open, so that the folder of a running process stays by itself.
        is_left = _lock(lock)
    if is_left and os.name != "posix":
        (folder / _LOCK).unlink()
    if is_left:
        shutil.rmtree(folder, ignore_errors=True)


def _short_parent() -> str:
    parent = tempfile.gettempdir()
    return "/tmp" if len(parent) > _MAX_PARENT and Path("/tmp").is_dir() else parent


if sys.platform == "win32":

    def _lock(file: BinaryIO) -> bool:  # noqa: ARG001 - an open file cannot be deleted there
        return True

else:
    import fcntl

    def _lock(file: BinaryIO) -> bool:
        """Locks a file for as long as it is open; False where another process holds it."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

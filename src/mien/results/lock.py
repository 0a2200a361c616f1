# SPDX-License-Identifier: Apache-2.0
"""A lock that its process cannot leave behind: the system frees it even after ``kill -9``."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import BinaryIO

from mien.core import OutputError

if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: BinaryIO) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try_lock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


_BUSY = frozenset({errno.EACCES, errno.EAGAIN})
# Some network file systems know no locks; a table there is worth more than the protection.
_UNSUPPORTED = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})


def acquire_lock(path: Path, table: Path) -> BinaryIO:
    """Locks a file, which is created if need be; closing the returned file frees the lock.

    Args:
        path: the lock file.
        table: what the lock guards, for the message.

    Raises:
        OutputError: another writer holds the lock.
        OSError: the lock file cannot be opened or locked.
    """
    file = path.open("ab")
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

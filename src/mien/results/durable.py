# SPDX-License-Identifier: Apache-2.0
"""Files that are there in full or not at all, even after a power cut, and errors that name the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mien.core import OutputError


@contextmanager
def output_errors(path: Path, advice: str) -> Iterator[None]:
    """Turns an operating system error into an `OutputError` that names the file.

    Args:
        path: what is being written.
        advice: what the reader of the message can do, without a full stop.

    Raises:
        OutputError: the block raised an `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; {advice}") from error


@contextmanager
def durable_file(path: Path) -> Iterator[BinaryIO]:
    """A file to fill, which takes its name only once it is complete and on the disk.

    If the block raises, nothing stays behind and an older file of that name is untouched.

    Args:
        path: the final name; its folder must exist.

    Raises:
        OSError: as the operating system says.
    """
    draft = path.with_name(path.name + ".tmp")
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes renames in a folder survive a power cut, where the system can do that (Windows has no such call)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

# SPDX-License-Identifier: Apache-2.0
"""Names for files that are not complete yet, and the end of those that a killed run left behind."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path


def partial_path(path: Path) -> Path:
    """A hidden name beside a file, for as long as it is being written.

    What killed runs left under such a name for the same file is deleted: it shows faces that nobody asked to keep. The
    file of a run that goes on stays (where the system does not tell, it refuses to delete an open file).

    Args:
        path: the file's final name.
    """
    ours = re.compile(rf"\.{re.escape(path.stem)}\.(\d+)\.part{re.escape(path.suffix)}")
    with suppress(OSError):  # a folder that cannot be listed will be reported by whoever writes into it
        for entry in path.parent.iterdir():
            match = ours.fullmatch(entry.name)
            if match and not _is_running(int(match[1])):
                with suppress(OSError):  # Windows: somebody writes it
                    entry.unlink()
    return path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")


def _is_running(process_id: int) -> bool:
    if os.name != "posix":
        return False  # there the signal 0 would end the process instead of asking for it
    if process_id == os.getpid():
        return True
    try:
        os.kill(process_id, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it is there and another user's
    return True

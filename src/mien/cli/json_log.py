# SPDX-License-Identifier: Apache-2.0
"""Keeps standard error to JSON lines: what libraries and Python write there becomes the message of an event."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import secrets
import sys
import threading
import warnings
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

_PIPE_BYTES = 1 << 20
_JOIN_S = 5.0
_active: list[JsonLog] = []


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether arguments of the command line hold ``--log json``.

    Examples:
        >>> wants_json(["analyze", "clip.mp4", "--log", "json"]), wants_json(["analyze", "--log=text"])
        (True, False)
    """
    options = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    return "--log=json" in options or ("--log", "json") in itertools.pairwise(options)


def write_event(event: str, facts: dict[str, Any]) -> None:
    """Write one event as a JSON line to standard error.

    Args:
        event: Name of the event.
        facts: JSON values.
    """
    # ASCII alone: any other character could be turned into something that is not JSON by the stream's encoding.
    line = json.dumps({"event": event, **facts}) + "\n"
    if _active:
        _active[-1].write(line)
    else:
        sys.stderr.write(line)
        sys.stderr.flush()


class JsonLog:
    """Turns all that reaches standard error into events ``library``, one a line; a context manager.

    OpenCV, ONNX Runtime and FFmpeg write to the file descriptor past Python, and so do worker processes: the descriptor
    is replaced by a pipe for the time of the block.
    """

    def __enter__(self) -> Self:
        self._stderr = sys.stderr
        self._lock = threading.Lock()
        self._end = secrets.token_bytes(16).hex().encode()
        with contextlib.suppress(OSError, ValueError):
            self._stderr.flush()
        try:
            on_descriptor = self._stderr.fileno() == 2
        except (OSError, ValueError, AttributeError):
            on_descriptor = False
        self._original = os.dup(2)
        self._output = self._original if on_descriptor else None
        self._reading, writing = os.pipe()
        _enlarge(writing)
        os.dup2(writing, 2)
        os.close(writing)
        sys.stderr = io.TextIOWrapper(
            io.FileIO(2, "w", closefd=False), "utf-8", "backslashreplace", line_buffering=True, write_through=True
        )
        self._show_warning = warnings.showwarning
        warnings.showwarning = _write_warning
        self._thread = threading.Thread(target=self._wrap_lines, name="mien-json-log", daemon=True)
        self._thread.start()
        _active.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _active.remove(self)
        warnings.showwarning = self._show_warning
        replaced, sys.stderr = sys.stderr, self._stderr
        with contextlib.suppress(OSError, ValueError):
            replaced.flush()
        # A process that inherited the pipe may live on, so that the pipe does not end by itself.
        os.write(2, b"\n" + self._end + b"\n")
        os.dup2(self._original, 2)
        self._thread.join(_JOIN_S)
        os.close(self._original)

    def write(self, line: str) -> None:
        """Write a line that is JSON already."""
        with self._lock:
            if self._output is None:
                self._stderr.write(line)
                self._stderr.flush()
                return
            data = line.encode()
            while data:
                data = data[os.write(self._output, data) :]

    def _wrap_lines(self) -> None:
        with os.fdopen(self._reading, "rb") as lines:
            for line in lines:
                text = line.strip()
                if text == self._end:
                    return
                if text:
                    with contextlib.suppress(OSError, ValueError):  # the other end of standard error is closed
                        self.write(_as_event(text.decode("utf-8", "replace")))


def _as_event(text: str) -> str:
    """A line as JSON; events of other processes of mien stay as they are."""
    if text.startswith('{"event": '):
        with contextlib.suppress(ValueError):
            return json.dumps(json.loads(text)) + "\n"
    return json.dumps({"event": "library", "message": text}) + "\n"


def _write_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    write_event("library", {"message": f"{category.__name__}: {message}"})


def _enlarge(pipe: int) -> None:
    """Make a pipe hold more where the system can, since code that blocks the interpreter may write much at once."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

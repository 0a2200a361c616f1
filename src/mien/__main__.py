# SPDX-License-Identifier: Apache-2.0
"""The command ``mien`` and ``python -m mien``: handles signals from its first moment and ends its process at once."""

import atexit
import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import Any

_INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Process:
    """State of this process: the exit code with which it is going to end."""

    def __init__(self) -> None:
        self.code = 1  # that of an unexpected error

    def interrupt(self, _signal: int, frame: FrameType | None) -> None:
        """Signal handler: raises KeyboardInterrupt; ends the process at once while it only imports modules.

        An exception in the middle of an import is printed and lost, or turned into another one.
        """
        if _is_importing(frame):
            self.code = _INTERRUPTED
            _say_interrupted()
            self.leave()
        raise KeyboardInterrupt

    def leave(self, *_: Any) -> None:
        """End the process without the destructors of its libraries.

        While the interpreter shuts down, a thread of Arrow that frees memory of Python's is ended in the middle of a
        destructor, which aborts the process (apache/arrow#34314, #45017). Everything is written by now.
        """
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):  # the other end of a pipe is gone, or there is none
                stream.flush()
        os._exit(self.code)


def run() -> None:
    """Run the command line and exit with its code."""
    process = _Process()
    for each in _SIGNALS:
        # Signals that the caller has chosen to ignore, as nohup does, stay ignored.
        if signal.getsignal(each) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(each, process.interrupt)
    # The first to be registered is the last to run: after what libraries have registered, and before the interpreter
    # shuts down.
    atexit.register(process.leave)
    try:
        from mien.cli import main

        main()
    except SystemExit as ended:
        process.code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
        raise
    except KeyboardInterrupt:
        process.code = _INTERRUPTED
        _say_interrupted()
        sys.exit(_INTERRUPTED)
    finally:
        for each in _SIGNALS:
            if signal.getsignal(each) == process.interrupt:
                signal.signal(each, process.leave)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _say_interrupted() -> None:
    if not any(pair == ("--log", "json") for pair in zip(sys.argv, sys.argv[1:], strict=False)) and (
        "--log=json" not in sys.argv
    ):
        with suppress(OSError):
            os.write(2, b"interrupted\n")
        return
    # Standard error may be a pipe of this process by now, which is not read to its end.
    write_event = getattr(sys.modules.get("mien.cli.json_log"), "write_event", None)
    with suppress(OSError):
        if write_event is not None:
            write_event("interrupted", {"message": "interrupted", "exit_code": _INTERRUPTED})
        else:
            os.write(2, b'{"event": "interrupted", "message": "interrupted", "exit_code": 130}\n')


if __name__ == "__main__":
    run()

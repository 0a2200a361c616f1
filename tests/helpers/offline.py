# SPDX-License-Identifier: Apache-2.0
"""Runs ``offline.py CODE ARGUMENT...`` with every attempt to reach a network refused, and fails if there was one.

An audit hook sees what any Python code does, however it got hold of the socket functions, and cannot be removed. An
attempt counts even where a library swallows the refusal, and so does a child process, which could make one unseen.
"""

import os
import sys
from typing import Any

_REFUSED = {
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyaddr",
    "socket.gethostbyname",
    "socket.sendmsg",
    "socket.sendto",
    "subprocess.Popen",
}
EXIT_CODE = 99

attempts: list[str] = []


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _REFUSED:
        attempts.append(f"{event} {arguments!r}")
        raise OSError(f"this run is offline, refused: {event}")


def main() -> None:
    """Run the code that the command line holds."""
    code, sys.argv = sys.argv[1], sys.argv[1:]
    sys.addaudithook(_refuse)
    try:
        exec(compile(code, "<offline>", "exec"), {"__name__": "__main__"})
    finally:
        if attempts:
            sys.stderr.write("\n".join(attempts))
            sys.stderr.flush()
            os._exit(EXIT_CODE)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Work for engine tests, in its own module so that worker processes can import it."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.core import InputError, ModelError
from mien.jobs import Emit, Work


class UnpicklableError(Exception):
    """An error that cannot be unpickled."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


def act(item: Any, emit: Emit) -> Any:
    """Do as the item says; a number is squared."""
    match item:
        case "exit":
            os._exit(7)
        case "kill":
            os.kill(os.getpid(), 9)
        case "bad":
            raise InputError("clip.mp4: is empty")
        case "bug":
            raise ZeroDivisionError("a bug")
        case "unpicklable":
            raise UnpicklableError("two", "arguments")
        case ("long", Path() as log):
            try:
                for step in range(100_000):
                    emit(step)
                    time.sleep(0.005)
            finally:
                log.write_text("saved")
    emit(os.getpid())
    return item if isinstance(item, tuple) else item**2


@dataclass(frozen=True)
class Setup:
    """Setup that leaves a file per call in a folder."""

    folder: Path

    def __call__(self) -> Work:
        (self.folder / f"setup-{os.getpid()}").touch()
        return act


@dataclass(frozen=True)
class FailingSetup:
    """Setup that raises or crashes."""

    dies: bool = False

    def __call__(self) -> Work:
        if self.dies:
            os._exit(9)
        raise ModelError("weights: is damaged")

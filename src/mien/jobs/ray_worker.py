# SPDX-License-Identifier: Apache-2.0
"""The other end of `mien.jobs.ray_engine`: what an actor does. Needs no Ray to be imported."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from mien.jobs.engine import Setup, Work
from mien.jobs.worker import portable


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of an item.

    Attributes:
        messages: those that nobody has taken yet, in order.
        result: of the work.
        error: what the work, or its setup, raised.
        unfit: whether it was the setup.
        stopped: whether the work ended early, as it was asked to.
    """

    messages: list[Any]
    result: Any = None
    error: Exception | None = None
    unfit: bool = False
    stopped: bool = False


class RayWorker:
    """One actor; `work` runs in one thread, the other methods meanwhile in another.

    Args:
        setup: makes the work, before the first item.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._work: Work | None = None
        self._messages: deque[Any] = deque()
        self._stop_asked = False
        self._stop_told = False

    def work(self, item: Any) -> Answer:
        """Work on an item; errors are part of the answer."""
        if self._work is None:
            try:
                self._work = self._setup()
            except Exception as error:  # noqa: BLE001 - raised again by the engine
                return Answer(messages=self.take_messages(), error=portable(error), unfit=True)
        try:
            result = self._work(item, self._tell)
        except KeyboardInterrupt:
            return Answer(messages=self.take_messages(), stopped=True)
        except Exception as error:  # noqa: BLE001 - listed by the engine as what became of the item
            return Answer(messages=self.take_messages(), error=portable(error))
        return Answer(messages=self.take_messages(), result=result)

    def take_messages(self) -> list[Any]:
        """What was told since the last time."""
        return [self._messages.popleft() for _ in range(len(self._messages))]

    def stop(self) -> None:
        """Let the work end at its next message."""
        self._stop_asked = True

    def _tell(self, message: Any) -> None:
        self._messages.append(message)
        if self._stop_asked and not self._stop_told:
            self._stop_told = True  # once: what is told while the results are saved must not stop that
            raise KeyboardInterrupt

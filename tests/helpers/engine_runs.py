# SPDX-License-Identifier: Apache-2.0
"""Run an engine and collect its events."""

from typing import Any

from mien.jobs import Done, Engine, Message


def run_engine(engine: Engine, setup: Any, items: list[Any]) -> tuple[dict[int, Any], list[Message]]:
    """Run the items; return the outcome of each item by its index, and all messages."""
    ended: dict[int, Any] = {}
    messages = []

    def report(event: Any) -> None:
        if isinstance(event, Message):
            messages.append(event)
            return
        assert event.number not in ended, "an item ended twice"
        ended[event.number] = event.result if isinstance(event, Done) else event.error

    engine.run(setup, items, report)
    return ended, messages

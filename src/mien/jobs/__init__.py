# SPDX-License-Identifier: Apache-2.0
"""Maps a function over many items, in this process, in several, or on many machines; knows nothing of faces."""

from mien.jobs.engine import ENGINES, Done, Emit, Engine, Event, Failed, FakeEngine, Message, Setup, Work, create_engine
from mien.jobs.local import LocalEngine
from mien.jobs.streams import batched, map_in_order, prefetch

__all__ = [
    "ENGINES",
    "Done",
    "Emit",
    "Engine",
    "Event",
    "Failed",
    "FakeEngine",
    "LocalEngine",
    "Message",
    "Setup",
    "Work",
    "batched",
    "create_engine",
    "map_in_order",
    "prefetch",
]

# SPDX-License-Identifier: Apache-2.0
"""Job engines that map a function over many items, and streams of items over threads; independent of faces."""

from mien.jobs.engine import ENGINES, Done, Emit, Engine, Event, Failed, FakeEngine, Message, Setup, Work, create_engine
from mien.jobs.local import LocalEngine
from mien.jobs.signals import InterruptGate, deferred_interrupts, gated_interrupts, sigterm_as_interrupt
from mien.jobs.streams import batched, map_in_order, prefetch

__all__ = [
    "ENGINES",
    "Done",
    "Emit",
    "Engine",
    "Event",
    "Failed",
    "FakeEngine",
    "InterruptGate",
    "LocalEngine",
    "Message",
    "Setup",
    "Work",
    "batched",
    "create_engine",
    "deferred_interrupts",
    "gated_interrupts",
    "map_in_order",
    "prefetch",
    "sigterm_as_interrupt",
]

# SPDX-License-Identifier: Apache-2.0
"""Whole runs: files to tables, cameras as they happen, and how fast."""

from mien.pipeline.analyze import RunResult, analyze
from mien.pipeline.events import Event, FailuresListed, Note, Progress, TablesSkipped, TableWritten
from mien.pipeline.live import LiveFigures, LiveFrame, live

__all__ = [
    "Event",
    "FailuresListed",
    "LiveFigures",
    "LiveFrame",
    "Note",
    "Progress",
    "RunResult",
    "TableWritten",
    "TablesSkipped",
    "analyze",
    "live",
]

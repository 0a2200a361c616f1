# SPDX-License-Identifier: Apache-2.0
"""Whole runs: files to tables, cameras as they happen, and how fast."""

from mien.pipeline.analyze import RunResult, analyze
from mien.pipeline.events import Event, FailuresListed, Note, Progress, TablesSkipped, TableWritten
from mien.pipeline.features import FeaturesResult, extract_features
from mien.pipeline.live import LiveFigures, LiveFrame, live

__all__ = [
    "Event",
    "FailuresListed",
    "FeaturesResult",
    "LiveFigures",
    "LiveFrame",
    "Note",
    "Progress",
    "RunResult",
    "TableWritten",
    "TablesSkipped",
    "analyze",
    "extract_features",
    "live",
]

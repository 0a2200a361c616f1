# SPDX-License-Identifier: Apache-2.0
"""Whole runs: files to tables, cameras as they happen, and how fast."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mien.pipeline.analyze import RunResult, analyze
from mien.pipeline.live import LiveFigures, LiveFrame, live
from mien.pipeline.run_progress import Event, FailuresListed, Note, Progress, TablesSkipped, TableWritten

if TYPE_CHECKING:
    from mien.pipeline.feature_extraction.extraction import FeaturesResult, extract_features

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


def __getattr__(name: str) -> Any:
    # What the main job does not need is opened when it is used.
    if name not in __all__:
        raise AttributeError(f"module 'mien.pipeline' has no attribute {name!r}")
    value = getattr(import_module("mien.pipeline.feature_extraction.extraction"), name)
    globals()[name] = value
    return value

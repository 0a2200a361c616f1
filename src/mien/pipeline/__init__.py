# SPDX-License-Identifier: Apache-2.0
"""Whole runs: files to tables, and how fast."""

from mien.pipeline.analyze import RunResult, analyze
from mien.pipeline.events import Event, FailuresListed, Note, Progress, TablesSkipped, TableWritten

__all__ = ["Event", "FailuresListed", "Note", "Progress", "RunResult", "TableWritten", "TablesSkipped", "analyze"]

# SPDX-License-Identifier: Apache-2.0
"""Whole runs: files to tables, and how fast."""

from mien.pipeline.analyze import Progress, RunResult, analyze

__all__ = ["Progress", "RunResult", "analyze"]

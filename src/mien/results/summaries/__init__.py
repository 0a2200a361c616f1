# SPDX-License-Identifier: Apache-2.0
"""Summaries of affect tables per source, face and time window, with events and transitions."""

from mien.results.summaries.source_parts import Pieces
from mien.results.summaries.summary import Summary, check_window, summarize_table

__all__ = [
    "Pieces",
    "Summary",
    "check_window",
    "summarize_table",
]

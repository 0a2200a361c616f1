# SPDX-License-Identifier: Apache-2.0
"""Summaries of affect tables per source, face and time window, with events and transitions."""

from mien.results.summaries.summary import Summary, summarize_table

__all__ = [
    "Summary",
    "summarize_table",
]

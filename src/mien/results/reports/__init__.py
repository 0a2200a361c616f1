# SPDX-License-Identifier: Apache-2.0
"""HTML reports of affect tables, each one file that loads nothing."""

from mien.results.reports.html_report import render_report
from mien.results.reports.moments import Moment, Picture

__all__ = [
    "Moment",
    "Picture",
    "render_report",
]

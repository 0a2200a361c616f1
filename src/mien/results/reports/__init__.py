# SPDX-License-Identifier: Apache-2.0
"""HTML reports of affect tables, each one file that loads nothing."""

from mien.results.reports.face_series import Moment
from mien.results.reports.html_report import render_report

__all__ = [
    "Moment",
    "render_report",
]

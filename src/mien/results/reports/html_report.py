# SPDX-License-Identifier: Apache-2.0
"""The report: one page that holds everything it shows and asks no network for anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path

from mien._version import __version__
from mien.results.reports.report_content import Pictures, ReportContent, manifest_facts
from mien.results.summaries.summary import iter_recordings
from mien.results.table_reader import count_rows

_SCRIPTS = ("series.js", "charts.js", "app.js")


def render_report(
    tables: Sequence[Path],
    *,
    pictures: Pictures | None = None,
    thresholds: Callable[[Path], Mapping[str, float]] | None = None,
) -> str:
    """The report of tables as one HTML page.

    Of long recordings, neighbouring rows are united to points so that the page stays small; it says how many, and the
    lowest and highest values stay visible.

    Args:
        tables: affect tables, at least one; their manifests are read where they lie beside them.
        pictures: gives key frames; None leaves every face out.
        thresholds: gives, for a table, what `mien.results.summarize_table` takes as such.

    Raises:
        ConfigError: an ending is unknown.
        InputError: a table or its manifest cannot be read, or it is not clear when its rows were.
    """
    content = ReportContent(sum(map(count_rows, tables)), pictures)
    for table in tables:
        known = thresholds(table) if thresholds is not None else {}
        for recording in iter_recordings(table):
            content.add(recording, known)
    more = f" and {len(tables) - 1} more" if len(tables) > 1 else ""
    values = {
        **content.values(),
        "title": tables[0].name + more,
        "subtitle": f"Facial affect as mien {__version__} read it. This page is complete: nothing is loaded or sent.",
        "facts": [manifest_facts(table) for table in tables],
    }
    return _page(values)


def _page(values: Mapping[str, object]) -> str:
    # In a script element only "<" could end the JSON before its end; escaped it is still JSON.
    data = json.dumps(values, ensure_ascii=True, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = {"@STYLE@": _asset("page.css"), "@SCRIPT@": "\n".join(map(_asset, _SCRIPTS)), "@DATA@": data}
    page = _asset("page.html")
    for mark, text in parts.items():
        before, _, after = page.partition(mark)
        page = before + text + after
    return page


def _asset(name: str) -> str:
    return resources.files("mien.results.reports").joinpath("assets", name).read_text("utf-8")

# SPDX-License-Identifier: Apache-2.0
"""Reports as one HTML page that holds everything it shows and loads nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path

from mien._version import __version__
from mien.results.reports.abstain_count import AbstainCount
from mien.results.reports.moments import ImagesOf
from mien.results.reports.report_content import PlaybackOf, ReportContent
from mien.results.reports.report_texts import manifest_facts
from mien.results.summaries.source_parts import Pieces, iter_parts
from mien.results.table_reader import count_rows

_SCRIPTS = ("series.js", "charts.js", "saving.js", "strip.js", "photos.js", "app.js")
# The only files beside itself that a page may play, and only one whose author asked for it.
_MEDIA_POLICY = " media-src data: 'self' file:;"


def render_report(
    tables: Sequence[Path],
    *,
    images: ImagesOf | None = None,
    playback: PlaybackOf | None = None,
    thresholds: Callable[[Path], Mapping[str, float]] | None = None,
    smoothed: Callable[[Path], tuple[Pieces | None, str]] | None = None,
) -> str:
    """The report of tables as one HTML page.

    Neighbouring rows of long recordings are merged into points so that the page stays small; it tells how many, and
    the lowest and highest values stay visible. Tables are read part by part; only a source whose rows are not in order
    of time is held in memory.

    Args:
        tables: Paths of affect tables, at least one; a manifest beside a table is read as well.
        images: Function that gives images of moments; None leaves out all images of faces.
        playback: Function that gives what plays a recording, as a data URI or a path from the page; None for a page
            that plays nothing.
        thresholds: Function that gives the thresholds of a table's bundle, as for `mien.results.summarize_table`.
        smoothed: Function that gives the smoothed rows of a table, None for its own, and says how they were smoothed;
            None for raw values.

    Raises:
        ConfigError: An ending is unknown.
        InputError: A table or its manifest cannot be read, or its rows have no clear time.
    """
    content = ReportContent(sum(map(count_rows, tables)), images, playback)
    doubts: dict[Path, AbstainCount] = {}
    notes: dict[Path, str] = {}
    for table in tables:
        known = thresholds(table) if thresholds is not None else {}
        doubts[table] = AbstainCount()
        values_of, notes[table] = smoothed(table) if smoothed is not None else (None, "")
        content.add(table, doubts[table].watched(iter_parts(table, values_of)), known)
    values = {
        **content.values(),
        "title": content.title or tables[0].name,
        "subtitle": f"Facial affect by mien {__version__}. " + _completeness(content.linked),
        "facts": [manifest_facts(table) + _shown(notes[table]) + doubts[table].facts() for table in tables],
        "smoothing": " ".join(dict.fromkeys(filter(None, notes.values()))),
    }
    return _page(values, _MEDIA_POLICY if playback is not None else "")


def _shown(note: str) -> list[tuple[str, str]]:
    return [("values shown", note)] if note else []


def _completeness(linked: Sequence[str]) -> str:
    if not linked:
        return "This page is complete: nothing is loaded or sent."
    return f"This page plays {', '.join(linked)}, which it expects beside itself; nothing else is loaded, nothing sent."


def _page(values: Mapping[str, object], policy: str) -> str:
    # In a script element only "<" could end the JSON before its end; escaped it is still JSON.
    data = json.dumps(values, ensure_ascii=True, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    script = "\n".join(map(_asset, _SCRIPTS))
    parts = {"@MEDIA@": policy, "@STYLE@": _asset("page.css"), "@SCRIPT@": script, "@DATA@": data}
    page = _asset("page.html")
    for mark, text in parts.items():
        before, _, after = page.partition(mark)
        page = before + text + after
    return page


def _asset(name: str) -> str:
    return resources.files("mien.results.reports").joinpath("assets", name).read_text("utf-8")

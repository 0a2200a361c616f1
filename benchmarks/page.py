# SPDX-License-Identifier: Apache-2.0
"""The writer of all generated Markdown pages: tables, the notice at the top, the line of provenance, files."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import command_of

_WIDTH = 120


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table.

    Args:
        heading: one cell per column.
        rows: the cells of each row, as many as the heading has.
    """
    return [_row(heading), "|" + "---|" * len(heading), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def notice(name: str, *, edit: str) -> str:
    """A Markdown comment for the top of a page that a command writes.

    Args:
        name: of the benchmark that writes the page.
        edit: what to change instead of the page.
    """
    return f"<!-- Written by `{command_of(name)}`. Edit {edit}, not this page. -->"


def measured_by(name: str, *facts: str, machine: str, date: str = "") -> str:
    """The sentence that says where figures come from.

    Args:
        name: of the benchmark.
        facts: versions, bundles and the like.
        machine: on which the figures were measured.
        date: of the measurement; empty where every row has its own.
    """
    where = f"{machine}, {date}" if date else machine
    return "; ".join([f"Measured by `{command_of(name)}` on {where}", *facts]) + "."


def bundle_page(
    name: str, title: str, about: str, spec: Any, sections: Sequence[Sequence[str]], *, machine: str, date: str
) -> list[str]:
    """The lines of a page about one bundle: what it is about, the weights, tables with their texts, provenance.

    Args:
        name: of the benchmark.
        title: of the page.
        about: what was measured, as one paragraph; it is wrapped.
        spec: of the bundle, with its name, version and SHA-256.
        sections: lines of each section, one below the other.
        machine: on which the figures were measured.
        date: of the measurement.
    """
    lines = [f"# {title}", "", *textwrap.wrap(about, _WIDTH), ""]
    lines += [f"{spec.name} {spec.version}, weights `{spec.sha256[:12]}`.", ""]
    for section in sections:
        lines += [*section, ""]
    return [*lines, measured_by(name, machine=machine, date=date)]


def write_page(path: Path, lines: Iterable[str]) -> None:
    """Write lines as a UTF-8 file with a line break at its end."""
    path.write_text("\n".join(lines).rstrip("\n") + "\n", encoding="utf-8")


def replace_between(text: str, content: Mapping[tuple[str, str], str]) -> str:
    """A text with new content between its marks; everything outside stays.

    Args:
        text: of a page that people write and a command completes.
        content: (opening mark, closing mark) -> text between them.

    Raises:
        ValueError: a mark is missing.
    """
    for (opening, closing), inner in content.items():
        before, found_opening, rest = text.partition(opening)
        _, found_closing, after = rest.partition(closing)
        if not found_opening or not found_closing:
            raise ValueError(f"the page needs the lines {opening.strip()!r} and {closing!r} around its generated part")
        text = f"{before}{opening}{inner}{closing}{after}"
    return text

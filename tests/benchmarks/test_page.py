# SPDX-License-Identifier: Apache-2.0
"""The page writer: tables, provenance, and pages of which only a part is generated."""

from pathlib import Path

import pytest

from benchmarks.page import measured_by, notice, replace_between, table, write_page


def test_a_table_has_a_line_per_row() -> None:
    assert table(("a", "b"), [("1", "2"), ["3", "4"]]) == ["| a | b |", "|---|---|", "| 1 | 2 |", "| 3 | 4 |"]


def test_figures_name_command_machine_and_date() -> None:
    assert measured_by("seeds", "mien 1", machine="a machine", date="2026-01-01") == (
        "Measured by `python -m benchmarks seeds` on a machine, 2026-01-01; mien 1."
    )
    assert measured_by("seeds", machine="a machine") == "Measured by `python -m benchmarks seeds` on a machine."
    assert notice("seeds", edit="x.py") == "<!-- Written by `python -m benchmarks seeds`. Edit x.py, not this page. -->"


def test_a_page_ends_with_one_line_break(tmp_path: Path) -> None:
    write_page(tmp_path / "page.md", ["a\n", "b", ""])
    assert (tmp_path / "page.md").read_text("utf-8") == "a\n\nb\n"


def test_only_the_part_between_the_marks_changes() -> None:
    assert replace_between("a <b> old </b> c", {("<b>", "</b>"): "new"}) == "a <b>new</b> c"
    with pytest.raises(ValueError, match="needs the lines"):
        replace_between("a <b> old", {("<b>", "</b>"): "new"})

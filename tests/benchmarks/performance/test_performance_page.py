# SPDX-License-Identifier: Apache-2.0
"""The performance page says what was not measured, and README.md changes only between its marks."""

import pytest

from benchmarks.performance.performance_page import page, with_table
from tests.helpers.measured_parts import parts


def test_the_page_says_what_was_not_measured() -> None:
    text = "\n".join(page(parts(peer=None)))
    assert "not measured: why" in text
    assert "| mien | 300.0 (spread 10%) | 0.333 |" in text
    assert text.count("Not measured yet.") == 5


def test_only_the_table_of_the_readme_changes() -> None:
    before = "a\n<!-- written by `python -m benchmarks performance` -->\nstale\n<!-- end of what is written -->\nb\n"
    after = with_table(before, parts())
    assert after.startswith("a\n<!--")
    assert after.endswith("-->\nb\n")
    assert "stale" not in after
    assert "| One face, 640 x 360: mien | 300 frames/s |" in after
    assert with_table(after, parts()) == after
    with pytest.raises(ValueError, match="needs the lines"):
        with_table("no marks", parts())

# SPDX-License-Identifier: Apache-2.0
"""What docs/reference/datasets.md shows works."""

import re

import pytest

from mien.datasets import DATASETS
from tests.helpers.repository import ROOT

PAGE = ROOT / "docs/reference/datasets.md"


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    exec(compile(block, str(PAGE), "exec"), {})
    assert "1-30-640x360_left [1 2]" in capsys.readouterr().out


def test_the_page_links_every_data_set() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in DATASETS if f"](datasets/{name}.md)" not in text] == []

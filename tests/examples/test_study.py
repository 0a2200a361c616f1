# SPDX-License-Identifier: Apache-2.0
"""The notebooks are light, and the study runs from its first cell to its last."""

from pathlib import Path

import pytest

pytest.importorskip("pandas", reason="needs the extra pandas")
pytest.importorskip("matplotlib", reason="needs the extra plot")

from tests.helpers.notebooks import EXAMPLES, cells_of, run_notebook

NOTEBOOKS = sorted(path.stem for path in EXAMPLES.glob("*.ipynb"))


def test_there_are_two_notebooks() -> None:
    assert NOTEBOOKS == ["own_head", "study"]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_holds_no_outputs_and_begins_with_words(name: str) -> None:
    cells = cells_of(name)
    assert cells[0]["cell_type"] == "markdown"
    assert [cell["id"] for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []
    assert (EXAMPLES / f"{name}.ipynb").stat().st_size < 30_000


def test_the_study_finds_the_smile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    (tmp_path / "examples").mkdir()
    monkeypatch.chdir(tmp_path / "examples")
    names = run_notebook("study", tmp_path)
    assert len(names["kept"]) == len(names["study"]) == 12
    assert names["joke"].mean() - names["rest"].mean() > 0.2
    assert names["p"] < 0.05
    assert names["low"] <= names["high"]
    assert (names["within"].difference > 0).all()
    assert Path("groups.png").stat().st_size > 5_000

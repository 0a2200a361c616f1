# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

import mien
from mien.core import ConfigError
from tests.helpers.repository import ROOT

PHOTO = ROOT / "docs" / "sample" / "two_faces.jpg"


@pytest.fixture(scope="module")
def result() -> mien.RunResult:
    return mien.analyze(PHOTO, threads=1)


def test_without_a_place_the_rows_are_in_memory(result: mien.RunResult) -> None:
    assert result.complete
    assert result.tables == ()
    assert result.table.num_rows == 2
    assert result.table["face"].to_pylist() == [1, 2]
    assert mien.read_table is not None
    assert result.to_pandas()["source"].unique().tolist() == [str(PHOTO)]


def test_rows_in_memory_equal_those_of_a_file(result: mien.RunResult, tmp_path: Path) -> None:
    written = mien.analyze(PHOTO, out=tmp_path / "t.parquet", threads=1)
    assert written.table.to_pylist() == result.table.to_pylist()
    assert written.in_memory is None


def test_tables_of_several_inputs_are_one(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(PHOTO.read_bytes())
    (tmp_path / "b.jpg").write_bytes(PHOTO.read_bytes())
    written = mien.analyze([tmp_path / "a.jpg", tmp_path / "b.jpg"], out=tmp_path / "out", threads=1)
    assert len(written.tables) == 2
    assert written.table.num_rows == 4


def test_summary_report_and_plot_come_from_the_result(result: mien.RunResult, tmp_path: Path) -> None:
    assert result.summary().windows.num_rows > 0
    page = result.report(tmp_path / "report.html")
    assert b"data:image/jpeg" in page.read_bytes()
    assert result.plot().axes


def test_a_notebook_shows_the_first_rows_and_the_repr_is_short(result: mien.RunResult) -> None:
    html = result._repr_html_()
    assert html.count("<tr>") == 3
    assert "1 inputs, in memory, 0 failures; 2 rows" in html
    assert repr(result) == "RunResult(1 inputs, in memory, 0 failures)"


def test_a_run_without_any_table_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no image")
    failed = mien.analyze(tmp_path / "a.jpg", out=tmp_path / "out", threads=1)
    with pytest.raises(ConfigError, match="no input could be read"):
        _ = failed.table
    assert mien.analyze(tmp_path / "a.jpg", threads=1).table.num_rows == 0

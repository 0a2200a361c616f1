# SPDX-License-Identifier: Apache-2.0
"""Workbooks, read back from their own XML: cells as they are, text never a formula."""

import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pytest

from mien.core import InputError, MissingExtraError
from mien.results import iter_pieces, write_xlsx
from tests.helpers.affect_tables import NOBODY, faces, write_frames

SPACE = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


def cells(path: Path, sheet: int = 1) -> dict[str, object]:
    """Cell -> its text or number; a formula is an error of the test."""
    with zipfile.ZipFile(path) as book:
        root = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml"))
    found: dict[str, object] = {}
    for cell in root.iterfind(".//x:c", SPACE):
        assert cell.find("x:f", SPACE) is None, "a formula"
        text = "".join(part.text or "" for part in cell.iterfind(".//x:t", SPACE))
        number = cell.findtext("x:v", namespaces=SPACE)
        if text or number is not None:
            found[cell.attrib["r"]] = text or float(number or "nan")
    return found


def test_rows_and_columns_are_explained(tmp_path: Path) -> None:
    pytest.importorskip("xlsxwriter", reason="an extra: pip install 'mien[xlsx]'")
    table = write_frames(tmp_path / "t.parquet", {"=1+1.mp4": [(0.0, faces((3, "fear", 0.25, 0.5))), (0.1, NOBODY)]})
    assert write_xlsx(tmp_path / "t.xlsx", iter_pieces(table)) == 2
    found = cells(tmp_path / "t.xlsx")
    assert (found["A1"], found["B1"]) == ("source", "frame")
    assert found["A2"] == "=1+1.mp4"
    columns = {value: cell[:-1] for cell, value in found.items() if cell.endswith("1") and cell[:-1].isalpha()}
    assert found[f"{columns['valence']}2"] == 0.25
    assert f"{columns['valence']}3" not in found  # unknown is empty, never 0
    assert "Unpleasant (-1) to pleasant (1)." in cells(tmp_path / "t.xlsx", 2).values()


def test_more_rows_than_a_sheet_has_leave_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xlsxwriter", reason="an extra: pip install 'mien[xlsx]'")
    monkeypatch.setattr("mien.results.exports.xlsx._MAX_ROWS", 3)
    with pytest.raises(InputError, match="a sheet holds 3 rows"):
        write_xlsx(tmp_path / "t.xlsx", [pa.table({"a": [1, 2]}), pa.table({"a": [1, 2]})])
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "xlsxwriter", None)
    with pytest.raises(MissingExtraError, match=r"\[xlsx\]"):
        write_xlsx(tmp_path / "t.xlsx", [pa.table({"a": [1]})])

# SPDX-License-Identifier: Apache-2.0
"""Files of SPSS, read back by pyreadstat."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mien.core import InputError, MissingExtraError
from mien.results import iter_pieces, write_spss
from mien.results.exports import spss
from tests.helpers.affect_tables import NOBODY, faces, write_frames


def test_values_and_labels(tmp_path: Path) -> None:
    pyreadstat = pytest.importorskip("pyreadstat", reason="an extra: pip install 'mien[spss]'")
    table = write_frames(tmp_path / "t.parquet", {"été 笑.mp4": [(0.0, faces((3, "fear", 0.25, 0.5))), (0.1, NOBODY)]})
    assert write_spss(tmp_path / "t.sav", iter_pieces(table)) == 2
    frame, about = pyreadstat.read_sav(str(tmp_path / "t.sav"))
    assert frame["source"].tolist() == ["été 笑.mp4"] * 2
    assert frame["valence"][0] == 0.25
    assert np.isnan(frame["valence"][1])
    assert frame["success"].tolist() == [1.0, 0.0]
    assert frame["expression"].tolist() == ["fear", ""]
    assert about.column_names_to_labels["valence"] == "valence: Unpleasant (-1) to pleasant (1)."


def test_a_column_without_rows_and_names_of_a_user(tmp_path: Path) -> None:
    pyreadstat = pytest.importorskip("pyreadstat", reason="an extra: pip install 'mien[spss]'")
    write_spss(tmp_path / "t.sav", [pa.table({"my note": ["x", None], "1st": [True, None], "AND": [[1], None]})])
    frame, about = pyreadstat.read_sav(str(tmp_path / "t.sav"))
    assert frame["my_note"].tolist() == ["x", ""]
    assert frame["v_1st"][0] == 1
    assert np.isnan(frame["v_1st"][1])
    assert about.column_labels[0] == "my note"


def test_a_table_that_does_not_fit_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyreadstat", reason="an extra: pip install 'mien[spss]'")
    monkeypatch.setattr(spss, "_MAX_ROWS", 3)
    with pytest.raises(InputError, match="up to 3 rows"):
        write_spss(tmp_path / "t.sav", [pa.table({"a": [1, 2]}), pa.table({"a": [1, 2]})])
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyreadstat", None)
    with pytest.raises(MissingExtraError, match=r"\[spss\]"):
        write_spss(tmp_path / "t.sav", [pa.table({"a": [1]})])

# SPDX-License-Identifier: Apache-2.0
"""Tables converted to other formats, to the rows of one face, and to OpenFace's columns."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from mien.core import ConfigError, InputError
from mien.pipeline import convert_file, convert_to_openface
from mien.pipeline.postprocessing.convert import is_openface_file
from mien.results import read_table, save_table, table_schema
from tests.helpers.affect_tables import NOBODY, faces, steady, write_frames

TWO = faces((0, "fear", 0.1, 0.2), (1, "anger", 0.3, 0.9))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    frames = [(0.0, TWO), (0.1, faces((1, "anger", 0.3, 0.9))), (0.2, NOBODY)]
    return write_frames(tmp_path / "t.parquet", {"x/a.mp4": frames, "y/A.mp4": steady(3, 10, (0, "fear", 0.1, 0.4))})


def test_every_frame_keeps_a_row_of_the_chosen_face(table: Path, tmp_path: Path) -> None:
    done = convert_file(str(table), str(tmp_path / "o.csv"), faces="track=0")
    assert done.files == (tmp_path / "o.csv",)
    rows = read_table(tmp_path / "o.csv")
    assert rows["track_id"].to_pylist() == [0, None, None, 0, 0, 0]
    assert rows["frame"].to_pylist() == [0, 1, 2, 0, 1, 2]


def test_sources_get_files_that_no_file_system_mixes_up(table: Path, tmp_path: Path) -> None:
    done = convert_to_openface(table, tmp_path / "of", groups=["aus"])
    assert [file.name for file in done.files] == ["a.csv", "A-2.csv"]
    assert [len(pd.read_csv(file)) for file in done.files] == [4, 3]
    (message,) = done.messages
    assert "action units count as present from 0.5" in message
    with pytest.raises(ConfigError, match="has 2 sources, an OpenFace file holds one"):
        convert_to_openface(table, tmp_path / "of.csv")


def test_the_rows_of_one_face_in_openfaces_columns(table: Path, tmp_path: Path) -> None:
    (first, _) = convert_to_openface(table, tmp_path / "of", faces="largest").files
    columns = pd.read_csv(first)
    assert columns.success.tolist() == [1, 1, 0]
    assert columns.AU12_c.tolist()[:2] == [0, 1]


@pytest.mark.parametrize("choice", ["all", "largest", "track=1"])
def test_a_long_table_is_never_read_whole(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, choice: str
) -> None:
    def refuse(*_: object) -> pa.Table:
        raise AssertionError("the table is read whole")

    convert_file(table, tmp_path / "whole.csv", faces=choice)
    monkeypatch.setattr("mien.results.table_reader.decode_table", refuse)
    monkeypatch.setattr("mien.results.tables.table_stream.in_frame_order", refuse)
    monkeypatch.setattr("mien.results.tables.table_stream.ROWS_PER_PART", 1)
    assert len(convert_to_openface(table, tmp_path / "of", faces=choice).files) == 2
    convert_file(table, tmp_path / "parts.csv", faces=choice)
    assert (tmp_path / "parts.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


@pytest.mark.parametrize("choice", ["all", "track=1"])
def test_rows_out_of_order_stay_so(table: Path, tmp_path: Path, choice: str) -> None:
    rows = read_table(table)
    save_table(tmp_path / "r.parquet", rows.take(pa.array(range(len(rows) - 1, -1, -1))))
    convert_file(table, tmp_path / "o.parquet", faces=choice)
    convert_file(tmp_path / "r.parquet", tmp_path / "p.parquet", faces=choice)
    right, got = read_table(tmp_path / "o.parquet"), read_table(tmp_path / "p.parquet")
    assert got.schema.equals(right.schema)
    assert got.to_pylist() == right.to_pylist()[::-1]


def test_a_table_without_rows(tmp_path: Path) -> None:
    save_table(tmp_path / "t.parquet", table_schema().empty_table())
    assert convert_to_openface(tmp_path / "t.parquet", tmp_path / "of.csv").files == (tmp_path / "of.csv",)
    assert len(pd.read_csv(tmp_path / "of.csv")) == 0
    assert convert_to_openface(tmp_path / "t.parquet", tmp_path / "of").files == (tmp_path / "of" / "t.csv",)
    assert len(pd.read_csv(tmp_path / "of" / "t.csv")) == 0


def test_a_file_or_a_folder(tmp_path: Path) -> None:
    assert is_openface_file(tmp_path / "of.CSV")
    assert not is_openface_file(tmp_path / "of")
    (tmp_path / "odd.csv").mkdir()
    assert not is_openface_file(tmp_path / "odd.csv")
    with pytest.raises(ConfigError, match=r"an OpenFace file ends in \.csv"):
        is_openface_file(tmp_path / "of.txt")


def test_refusals_leave_no_file(table: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="faces must be all"):
        convert_file(table, tmp_path / "o.csv", faces="somebody")
    with pytest.raises(ConfigError, match="no columns smiles"):
        convert_to_openface(table, tmp_path / "of", groups=["smiles"])
    with pytest.raises(InputError, match="gone"):
        convert_to_openface(tmp_path / "gone.csv", tmp_path / "of")
    assert [path.name for path in tmp_path.glob("o*")] in ([], ["of"])

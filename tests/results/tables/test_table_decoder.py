# SPDX-License-Identifier: Apache-2.0
"""Pieces of tables, and facts that are known before any row is read."""

from pathlib import Path

import pyarrow as pa
import pytest

from mien.core import InputError
from mien.results import TableWriter, iter_pieces, read_facts, read_table, save_table
from mien.results.tables.table_decoder import reading_errors


@pytest.fixture(params=[".parquet", ".csv", ".jsonl"])
def table(request: pytest.FixtureRequest, tmp_path: Path, schema, make_frame) -> Path:
    path = tmp_path / f"table{request.param}"
    with TableWriter(path, schema) as writer:
        for index in range(250):
            writer.append("clip.mp4", make_frame(index, index % 3))
    return path


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.results.tables.table_decoder.ROWS_PER_GROUP", 100)
    monkeypatch.setattr("mien.results.tables.table_decoder.ROWS_PER_JSON_PIECE", 100)
    monkeypatch.setattr("mien.results.tables.table_decoder.BYTES_PER_CSV_PIECE", 20_000)


@pytest.mark.usefixtures("small_pieces")
def test_pieces_are_the_whole_in_order(table: Path) -> None:
    pieces = list(iter_pieces(table))
    assert len(pieces) > 3
    whole = read_table(table)
    assert all(piece.schema.equals(whole.schema, check_metadata=True) for piece in pieces)
    assert pa.concat_tables(pieces).equals(whole)


@pytest.mark.usefixtures("small_pieces")
def test_a_column_of_the_users_own_keeps_its_type(table: Path) -> None:
    whole = read_table(table)
    notes = pa.array([None] * (len(whole) - 1) + [1.5])
    save_table(table, whole.append_column("note", notes))
    pieces = list(iter_pieces(table))
    assert pa.concat_tables(pieces)["note"].to_pylist()[-1] == 1.5
    assert (len(pieces) == 1) is (table.suffix == ".jsonl")


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".jsonl"])
def test_a_table_without_rows_is_one_piece(tmp_path: Path, schema, ending: str) -> None:
    with TableWriter(tmp_path / f"t{ending}", schema):
        pass
    (piece,) = iter_pieces(tmp_path / f"t{ending}")
    assert (len(piece), piece.schema.names[:2]) == (0, ["source", "frame"])


def test_a_damaged_file_is_named_by_pieces_too(table: Path) -> None:
    content = table.read_bytes()
    table.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=table.name):
        list(iter_pieces(table))


def test_an_openface_csv_is_one_piece(tmp_path: Path) -> None:
    path = tmp_path / "of.csv"
    path.write_text("frame,face_id,timestamp,confidence,success,AU12_r\n1,0,0,1,1,2\n")
    (piece,) = iter_pieces(path)
    assert piece["AU12"].to_pylist() == pytest.approx([0.625])


def test_facts_of_a_parquet_table(table: Path) -> None:
    if table.suffix != ".parquet":
        with pytest.raises(InputError, match=table.name):
            read_facts(table)
        return
    facts = read_facts(table)
    assert facts.n_rows == len(read_table(table))
    assert facts.metadata["bundle_name"] == "tiny"


def test_errors_that_are_not_of_the_file_pass_through(tmp_path: Path) -> None:
    with pytest.raises(KeyError), reading_errors(tmp_path / "t.csv"):
        raise KeyError("a bug")

# SPDX-License-Identifier: Apache-2.0
"""Pieces of tables, and facts that are known before any row is read."""

import csv
import os
import re
from pathlib import Path

import pyarrow as pa
import pytest

from mien.core import InputError
from mien.results import TableWriter, columns_as_json, iter_pieces, read_facts, read_table, save_table
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


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("valence", -7.0, "row 3, column valence: -7.0 is not in -1 to 1"),
        ("expression_fear", 1.5, "row 3, column expression_fear: 1.5 is not in 0 to 1"),
        ("yaw_rad", 45.0, "row 3, column yaw_rad: 45.0 is not in"),
        ("arousal", float("inf"), "row 3, column arousal: inf is not in -1 to 1"),
        ("time_s", float("nan"), "row 3, column time_s"),
        ("frame", -1, "row 3, column frame: -1 is not in"),
        ("frame", 2**62, "row 3, column frame: 4611686018427387904 is not in"),
        ("source", None, "row 3, column source: there is no value"),
        ("success", None, "row 3, column success: there is no value"),
        ("expression", "smile", "row 3, column expression: 'smile' is none of the table's"),
    ],
)
def test_impossible_values_are_one_sentence(table: Path, name: str, value: object, complaint: str) -> None:
    whole = read_table(table)
    values = whole[name].to_pylist()
    values[2] = value
    save_table(table, whole.set_column(whole.schema.get_field_index(name), name, pa.array(values, whole[name].type)))
    if table.suffix == ".jsonl" and value != value:
        complaint = "row 3, column time_s: there is no value"  # JSON has no NaN
    for read in (read_table, lambda path: list(iter_pieces(path))):
        with pytest.raises(InputError, match=re.escape(complaint)) as caught:
            read(table)
        assert table.name in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("small_pieces")
def test_a_face_twice_is_found_whatever_the_order(table: Path) -> None:
    whole = read_table(table)
    last = len(whole) - 1
    order = [*range(last, 0, -1), last]
    save_table(table, whole.take(pa.array(order)))
    with pytest.raises(InputError, match=f"row {last + 1}, column frame: 'clip.mp4' has two rows"):
        list(iter_pieces(table))


def test_lists_and_records_become_json_text_in_a_csv(tmp_path: Path, schema, make_frame) -> None:
    path = tmp_path / "t.parquet"
    with TableWriter(path, schema) as writer:
        writer.append("a.mp4", make_frame(0, 1))
    own = read_table(path).append_column("lst", pa.array([[1, 2]])).append_column("code", pa.array(["007"]))
    save_table(path, own)
    assert read_table(path)["lst"].to_pylist() == [[1, 2]]
    assert columns_as_json(path, tmp_path / "t.csv") == ("lst",)
    save_table(tmp_path / "t.csv", own)
    assert read_table(tmp_path / "t.csv").select(["lst", "code"]).to_pylist() == [{"lst": "[1, 2]", "code": "007"}]
    save_table(tmp_path / "t.jsonl", own)
    assert read_table(tmp_path / "t.jsonl")["lst"].to_pylist() == [[1, 2]]


def test_deep_json_and_blank_lines(tmp_path: Path, schema, make_frame) -> None:
    path = tmp_path / "t.jsonl"
    with TableWriter(path, schema) as writer:
        writer.append("a.mp4", make_frame(0, 1))
    line = path.read_text()
    path.write_text("\n" + line + "\n")
    assert len(read_table(path)) == 1
    path.write_text(line + '{"source": ' + "[" * 100_000 + "\n")
    with pytest.raises(InputError, match="row 2 is not JSON"):
        read_table(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_is_no_table(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.csv")
    with pytest.raises(InputError, match="no regular file"):
        read_table(tmp_path / "t.csv")


def _csv_of(path: Path, schema: pa.Schema, make_frame) -> list[list[str]]:
    with TableWriter(path, schema) as writer:
        for index in range(3):
            writer.append("clip.mp4", make_frame(index, index % 2))
    return list(csv.reader(path.read_text("utf-8").splitlines()))


def test_a_csv_with_quotes_around_every_cell_is_the_same_table(tmp_path: Path, schema, make_frame) -> None:
    rows = _csv_of(tmp_path / "plain.csv", schema, make_frame)
    with (tmp_path / "quoted.csv").open("w", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)
    assert read_table(tmp_path / "quoted.csv").equals(read_table(tmp_path / "plain.csv"))
    assert any('""' in line for line in (tmp_path / "quoted.csv").read_text().splitlines())


@pytest.mark.parametrize("missing", ["NA", "null", "-"])
def test_what_other_programs_write_for_a_missing_value_is_told(
    tmp_path: Path, schema, make_frame, missing: str
) -> None:
    path = tmp_path / "from_r.csv"
    rows = _csv_of(path, schema, make_frame)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([[cell or missing for cell in row] for row in rows])
    with pytest.raises(
        InputError, match=rf"'{missing}' is no (whole )?number; leave a cell without a value empty \(in R: na = ''\)"
    ):
        read_table(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_a_csv_of_wide_text_is_told(tmp_path: Path, schema, make_frame, encoding: str) -> None:
    path = tmp_path / "excel.csv"
    _csv_of(path, schema, make_frame)
    path.write_text("\ufeff" * (encoding != "utf-16") + path.read_text("utf-8"), encoding)
    with pytest.raises(InputError, match="is UTF-16 text; save the table as UTF-8"):
        read_table(path)

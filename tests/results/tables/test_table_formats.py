# SPDX-License-Identifier: Apache-2.0
import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mien.core import EXPRESSIONS, ConfigError, Faces, Frame
from mien.results import TABLE_ENDINGS, TableWriter, read_table, save_pieces, table_schema
from mien.results.tables.schema import REQUIRED_COLUMNS
from mien.results.tables.table_formats import boolean_column, numeric_column, text_column

AWKWARD_SOURCE = 'Ωmega, "the\nlast" \\ \t.mp4'


def write(path: Path, schema, frames, source=AWKWARD_SOURCE, **options) -> None:
    with TableWriter(path, schema, **options) as writer:
        for frame in frames:
            writer.append(source, frame)


@pytest.mark.parametrize("ending", TABLE_ENDINGS)
def test_every_format_gives_the_same_rows_back(ending: str, tmp_path: Path, schema, make_frame) -> None:
    frames = [make_frame(index, n_faces) for index, n_faces in enumerate((1, 3, 0, 2))]
    write(tmp_path / "reference.parquet", schema, frames)
    write(tmp_path / f"table{ending}", schema, frames, rows_per_part=2)
    reference, table = pq.read_table(tmp_path / "reference.parquet"), read_table(tmp_path / f"table{ending}")
    assert table.to_pylist() == reference.to_pylist()
    assert table.num_rows == 7
    assert table["source"].to_pylist() == [AWKWARD_SOURCE] * 7
    for field, expected in zip(table.schema, schema, strict=True):
        assert field.equals(expected, check_metadata=True), field.name


@pytest.mark.parametrize("ending", TABLE_ENDINGS)
def test_a_table_without_rows_is_valid(ending: str, tmp_path: Path, schema) -> None:
    path = tmp_path / f"table{ending}"
    write(path, schema, [])
    table = read_table(path)
    assert table.num_rows == 0
    # JSON Lines without a line has nowhere to say what else the bundle could have filled.
    expected = list(REQUIRED_COLUMNS) if TABLE_ENDINGS[ending] == "jsonl" else schema.names
    assert table.schema.names == expected


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-7, 1e-45, -0.0, 9999999.0, 100000.0])
@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_numbers_are_short_and_read_back_to_the_bit(ending: str, value: float, tmp_path: Path) -> None:
    path = tmp_path / f"table{ending}"
    right = np.float32(value)
    faces = Faces(boxes=[[-1, 0, right, 1]], expression_labels=EXPRESSIONS)
    write(path, table_schema(), [Frame(index=0, time_s=value, faces=faces)])
    table = read_table(path)
    assert np.float32(table["x1"][0].as_py()).tobytes() == right.tobytes()
    assert np.float64(table["time_s"][0].as_py()).tobytes() == np.float64(value).tobytes()
    line = path.read_text("utf-8").splitlines()[-1]
    if ending == ".jsonl":
        assert json.loads(line)["x1"] == float(str(right))


def test_csv_is_plain(tmp_path: Path, schema, make_frame) -> None:
    path = tmp_path / "table.csv"
    write(path, schema, [make_frame(0), make_frame(1, 0)], source="Ünï.mp4")
    text = path.read_bytes().decode("utf-8")
    assert text.splitlines()[0] == ",".join(schema.names)
    face, nothing = csv.DictReader(text.splitlines())
    assert (face["source"], face["success"], nothing["success"]) == ("Ünï.mp4", "true", "false")
    assert all(nothing[name] == "" for name in schema.names if name not in ("source", "frame", "time_s", "success"))
    assert face["confidence"] == str(make_frame(0).faces.confidence[0])


def test_json_lines_are_json(tmp_path: Path, schema, make_frame) -> None:
    path = tmp_path / "table.jsonl"
    write(path, schema, [make_frame(0, 2), make_frame(1, 0)])
    rows = [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]
    assert [list(row) for row in rows] == [schema.names] * 3
    assert [row["success"] for row in rows] == [True, True, False]
    assert rows[2]["valence"] is None
    assert rows[0]["source"] == AWKWARD_SOURCE


def test_parquet_keeps_the_facts_about_the_run_and_few_row_groups(tmp_path: Path, schema, make_frame) -> None:
    path = tmp_path / "table.parquet"
    write(path, schema, [make_frame(index) for index in range(20)], rows_per_part=2)
    assert pq.ParquetFile(path).num_row_groups == 1
    assert read_table(path).schema.metadata == schema.metadata


@pytest.mark.parametrize("name", ["table.xlsx", "table", "table.csv.gz"])
def test_an_unknown_ending_is_refused_with_the_known_ones(name: str, tmp_path: Path, schema) -> None:
    with pytest.raises(ConfigError, match=rf"{name}.*\.parquet, \.csv, \.jsonl, \.ndjson"):
        TableWriter(tmp_path / name, schema)
    assert list(tmp_path.iterdir()) == []


def test_the_ending_may_be_in_capitals(tmp_path: Path, schema, make_frame) -> None:
    write(tmp_path / "TABLE.CSV", schema, [make_frame(0)])
    assert read_table(tmp_path / "TABLE.CSV").num_rows == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("n", [0, 1, 9, 70])
def test_numbers(dtype: type, n: int) -> None:
    values = np.arange(2 * n).astype(dtype)[::2]  # not contiguous
    absent = np.arange(n) % 3 == 1
    for column, expected in (
        (numeric_column(values), pa.array(values)),
        (numeric_column(values, absent), pa.array(values, mask=absent)),
        (numeric_column(values, np.zeros(n, bool)), pa.array(values)),
    ):
        column.validate(full=True)
        assert column.type == expected.type
        assert column.equals(expected)
        assert column.null_count == expected.null_count


@pytest.mark.parametrize("n", [0, 1, 9, 70])
def test_booleans(n: int) -> None:
    values = np.arange(n) % 3 == 1
    column = boolean_column(values)
    column.validate(full=True)
    assert column.to_pylist() == values.tolist()


@pytest.mark.parametrize("values", [[], [""], ["a", "", "bär \U0001f600", "c" * 300]])
def test_text(values: list[str]) -> None:
    rows = np.arange(3 * len(values), dtype=np.int64) // 2 % max(len(values), 1)
    absent = np.arange(len(rows)) % 3 == 1
    for column, expected in (
        (text_column(values, rows), [values[row] for row in rows]),
        (
            text_column(values, rows, absent),
            [None if gone else values[row] for row, gone in zip(rows, absent, strict=True)],
        ),
        (text_column(values, rows, np.zeros(len(rows), bool)), [values[row] for row in rows]),
    ):
        column.validate(full=True)
        assert column.type == pa.string()
        assert column.to_pylist() == expected
        assert column.null_count == expected.count(None)


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_pieces_without_rows_leave_no_trace(ending: str, tmp_path: Path, schema, make_frame) -> None:
    write(tmp_path / "a.parquet", schema, [make_frame(0), make_frame(1)])
    table = read_table(tmp_path / "a.parquet")
    assert save_pieces(tmp_path / f"b{ending}", [table.slice(0, 0), table, table.slice(0, 0)]) == len(table)
    assert read_table(tmp_path / f"b{ending}").to_pylist() == table.to_pylist()


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "'=1", "-anna", "+1", "@x", "\tx", "\rx", "anna", "'anna"])
def test_text_in_a_csv_is_no_formula_and_reads_back(name: str, tmp_path: Path, schema, make_frame) -> None:
    path = tmp_path / "t.csv"
    write(path, schema, [make_frame(0)], source=name)
    line = path.read_bytes().decode("utf-8").partition("\n")[2]
    assert line.removeprefix('"')[:1] not in "=+-@\t\r"
    table = read_table(path)
    assert table["source"].to_pylist()[0] == name

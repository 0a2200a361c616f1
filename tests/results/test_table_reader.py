# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mien.core import InputError
from mien.results import TableWriter, read_table

ENDINGS = (".parquet", ".csv", ".jsonl")


@pytest.fixture(params=ENDINGS)
def table(request: pytest.FixtureRequest, tmp_path: Path, schema, make_frame) -> Path:
    path = tmp_path / f"table{request.param}"
    with TableWriter(path, schema) as writer:
        for index in range(40):
            writer.append("clip.mp4", make_frame(index))
    return path


def test_a_file_cut_within_a_row_is_refused(table: Path) -> None:
    content = table.read_bytes()
    table.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=table.name):
        read_table(table)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("content", [b"\x00\x01\x02", b"\xff\xfe\xfa", b"a,b\n1,2\n", b'{"a": 1}\n', b"[1]\n", b"PAR1"])
def test_other_files_are_refused(ending: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"other{ending}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=path.name):
        read_table(path)


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_an_empty_file_is_refused(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"empty{ending}"
    path.write_bytes(b"")
    with pytest.raises(InputError, match=path.name):
        read_table(path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_missing_file_and_a_folder_are_refused(ending: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"absent{ending}"):
        read_table(tmp_path / f"absent{ending}")
    (tmp_path / f"folder{ending}").mkdir()
    with pytest.raises(InputError, match=f"folder{ending}"):
        read_table(tmp_path / f"folder{ending}")


def test_a_table_of_something_else_says_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "sales.parquet"
    pq.write_table(pa.table({"source": ["a"], "price": [1.0]}), path)
    with pytest.raises(InputError, match=r"sales\.parquet is no affect table.*frame, time_s"):
        read_table(path)


@pytest.mark.parametrize(("version", "complaint"), [(b"2", "upgrade"), (b"one", "damaged")])
def test_a_newer_or_senseless_version_is_refused(version: bytes, complaint: str, tmp_path, schema) -> None:
    path = tmp_path / "table.parquet"
    newer = schema.with_metadata({**schema.metadata, b"mien.schema_version": version})
    pq.write_table(newer.empty_table(), path)
    with pytest.raises(InputError, match=complaint):
        read_table(path)


def test_a_value_of_the_wrong_type_is_refused(tmp_path: Path, schema, make_frame) -> None:
    path = tmp_path / "table.csv"
    with TableWriter(path, schema) as writer:
        writer.append("clip.mp4", make_frame(0))
    path.write_text(path.read_text().replace("true", "perhaps"))
    with pytest.raises(InputError, match="perhaps"):
        read_table(path)


def test_a_repeated_column_is_refused(tmp_path: Path, schema) -> None:
    path = tmp_path / "table.csv"
    path.write_text(",".join([*schema.names, "valence"]) + "\n")
    with pytest.raises(InputError, match="same name"):
        read_table(path)


def test_a_table_that_went_through_pandas_keeps_types_and_own_columns(table: Path, schema) -> None:
    frame = read_table(table).to_pandas()
    frame["note"] = "mine"
    if table.suffix == ".parquet":
        frame.to_parquet(table)
    elif table.suffix == ".csv":
        frame.to_csv(table, index=False)
    else:
        frame.to_json(table, orient="records", lines=True, double_precision=15)
    again = read_table(table)
    assert again.schema.names == [*schema.names, "note"]
    assert again.schema.field("track_id").type == pa.int64()
    pd.testing.assert_frame_equal(again.to_pandas(), frame, check_dtype=False, rtol=1e-6)

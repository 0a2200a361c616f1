# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mien.core import InputError
from mien.results import RunManifest, TableWriter, iter_pieces, list_tables, read_table
from mien.results.table_reader import count_rows
from tests.helpers.affect_tables import steady, write_frames

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


def write_run_table(path: Path, source: str, bundle: str = "ab", **metadata: str) -> Path:
    """A table of three frames with its manifest, as a run leaves it."""
    write_frames(path, {source: steady(3, 10, (0, "fear", 0.1, 0.2))}, **metadata)
    now = datetime(2026, 5, 1, tzinfo=UTC)
    RunManifest(bundle_name="tiny", bundle_sha256=bundle * 32, arguments={}, started=now, finished=now).save(path)
    return path


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_folder_of_a_run_reads_as_one_table(tmp_path: Path, ending: str) -> None:
    tables = [
        write_run_table(tmp_path / f"{name}{ending}", f"{name}.mp4", work_sha256=name, stream_offset_s="0.5")
        for name in ("b", "a")
    ]
    write_frames(tmp_path / f"smoothed{ending}", {"c.mp4": steady(3, 10, (0, "fear", 0.1, 0.2))})  # no manifest
    (tmp_path / "failures.csv").write_text("input,reason\n")
    assert list_tables(tmp_path) == tuple(sorted(tables))
    assert list_tables(tables[0]) == (tables[0],)
    whole = read_table(tmp_path)
    assert whole["source"].to_pylist() == ["a.mp4"] * 3 + ["b.mp4"] * 3
    assert (
        whole.drop_columns(["source"]).slice(0, 3).to_pylist()
        == read_table(tables[1]).drop_columns(["source"]).to_pylist()
    )
    assert count_rows(tmp_path) == 6
    assert not {b"mien.work_sha256", b"mien.stream_offset_s"} & set(whole.schema.metadata or {})


def test_a_column_that_one_table_of_a_folder_lacks_is_null(tmp_path: Path) -> None:
    write_run_table(tmp_path / "a.parquet", "a.mp4")
    other = write_run_table(tmp_path / "b.parquet", "b.mp4")
    pq.write_table(read_table(other).append_column("note", pa.array(["x", "y", "z"])), other)
    assert read_table(tmp_path)["note"].to_pylist() == [None, None, None, "x", "y", "z"]
    pq.write_table(read_table(other).append_column("extra", pa.array([1, 2, 3])), other)
    first = tmp_path / "a.parquet"
    pq.write_table(read_table(first).append_column("extra", pa.array(["x", "y", "z"])), first)
    with pytest.raises(InputError, match="different kinds"):
        read_table(tmp_path)


def test_a_folder_without_tables_and_one_of_two_models(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without a table of mien analyze"):
        list(iter_pieces(tmp_path))
    write_run_table(tmp_path / "a.csv", "a.mp4")
    write_run_table(tmp_path / "b.csv", "b.mp4", bundle="cd")
    with pytest.raises(InputError, match=r"a\.csv and b\.csv differ in model; name the tables one by one"):
        read_table(tmp_path)


def test_a_smoothed_and_an_unsmoothed_table_are_no_one_table(tmp_path: Path) -> None:
    write_run_table(tmp_path / "a.parquet", "a.mp4", smoothing="va=3")
    write_run_table(tmp_path / "b.parquet", "b.mp4", smoothing="va=50")
    with pytest.raises(InputError, match="differ in smoothing"):
        read_table(tmp_path)

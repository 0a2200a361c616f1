# SPDX-License-Identifier: Apache-2.0
"""`mien tracks --forget`: the rows of a person are gone from the table, and no time is lost."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from mien.cli.main import mien
from mien.core import ConfigError
from mien.pipeline import forget_in_file, name_persons_in_file
from mien.results import read_table
from tests.pipeline.postprocessing.test_time_attribution import write_table


@pytest.fixture(params=["t.parquet", "t.csv", "t.jsonl"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write_table(tmp_path / request.param, np.linspace(0.1, 0.9, 8))


def faces(rows: pa.Table) -> list[int | None]:
    return rows["track_id"].to_pylist()


def test_a_track_is_deleted_from_the_table_itself(table: Path) -> None:
    before = read_table(table)
    assert forget_in_file(table, [4]) == 8
    after = read_table(table)
    assert faces(after) == [7] * 8
    other = before.filter(pa.compute.equal(before["track_id"], 7))
    assert after["expression_neutral"].to_pylist() == other["expression_neutral"].to_pylist()
    assert b"0.62" not in table.read_bytes() or table.suffix == ".parquet"


def test_a_frame_without_another_face_keeps_a_blank_row(table: Path) -> None:
    forget_in_file(table, [4])
    forget_in_file(table, [7])
    after = read_table(table)
    assert after["frame"].to_pylist() == list(range(8))
    assert after["success"].to_pylist() == [False] * 8
    assert after["expression_happiness"].null_count == 8
    assert after["x0"].null_count == 8


def test_a_person_is_deleted_by_name_into_a_copy(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.parquet", np.full(5, 0.5))
    named, out = tmp_path / "named.parquet", tmp_path / "out.parquet"
    name_persons_in_file(table, named, {"patient": [4], "nurse": [7]})
    assert forget_in_file(named, persons=["patient"], out=out) == 5
    assert set(read_table(out)["person"].to_pylist()) == {"nurse"}
    assert set(read_table(named)["person"].to_pylist()) == {"nurse", "patient"}


def test_what_is_not_there_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.parquet", np.full(5, 0.5))
    content = table.read_bytes()
    with pytest.raises(ConfigError, match="no track 9 to forget; there are 4, 7"):
        forget_in_file(table, [9])
    with pytest.raises(ConfigError, match="no person 'nobody'"):
        forget_in_file(table, persons=["nobody"])
    with pytest.raises(ConfigError, match="name a track or a person"):
        forget_in_file(table)
    with pytest.raises(ConfigError, match="no source 'x'"):
        forget_in_file(table, [4], source="x")
    assert table.read_bytes() == content


def test_the_command_deletes_and_says_what_it_does_not_reach(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.parquet", np.full(5, 0.5))
    result = CliRunner().invoke(mien, ["tracks", str(table), "--forget", "4"])
    assert result.exit_code == 0, result.output
    assert "deleted 5 rows" in result.output
    assert "features and summaries that were made before still hold" in result.output
    result = CliRunner().invoke(mien, ["tracks", str(table), "--forget", "7", "--merge", "7=x"])
    assert result.exit_code == 2

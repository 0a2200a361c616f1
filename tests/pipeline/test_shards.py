# SPDX-License-Identifier: Apache-2.0
"""Photos share tables in a folder, and the next run does only what is missing or has changed."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from skimage import data

import mien
from mien.core import ConfigError
from mien.media import save_image
from mien.pipeline import RunResult
from mien.pipeline.plan import make_plan
from mien.pipeline.shards import finished_shards, shard_names
from mien.results import InputRecord, RunManifest, read_table


def write(folder: Path, name: str, gray: int) -> None:
    folder.mkdir(exist_ok=True)
    save_image(folder / name, np.full((40, 50, 3), gray, np.uint8))


def photos(folder: Path, n: int) -> Path:
    for number in range(n):
        write(folder, f"{number}.png", 10 * number)
    return folder


def run(folder: Path, out: Path, **shortcuts: Any) -> RunResult:
    return mien.analyze(folder, out, threads=1, shard_size=2, **shortcuts)


def sources(out: Path) -> dict[str, list[str]]:
    return {
        table.name: [Path(source).name for source in read_table(table)["source"].to_pylist()]
        for table in sorted(out.glob("*.parquet"))
    }


def test_photos_share_tables(tmp_path: Path) -> None:
    result = run(photos(tmp_path / "in", 5), tmp_path / "out")
    assert sources(tmp_path / "out") == {
        "photos-00000.parquet": ["0.png", "1.png"],
        "photos-00001.parquet": ["2.png", "3.png"],
        "photos-00002.parquet": ["4.png"],
    }
    assert [table.name for table in result.tables] == list(sources(tmp_path / "out"))
    assert len(result.inputs) == 5


def test_the_next_run_does_what_is_missing(tmp_path: Path) -> None:
    folder, out = photos(tmp_path / "in", 3), tmp_path / "out"
    run(folder, out)
    before = {table: table.read_bytes() for table in out.glob("*.parquet")}
    again = run(folder, out)
    assert {table.name for table in again.skipped} == {"photos-00000.parquet", "photos-00001.parquet"}
    assert len(again.inputs) == 3
    write(folder, "new.png", 200)
    more = run(folder, out)
    assert [table.name for table in more.tables if table not in more.skipped] == ["photos-00002.parquet"]
    assert sources(out)["photos-00002.parquet"] == ["new.png"]
    assert {table: table.read_bytes() for table in before} == before


def test_a_changed_photo_and_a_changed_option_are_done_again(tmp_path: Path) -> None:
    folder, out = photos(tmp_path / "in", 4), tmp_path / "out"
    run(folder, out)
    write(folder, "1.png", 222)
    changed = run(folder, out)
    assert [table.name for table in changed.skipped] == ["photos-00001.parquet"]
    names = [name for one in sources(out).values() for name in one]
    assert sorted(names) == ["0.png", "1.png", "2.png", "3.png"]
    assert not run(folder, out, landmarks=True).skipped
    assert sorted(name for one in sources(out).values() for name in one) == sorted(names)


def test_an_interrupted_shard_keeps_its_photos(tmp_path: Path) -> None:
    folder, out = photos(tmp_path / "in", 4), tmp_path / "out"

    def stop(event: Any) -> None:
        if isinstance(event, InputRecord) and event.path.endswith("2.png"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(folder, out, on_event=stop)
    assert RunManifest.load(out / "photos-00001.parquet").stopped
    done = run(folder, out)
    assert len(done.skipped) == 2
    assert sources(out)["photos-00002.parquet"] == ["3.png"]
    assert sorted(name for one in sources(out).values() for name in one) == ["0.png", "1.png", "2.png", "3.png"]


def test_a_photo_that_cannot_be_read_is_a_failure_and_tried_again(tmp_path: Path) -> None:
    folder, out = photos(tmp_path / "in", 2), tmp_path / "out"
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for _ in range(2):
        result = run(folder, out)
        assert [Path(failure.path).name for failure in result.failures] == ["bad.png"]
    assert sorted(name for one in sources(out).values() for name in one) == ["0.png", "1.png"]


def test_videos_keep_tables_of_their_own(tmp_path: Path) -> None:
    photos(tmp_path, 3)
    (tmp_path / "clip.mp4").write_bytes(b"")
    plan = make_plan([tmp_path], tmp_path / "out", shard_size=10)
    assert [(table.table.name, len(table.inputs), table.is_shard) for table in plan.tables] == [
        ("clip.parquet", 1, False),
        ("photos-00000.parquet", 3, True),
    ]
    assert [table.first_number for table in plan.tables] == [0, 1]


def test_a_single_table_has_no_shards(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--shard-size is for a folder of tables"):
        make_plan([photos(tmp_path / "in", 1)], tmp_path / "table.csv", shard_size=5)


def test_free_names_and_an_empty_folder(tmp_path: Path) -> None:
    assert list(shard_names(2, {"photos-00001.parquet"})) == ["photos-00000.parquet", "photos-00002.parquet"]
    assert finished_shards(tmp_path, [], "digest").tables == ()


def test_photos_that_share_a_table_have_the_rows_of_photos_alone(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write(folder, "0.png", 90)
    face = data.astronaut()
    save_image(folder / "1.png", face)
    (folder / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n, and then nothing")
    save_image(folder / "3.png", np.ascontiguousarray(face[:, ::-1]))
    write(folder, "4.png", 200)
    shared = mien.analyze(folder, tmp_path / "shared", threads=1, shard_size=10)
    alone = mien.analyze(folder, tmp_path / "alone", threads=1)
    assert [failure.path for failure in shared.failures] == [failure.path for failure in alone.failures]
    assert [Path(failure.path).name for failure in shared.failures] == ["2.png"]
    together = read_table(shared.tables[0])
    apart = pa.concat_tables([read_table(table).replace_schema_metadata(None) for table in alone.tables])
    assert together.num_rows == apart.num_rows == 4
    assert together["success"].to_pylist() == [False, True, True, False]
    for name in together.column_names:
        seen, expected = (table[name].to_pylist() for table in (together, apart))
        if isinstance(expected[1], float):
            np.testing.assert_allclose(np.array(seen, float), np.array(expected, float), atol=1e-4, err_msg=name)
        else:
            assert seen == expected, name

# SPDX-License-Identifier: Apache-2.0
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from mien.core import OutputError
from mien.results import TableWriter, read_table, recover, table_schema
from mien.results.tables.spool import Spool, scan_spool, spool_folder


@pytest.fixture
def crashed(tmp_path: Path, schema, make_frame) -> Path:
    """A table whose run stopped after six flushed rows (frames 0 to 3) and one row that was not."""
    table = tmp_path / "table.parquet"
    writer = TableWriter(table, schema, rows_per_part=2, seconds_per_part=3600)
    for index, n_faces in enumerate((1, 1, 3, 1)):
        writer.append("clip.mp4", make_frame(index, n_faces))
    writer.flush()
    writer.append("clip.mp4", make_frame(4))
    # What the system does to a process that is gone: the lock is freed, nothing else happens.
    writer._spool.release()
    return table


def frames_of(table: Path) -> list[int]:
    return read_table(table)["frame"].to_pylist()


def test_nothing_left(tmp_path: Path) -> None:
    table = tmp_path / "table.parquet"
    assert scan_spool(table).n_rows == 0
    recovery = recover(table)
    assert (recovery.path, recovery.n_rows, recovery.messages) == (None, 0, ())
    assert list(tmp_path.iterdir()) == []


def test_leftovers_become_a_table_under_the_name(crashed: Path, schema) -> None:
    assert scan_spool(crashed).n_rows == 6
    recovery = recover(crashed)
    assert (recovery.path, recovery.n_rows) == (crashed, 6)
    assert frames_of(crashed) == [0, 1, 2, 2, 2, 3]
    assert read_table(crashed).schema.metadata == schema.metadata
    assert list(crashed.parent.iterdir()) == [crashed]


def test_recovery_never_replaces_a_table(crashed: Path) -> None:
    for name in (crashed.name, "table.recovered.parquet"):
        crashed.with_name(name).write_bytes(b"precious")
    recovery = recover(crashed)
    assert recovery.path == crashed.with_name("table.recovered-2.parquet")
    assert frames_of(recovery.path) == [0, 1, 2, 2, 2, 3]
    assert crashed.read_bytes() == b"precious"


def test_the_next_run_recovers_leftovers_to_another_name(crashed: Path, schema, make_frame) -> None:
    with TableWriter(crashed, schema) as writer:
        assert writer.recovery is not None
        assert writer.recovery.n_rows == 6
        assert writer.n_rows == 0
        (message,) = writer.messages
        assert "6 rows" in message
        assert str(writer.recovery.path) in message
        writer.append("clip.mp4", make_frame(9))
    assert frames_of(crashed) == [9]
    assert frames_of(crashed.with_name("table.recovered.parquet")) == [0, 1, 2, 2, 2, 3]
    assert not spool_folder(crashed).exists()


def test_a_run_that_makes_the_same_rows_again_deletes_leftovers(crashed: Path, schema, make_frame) -> None:
    with TableWriter(crashed, schema, leftovers="redo") as writer:
        assert (writer.recovery, writer.messages) == (None, ())
        writer.append("clip.mp4", make_frame(0))
    assert frames_of(crashed) == [0]
    assert list(crashed.parent.iterdir()) == [crashed]


@pytest.mark.parametrize("changed", ["metadata", "columns"])
def test_a_run_that_makes_other_rows_recovers_leftovers(crashed: Path, schema, changed: str) -> None:
    other = schema.with_metadata({**schema.metadata, b"mien.bundle_sha256": b"beef"})
    with TableWriter(crashed, other if changed == "metadata" else table_schema(), leftovers="redo") as writer:
        pass
    assert writer.recovery is not None
    assert frames_of(writer.recovery.path) == [0, 1, 2, 2, 2, 3]
    assert frames_of(crashed) == []


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.99])
def test_a_torn_part_is_left_out_with_a_message(crashed: Path, keep: float) -> None:
    parts = sorted(spool_folder(crashed).glob("part-*"))
    content = parts[-1].read_bytes()
    parts[-1].write_bytes(content[: int(len(content) * keep)])
    assert scan_spool(crashed).n_rows == 5
    recovery = recover(crashed)
    assert recovery.n_rows == 5
    assert frames_of(crashed) == [0, 1, 2, 2, 2]
    (message,) = recovery.messages
    assert parts[-1].name in message


def test_changed_bytes_in_a_part_cost_that_part_alone(crashed: Path, tmp_path: Path) -> None:
    """Lengths inside a part that were changed once left columns longer than their bytes, which ended the run."""
    name = sorted(spool_folder(crashed).glob("part-*"))[-1].name
    for place in range(0, (spool_folder(crashed) / name).stat().st_size, 97):
        copy = tmp_path / f"copy-{place}" / crashed.name
        shutil.copytree(spool_folder(crashed), spool_folder(copy))
        content = bytearray((spool_folder(copy) / name).read_bytes())
        content[place] ^= 0x15
        (spool_folder(copy) / name).write_bytes(content)
        assert recover(copy).n_rows >= 5


def test_only_torn_parts_make_no_table(crashed: Path) -> None:
    for part in spool_folder(crashed).glob("part-*"):
        part.write_bytes(b"")
    recovery = recover(crashed)
    assert (recovery.path, recovery.n_rows, len(recovery.messages)) == (None, 0, 3)
    assert list(crashed.parent.iterdir()) == []


def test_a_run_in_progress_is_left_alone(tmp_path: Path, schema, make_frame) -> None:
    table = tmp_path / "table.csv"
    with TableWriter(table, schema, rows_per_part=1) as writer:
        writer.append("clip.mp4", make_frame(0))
        for intrude in (recover, Spool, lambda path: TableWriter(path, schema)):
            with pytest.raises(OutputError, match=r"table\.csv is being written by another run"):
                intrude(table)
        writer.append("clip.mp4", make_frame(1))
    assert frames_of(table) == [0, 1]


def test_files_of_others_in_the_parts_folder_survive(crashed: Path) -> None:
    note = spool_folder(crashed) / "notes.txt"
    note.write_text("mine")
    spool = Spool(crashed)
    spool.remove()
    assert list(spool.folder.iterdir()) == [note]
    assert note.read_text() == "mine"
    assert scan_spool(crashed).n_rows == 0


@pytest.mark.parametrize("moved", [True, False])
def test_a_crash_while_a_table_is_finished_neither_loses_nor_doubles_rows(crashed: Path, moved: bool) -> None:
    folder = spool_folder(crashed)
    (folder / "complete").touch()
    if not moved:
        (folder / "table").write_bytes(b"a draft that was not moved yet")
    spool = Spool(crashed)  # the constructor finishes what the earlier run began
    spool.finish_previous()
    spool.release()
    assert scan_spool(crashed).n_rows == (0 if moved else 6)
    assert not (folder / "complete").exists()
    assert not (folder / "table").exists()


def test_a_batch_replaces_the_part_of_its_number(tmp_path: Path, schema) -> None:
    spool = Spool(tmp_path / "table.csv")
    batch = pa.RecordBatch.from_pylist([{"source": "a", "frame": 0, "time_s": 0.0, "success": False}], schema)
    for number in (0, 1, 1):
        spool.write(number, batch)
    assert scan_spool(tmp_path / "table.csv").n_rows == 2
    assert [rows.num_rows for rows in spool.batches([spool.path_of(1)])] == [1]
    spool.remove()
    assert list(tmp_path.iterdir()) == []

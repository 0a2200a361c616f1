# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from mien.core import ConfigError, OutputError
from mien.results import TableWriter, discard_leftovers, leftover_rows, read_table, recover, table_schema
from mien.results.tables.spool import spool_folder


@pytest.fixture
def killed(tmp_path: Path, schema, make_frame) -> Path:
    """A table whose run stopped after six flushed rows (frames 0 to 3) and one row that was not."""
    table = tmp_path / "table.parquet"
    writer = TableWriter(table, schema, rows_per_part=2, seconds_per_part=3600)
    for index, n_faces in enumerate((1, 1, 3, 1)):
        writer.append("clip.mp4", make_frame(index, n_faces))
    writer.flush()
    writer.append("clip.mp4", make_frame(4))
    # What the system does to a killed process: the lock is freed, nothing else happens.
    writer._store.release()
    return table


def frames_of(table: Path) -> list[int]:
    return read_table(table)["frame"].to_pylist()


def test_nothing_left(tmp_path: Path) -> None:
    table = tmp_path / "table.parquet"
    assert leftover_rows(table) == 0
    assert discard_leftovers(table) == 0
    recovery = recover(table)
    assert (recovery.path, recovery.n_rows, recovery.messages) == (None, 0, ())
    assert list(tmp_path.iterdir()) == []


def test_leftovers_become_a_table_under_the_name(killed: Path, schema) -> None:
    assert leftover_rows(killed) == 6
    recovery = recover(killed)
    assert (recovery.path, recovery.n_rows) == (killed, 6)
    assert frames_of(killed) == [0, 1, 2, 2, 2, 3]
    assert read_table(killed).schema.metadata == schema.metadata
    assert list(killed.parent.iterdir()) == [killed]


def test_recovery_never_replaces_a_table(killed: Path) -> None:
    for name in (killed.name, "table.recovered.parquet"):
        killed.with_name(name).write_bytes(b"precious")
    recovery = recover(killed)
    assert recovery.path == killed.with_name("table.recovered-2.parquet")
    assert frames_of(recovery.path) == [0, 1, 2, 2, 2, 3]
    assert killed.read_bytes() == b"precious"


def test_discarded_leftovers_are_gone(killed: Path) -> None:
    assert discard_leftovers(killed) == 6
    assert list(killed.parent.iterdir()) == []


def test_the_next_run_sets_leftovers_aside(killed: Path, schema, make_frame) -> None:
    with TableWriter(killed, schema) as writer:
        assert writer.recovery is not None
        assert writer.recovery.n_rows == 6
        assert writer.n_rows == 0
        (message,) = writer.messages
        assert "6 rows" in message
        assert str(writer.recovery.path) in message
        writer.append("clip.mp4", make_frame(9))
    assert frames_of(killed) == [9]
    assert frames_of(killed.with_name("table.recovered.parquet")) == [0, 1, 2, 2, 2, 3]
    assert not spool_folder(killed).exists()


def test_the_next_run_can_go_on(killed: Path, schema, make_frame) -> None:
    with TableWriter(killed, schema, leftovers="resume", rows_per_part=2) as writer:
        assert (writer.n_rows, writer.last) == (6, ("clip.mp4", 3))
        for index in (4, 5, 6):
            writer.append("clip.mp4", make_frame(index))
    assert frames_of(killed) == [0, 1, 2, 2, 2, 3, 4, 5, 6]


def test_the_next_run_can_start_over(killed: Path, schema, make_frame) -> None:
    with TableWriter(killed, schema, leftovers="discard") as writer:
        writer.append("clip.mp4", make_frame(0))
    assert frames_of(killed) == [0]
    assert list(killed.parent.iterdir()) == [killed]


def test_rows_of_another_bundle_are_not_mixed_in(killed: Path, schema) -> None:
    other = schema.with_metadata({**schema.metadata, b"mien.bundle_sha256": b"beef"})
    with pytest.raises(ConfigError, match="differs in bundle_sha256"):
        TableWriter(killed, other, leftovers="resume")
    with pytest.raises(ConfigError, match="n_landmarks"):
        TableWriter(killed, table_schema(), leftovers="resume")
    assert leftover_rows(killed) == 6


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.99])
def test_a_torn_part_is_left_out_with_a_message(killed: Path, keep: float) -> None:
    parts = sorted(spool_folder(killed).glob("part-*"))
    content = parts[-1].read_bytes()
    parts[-1].write_bytes(content[: int(len(content) * keep)])
    assert leftover_rows(killed) == 5
    recovery = recover(killed)
    assert recovery.n_rows == 5
    assert frames_of(killed) == [0, 1, 2, 2, 2]
    (message,) = recovery.messages
    assert parts[-1].name in message


def test_a_resumed_run_reports_torn_parts_and_does_not_reuse_their_number(killed: Path, schema, make_frame) -> None:
    torn = sorted(spool_folder(killed).glob("part-*"))[-1]
    torn.write_bytes(b"torn")
    with TableWriter(killed, schema, leftovers="resume") as writer:
        assert writer.last == ("clip.mp4", 2)
        assert torn.name in writer.messages[0]
        writer.append("clip.mp4", make_frame(3))
    assert frames_of(killed) == [0, 1, 2, 2, 2, 3]


def test_only_torn_parts_make_no_table(killed: Path) -> None:
    for part in spool_folder(killed).glob("part-*"):
        part.write_bytes(b"")
    recovery = recover(killed)
    assert (recovery.path, recovery.n_rows, len(recovery.messages)) == (None, 0, 3)
    assert list(killed.parent.iterdir()) == []


def test_a_run_in_progress_is_left_alone(tmp_path: Path, schema, make_frame) -> None:
    table = tmp_path / "table.csv"
    with TableWriter(table, schema, rows_per_part=1) as writer:
        writer.append("clip.mp4", make_frame(0))
        for intrude in (recover, discard_leftovers, lambda path: TableWriter(path, schema)):
            with pytest.raises(OutputError, match=r"table\.csv is being written by another run"):
                intrude(table)
        writer.append("clip.mp4", make_frame(1))
    assert frames_of(table) == [0, 1]


def test_files_of_others_in_the_parts_folder_survive(killed: Path) -> None:
    note = spool_folder(killed) / "notes.txt"
    note.write_text("mine")
    assert discard_leftovers(killed) == 6
    assert note.read_text() == "mine"
    assert leftover_rows(killed) == 0

# SPDX-License-Identifier: Apache-2.0
import errno
import gc
import os
import sys
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.core import ConfigError, Faces, OutputError
from mien.results import TableWriter, read_table, recover, table_schema
from mien.results.tables import spool as spool_module
from mien.results.tables import writer as writer_module
from mien.results.tables.spool import scan_spool, spool_folder


def n_parts(table: Path) -> int:
    return len(list(spool_folder(table).glob("part-*.arrow")))


def test_rows_are_safe_every_so_many(tmp_path: Path, schema, make_frame) -> None:
    table = tmp_path / "table.parquet"
    with TableWriter(table, schema, rows_per_part=4, seconds_per_part=3600) as writer:
        for index in range(3):
            writer.append("a", make_frame(index))
        assert (n_parts(table), scan_spool(table).n_rows) == (0, 0)
        writer.append("a", make_frame(3, 3))
        assert (n_parts(table), scan_spool(table).n_rows) == (1, 6)
        writer.append(Path("b"), make_frame(0, 0))
        assert (writer.n_rows, scan_spool(table).n_rows) == (7, 6)
        writer.flush()
        assert (n_parts(table), scan_spool(table).n_rows) == (2, 7)
        writer.flush()
        assert n_parts(table) == 2
        assert not table.exists()
    assert read_table(table).num_rows == 7
    assert list(tmp_path.iterdir()) == [table]


def test_rows_are_safe_after_so_many_seconds(tmp_path: Path, schema, make_frame, monkeypatch) -> None:
    now = 100.0
    monkeypatch.setattr(writer_module.time, "monotonic", lambda: now)
    table = tmp_path / "table.parquet"
    with TableWriter(table, schema, seconds_per_part=2.0) as writer:
        writer.append("a", make_frame(0))
        now = 101.9
        writer.append("a", make_frame(1))
        assert scan_spool(table).n_rows == 0
        now = 102.0
        writer.append("a", make_frame(2))
        assert scan_spool(table).n_rows == 3
        now = 103.9
        writer.append("a", make_frame(3))
        assert scan_spool(table).n_rows == 3


def test_what_waits_in_memory_is_bounded_and_holds_no_image(tmp_path: Path, schema, make_frame) -> None:
    table = tmp_path / "table.parquet"
    waiting = []
    with TableWriter(table, schema, rows_per_part=50, seconds_per_part=3600) as writer:
        image = np.zeros((4, 4, 3), np.uint8)
        alive = weakref.ref(image)
        writer.append("a", replace(make_frame(0), image=image))
        del image
        gc.collect()
        assert alive() is None
        for index in range(1, 1000):
            writer.append("a", make_frame(index))
            waiting.append(writer.n_rows - 50 * n_parts(table))
        assert n_parts(table) == 20
    assert max(waiting) < 50
    assert read_table(table)["frame"].to_pylist() == list(range(1000))


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_exception_still_gives_a_valid_table(error: type[BaseException], tmp_path: Path, schema, make_frame) -> None:
    table = tmp_path / "table.csv"

    def run() -> None:
        with TableWriter(table, schema) as writer:
            writer.append("a", make_frame(0))
            raise error

    with pytest.raises(error):
        run()
    assert read_table(table)["frame"].to_pylist() == [0]
    assert list(tmp_path.iterdir()) == [table]


def test_an_exception_before_the_first_row_leaves_no_trace(tmp_path: Path, schema) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes(b"older")
    with pytest.raises(KeyboardInterrupt), TableWriter(table, schema):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == [table]
    assert table.read_bytes() == b"older"


def test_an_interrupt_in_the_middle_of_a_flush_doubles_nothing(tmp_path, schema, make_frame, monkeypatch) -> None:
    table = tmp_path / "table.parquet"
    with TableWriter(table, schema) as writer:
        write = writer._spool.write

        def write_and_interrupt(*arguments: object) -> None:
            write(*arguments)
            raise KeyboardInterrupt

        writer.append("a", make_frame(0))
        with monkeypatch.context() as patch:
            patch.setattr(writer._spool, "write", write_and_interrupt)
            with pytest.raises(KeyboardInterrupt):
                writer.flush()
        writer.append("a", make_frame(1))
    assert read_table(table)["frame"].to_pylist() == [0, 1]


def test_an_older_table_stays_until_the_new_one_is_complete(tmp_path: Path, schema, make_frame) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes(b"older")
    with TableWriter(table, schema, rows_per_part=1) as writer:
        writer.append("a", make_frame(0))
        assert table.read_bytes() == b"older"
    assert read_table(table).num_rows == 1


def test_a_finished_writer_says_so(tmp_path: Path, schema, make_frame) -> None:
    with TableWriter(tmp_path / "table.csv", schema) as writer:
        pass
    writer.close()
    with pytest.raises(ConfigError, match=r"table\.csv is finished"):
        writer.append("a", make_frame(0))


def test_faces_that_do_not_fit_are_refused_and_not_queued(tmp_path: Path, schema, make_frame) -> None:
    table = tmp_path / "table.csv"
    with TableWriter(table, schema) as writer:
        writer.append("a", make_frame(0))
        with pytest.raises(ConfigError, match="expression_labels"):
            writer.append("a", replace(make_frame(1), faces=Faces(boxes=[[0, 0, 1, 1]])))
    assert read_table(table)["frame"].to_pylist() == [0]


@pytest.mark.parametrize(
    "options",
    [{"leftovers": "keep"}, {"rows_per_part": 0}, {"seconds_per_part": -1.0}],
    ids=lambda options: next(iter(options)),
)
def test_arguments_out_of_range_are_refused(options: dict, tmp_path: Path, schema) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        TableWriter(tmp_path / "table.csv", schema, **options)
    assert list(tmp_path.iterdir()) == []


def test_missing_folders_are_created(tmp_path: Path, schema, make_frame) -> None:
    table = tmp_path / "new" / "ünï" / "table.csv"
    with TableWriter(table, schema) as writer:
        writer.append("a", make_frame(0))
    assert read_table(table).num_rows == 1


def test_a_folder_of_that_name_is_refused(tmp_path: Path, schema) -> None:
    table = tmp_path / "table.csv"
    table.mkdir()
    with pytest.raises(OutputError, match=r"table\.csv: it is a folder"):
        TableWriter(table, schema)
    assert list(tmp_path.iterdir()) == [table]


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path, schema) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=r"cannot write .*table\.csv"):
        TableWriter(tmp_path / "file" / "table.csv", schema)


@pytest.fixture
def read_only_folder() -> Iterator[Path]:
    if os.name != "posix":
        pytest.skip("folders have no write permission on this system")
    # Not tmp_path: its parents are closed to the other user that root must become to be refused anything.
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield folder
    finally:
        os.seteuid(user)
        folder.rmdir()


def test_a_read_only_folder_is_refused_at_once(read_only_folder: Path, schema) -> None:
    with pytest.raises(OutputError, match=r"table\.csv: Permission denied"):
        TableWriter(read_only_folder / "table.csv", schema)


@pytest.fixture
def limit_file_size() -> Iterator[object]:
    """``limit_file_size(n)``: no file can grow beyond n bytes, as on a full disk."""
    if sys.platform == "win32":
        pytest.skip("this system cannot limit file sizes")
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_while_flushing_keeps_what_was_flushed(tmp_path, schema, make_frame, limit_file_size) -> None:
    table = tmp_path / "table.parquet"

    def run() -> None:
        with TableWriter(table, schema, rows_per_part=10, seconds_per_part=3600) as writer:
            for index in range(15):
                writer.append("a", make_frame(index))
            limit_file_size(5000)
            for index in range(15, 30):
                writer.append("a", make_frame(index))

    with pytest.raises(OutputError, match=r"table\.parquet: File too large.*safe in .*\.parts"):
        run()
    assert not table.exists()
    assert list(spool_folder(table).glob("*.tmp")) == []
    assert scan_spool(table).n_rows == 10
    limit_file_size(10_000_000)
    assert recover(table).n_rows == 10
    assert read_table(table)["frame"].to_pylist() == list(range(10))


def test_a_full_disk_while_finishing_can_be_tried_again(tmp_path, schema, make_frame, limit_file_size) -> None:
    table = tmp_path / "table.jsonl"
    table.write_bytes(b"older")
    writer = TableWriter(table, schema, rows_per_part=10, seconds_per_part=3600)
    for index in range(200):
        writer.append("a", make_frame(index))
    limit_file_size(60_000)
    with pytest.raises(OutputError, match=r"table\.jsonl: File too large"):
        writer.close()
    assert table.read_bytes() == b"older"
    assert scan_spool(table).n_rows == 200
    limit_file_size(10_000_000)
    writer.close()
    assert read_table(table)["frame"].to_pylist() == list(range(200))
    assert list(tmp_path.iterdir()) == [table]


def test_rows_that_come_after_a_failed_finish_count_as_unfinished(
    tmp_path, schema, make_frame, monkeypatch, limit_file_size
) -> None:
    table = tmp_path / "table.csv"
    writer = TableWriter(table, schema, rows_per_part=1)
    writer.append("a", make_frame(0))

    def fail_after_the_move(folder: Path) -> None:
        if folder == table.parent:
            raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(spool_module, "sync_folder", fail_after_the_move)
        with pytest.raises(OutputError, match="Input/output error"):
            writer.close()
    writer.append("a", make_frame(1))
    limit_file_size(500)
    with pytest.raises(OutputError, match="File too large"):
        writer.close()
    assert scan_spool(table).n_rows == 2
    limit_file_size(10_000_000)
    writer.close()
    assert read_table(table)["frame"].to_pylist() == [0, 1]


def test_a_part_that_was_damaged_meanwhile_is_an_error_not_a_gap(tmp_path: Path, schema, make_frame) -> None:
    table = tmp_path / "table.csv"

    def run() -> None:
        with TableWriter(table, schema, rows_per_part=1) as writer:
            for index in range(3):
                writer.append("a", make_frame(index))
            (spool_folder(table) / "part-00000.arrow").write_bytes(b"gone")

    with pytest.raises(OutputError, match=r"part-00000\.arrow is damaged"):
        run()
    assert not table.exists()
    assert recover(table).n_rows == 2


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_the_offset_of_each_source_is_the_last_column(tmp_path: Path, make_frame, ending: str) -> None:
    schema = table_schema(stream_offset=True)
    with TableWriter(tmp_path / f"t.{ending}", schema) as writer:
        writer.set_stream_offset("a", 5.0)
        writer.append("a", make_frame(0, 0))
        writer.append("photo", make_frame(0, 0))
    table = read_table(tmp_path / f"t.{ending}")
    assert table.schema.names[-1] == "stream_offset_s"
    assert table.schema.field("stream_offset_s").equals(schema.field("stream_offset_s"), check_metadata=True)
    assert table["stream_offset_s"].to_pylist() == [5.0, None]

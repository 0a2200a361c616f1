# SPDX-License-Identifier: Apache-2.0
"""Runs that end before their time: Ctrl-C, SIGKILL, full disk, read-only place. Finished rows survive all of them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mien.affect import Analyzer
from mien.core import OutputError
from mien.pipeline import Progress, analyze
from mien.results import TableWriter, manifest_path, read_table
from mien.results.tables.spool import scan_spool
from tests.helpers.face_clips import N_FRAMES, manifest, times_of, write_loop, write_photo

needs_posix = pytest.mark.skipif(os.name != "posix", reason="signals and file limits of this kind are POSIX")

_LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
from mien.cli import main
main(sys.argv[2:])
"""


def interrupt_at(n_frames: int) -> Any:
    """A progress callback that behaves as Ctrl-C would at this frame."""

    def on_progress(progress: Progress) -> None:
        if progress.n_frames == n_frames and progress.number == 0:
            raise KeyboardInterrupt

    return on_progress


def test_ctrl_c_keeps_what_was_done(clip: Path, tmp_path: Path) -> None:
    table, overlay = tmp_path / "t.parquet", tmp_path / "o.mp4"
    with pytest.raises(KeyboardInterrupt):
        analyze(clip, table, overlay=overlay, on_progress=interrupt_at(12))
    assert read_table(table)["frame"].to_pylist() == list(range(12))
    assert len(times_of(overlay)) == 12
    record = manifest(table)["inputs"][0]
    assert record["n_rows"] == 12
    assert record["messages"] == ["the run was stopped here, before the end of this input"]
    assert scan_spool(table).n_rows == 0


def test_ctrl_c_among_several_inputs(clip: Path, photo: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        analyze([clip, photo], tmp_path / "out", on_progress=interrupt_at(5))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "clip.parquet",
        "clip.parquet.manifest.json",
    ]


def test_ctrl_c_before_the_first_frame_leaves_an_older_table_alone(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "t.csv"
    analyze(clip, table)
    before = table.read_bytes(), manifest(table)

    def frames(*_: Any, **__: Any) -> Iterator[Any]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(Analyzer, "frames", frames)
    with pytest.raises(KeyboardInterrupt):
        analyze(clip, table)
    assert (table.read_bytes(), manifest(table)) == before
    assert not Path(f"{table}.parts").exists()


@needs_posix
@pytest.mark.parametrize("n_signals", [1, 3])
@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_ctrl_c_at_every_moment_of_the_finish_leaves_a_table_with_its_manifest(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, n_signals: int
) -> None:
    analyzer = Analyzer(threads=1)
    run = sys.modules["mien.pipeline.table_run"]
    monkeypatch.setattr(run, "Analyzer", lambda *_, **__: analyzer)
    # A slow machine must not save rows before the finish.
    monkeypatch.setattr(run, "TableWriter", partial(TableWriter, seconds_per_part=3600))
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    fsync, n_syncs = os.fsync, 0

    def interrupt(at: int) -> Any:
        def interrupted_fsync(descriptor: int) -> None:
            nonlocal n_syncs
            n_syncs += 1
            if n_syncs == at:
                for _ in range(n_signals):
                    signal.raise_signal(signal.SIGINT)
            fsync(descriptor)

        return interrupted_fsync

    try:
        for at in range(1, 50):
            n_syncs = 0
            table = tmp_path / str(at) / f"t{ending}"
            monkeypatch.setattr(os, "fsync", interrupt(at))
            try:
                analyze(clip, table)
            except KeyboardInterrupt:
                pass
            else:
                assert at == n_syncs + 1, "an interrupt was lost"
                break
            assert read_table(table).num_rows == N_FRAMES
            assert manifest(table)["inputs"][0]["n_rows"] == N_FRAMES
            assert sorted(path.name for path in table.parent.iterdir()) == [table.name, manifest_path(table).name]
    finally:
        signal.signal(signal.SIGINT, handler)
    assert at > 4


@pytest.fixture
def endless(clip: Path, tmp_path: Path) -> Path:
    """A clip of some minutes: no test waits for its end."""
    return write_loop(tmp_path / "long.mp4", clip, 1000)


def start(*arguments: object) -> subprocess.Popen[str]:
    # A test run in the background of a shell has SIGINT ignored, and its children would inherit that.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from mien.cli import main; main()"
    command = [sys.executable, "-c", code, "analyze", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def wait_for(found: Any, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 300
    while not found():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "the run did not come so far within five minutes"
        time.sleep(0.02)


@needs_posix
def test_a_crash_loses_no_finished_row_and_the_next_run_saves_them(endless: Path, clip: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.parquet"
    process = start(endless, "--out", table)
    wait_for(lambda: list(Path(f"{table}.parts").glob("part-*.arrow")), process)
    process.kill()
    process.communicate(timeout=300)
    assert not table.exists()
    n_safe = scan_spool(table).n_rows
    assert n_safe > 0
    result = analyze(clip, table)
    saved = tmp_path / "t.recovered.parquet"
    assert result.messages == (f"{n_safe} rows of an interrupted run over {table} are now in {saved}",)
    assert read_table(saved)["frame"].to_pylist() == list(range(n_safe))
    assert read_table(table).num_rows == N_FRAMES


@needs_posix
def test_sigint_ends_with_130_and_valid_files(endless: Path, tmp_path: Path) -> None:
    table, overlay = tmp_path / "t.parquet", tmp_path / "o.mp4"
    process = start(endless, "--out", table, "--overlay", overlay, "--log", "json")
    assert process.stderr is not None
    assert json.loads(process.stderr.readline())["event"] == "progress"
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=300)
    assert process.returncode == 130
    events = [json.loads(line) for line in rest.splitlines()]
    assert [event["event"] for event in events if event["event"] != "progress"][-2:] == ["table", "interrupted"]
    n_rows = read_table(table).num_rows
    assert 0 < n_rows < 20_000
    assert len(times_of(overlay)) in (n_rows, n_rows - 1)
    assert manifest(table)["inputs"][0]["n_rows"] == n_rows


def limited(size: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The command line where no file can grow beyond ``size`` bytes, as on a disk that is full by then."""
    command = [sys.executable, "-c", _LIMITED, str(size), "analyze", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@needs_posix
def test_a_full_disk_at_the_first_row(clip: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.parquet"
    ended = limited(1000, clip, "--out", table)
    assert ended.returncode == 3
    assert f"cannot write {table}: File too large" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not table.exists()


@needs_posix
def test_a_full_disk_at_the_end_keeps_the_rows_for_the_next_run(clip: Path, photo: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.jsonl"  # far larger than its parts
    longer = write_loop(tmp_path / "longer.mp4", clip, 10)
    analyze(photo, table)
    older = table.read_bytes(), manifest_path(table).read_bytes()
    ended = limited(200_000, longer, "--out", table)
    assert ended.returncode == 3
    assert f"the rows flushed so far are safe in {table}.parts" in ended.stderr
    assert (table.read_bytes(), manifest_path(table).read_bytes()) == older
    assert scan_spool(table).n_rows == 10 * N_FRAMES
    result = analyze(photo, table)
    assert f"{10 * N_FRAMES} rows of an interrupted run" in result.messages[0]
    assert read_table(tmp_path / "t.recovered.jsonl").num_rows == 10 * N_FRAMES


@needs_posix
def test_a_full_disk_for_the_overlay_keeps_the_table(endless: Path, tmp_path: Path) -> None:
    table, overlay = tmp_path / "t.parquet", tmp_path / "o.mp4"
    ended = limited(150_000, endless, "--to", "24", "--out", table, "--overlay", overlay)
    assert ended.returncode == 3
    assert f"{overlay}: cannot be written (File too large)" in ended.stderr
    assert read_table(table).num_rows > 0
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "long.mp4",
        "t.parquet",
        "t.parquet.manifest.json",
    ]


@needs_posix
def test_a_read_only_place(face: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    analyzer = Analyzer(threads=1)
    module = sys.modules["mien.pipeline.table_run"]
    monkeypatch.setattr(module, "Analyzer", lambda *_, **__: analyzer)
    # Not tmp_path: its parents are closed to the other user that root must become to be refused anything.
    with contextlib.closing(_Folder()) as folder:
        photo = write_photo(folder.path / "photo.png", face)
        out = folder.path / "out"
        out.mkdir(mode=0o555)
        (folder.path / "closed/in").mkdir(parents=True)
        (folder.path / "closed").chmod(0o700)
        folder.drop_root()
        with pytest.raises(OutputError, match=r"cannot write .*t\.csv: Permission denied; check"):
            analyze(photo, out / "t.csv", landmark_model="none")
        with pytest.raises(OutputError, match=r"new/t\.csv: Permission denied"):
            analyze(photo, out / "new" / "t.csv", landmark_model="none")
        with pytest.raises(OutputError, match=r"in/t\.csv: Permission denied"):
            analyze(photo, folder.path / "closed/in/t.csv", landmark_model="none")


class _Folder:
    """A temporary folder that is deleted under any user."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp())
        self.path.chmod(0o755)
        self._user = os.geteuid()

    def drop_root(self) -> None:
        if self._user == 0:
            os.seteuid(65534)

    def close(self) -> None:
        os.seteuid(self._user)
        for path in sorted(self.path.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        self.path.rmdir()


def test_a_folder_in_the_place_of_the_table(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "photo.parquet").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"cannot write .*photo\.parquet: it is a folder"):
        analyze(photo, tmp_path / "out")


def test_a_file_in_the_place_of_the_folder(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"cannot write .*out: File exists"):
        analyze(photo, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"mine"

# SPDX-License-Identifier: Apache-2.0
"""A run that is killed loses no row that was flushed, and no row appears twice, whenever it happens."""

import random
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mien.results import read_table, recover
from mien.results.tables.spool import scan_spool

SCRIPT = Path(__file__).resolve().parents[2] / "helpers/interrupted_run.py"
N_FRAMES = 24
ALL_ROWS = [(index, face) for index in range(N_FRAMES) for face in (range(index % 3) if index % 3 else (None,))]


def start(table: Path, n_frames: int = N_FRAMES, stop_at: int = -1, pause_s: float = 0.0) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), str(table), str(n_frames), str(stop_at), str(pause_s)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(run: subprocess.Popen[str]) -> list[str]:
    output, _ = run.communicate(timeout=60)
    return output.splitlines()


def rows_of(table: Path) -> list[tuple[int, int | None]]:
    content = read_table(table)
    return list(zip(content["frame"].to_pylist(), content["track_id"].to_pylist(), strict=True))


@pytest.fixture(scope="module")
def n_operations(tmp_path_factory: pytest.TempPathFactory) -> int:
    """Number of file operations of a run that is not interrupted."""
    table = tmp_path_factory.mktemp("whole") / "table.parquet"
    run = start(table)
    lines = finish(run)
    assert run.returncode == 0
    assert rows_of(table) == ALL_ROWS
    assert [path.name for path in table.parent.iterdir()] == ["table.parquet"]
    return int(lines[-1].removeprefix("operations "))


# From the end backwards: publishing the table and deleting the parts, where a crash is most delicate; then anywhere.
@pytest.mark.parametrize("from_end", [*range(1, 13), *random.Random(0).sample(range(13, 30), 4)])
def test_a_crash_at_any_file_operation_loses_and_doubles_nothing(
    from_end: int, n_operations: int, tmp_path: Path
) -> None:
    table = tmp_path / "table.parquet"
    crashed = start(table, stop_at=n_operations - from_end)
    safe = [int(line) for line in finish(crashed)]
    assert crashed.returncode == 9
    if table.exists():
        # The crash came after the table was complete: no row waits for a table any more.
        assert rows_of(table) == ALL_ROWS
        assert scan_spool(table).n_rows == 0
    else:
        # A user who does not run again gets every row that was safe.
        copy = tmp_path / "copy"
        shutil.copytree(tmp_path / "table.parquet.parts", copy / "table.parquet.parts")
        recovery = recover(copy / "table.parquet")
        assert recovery.n_rows >= (safe or [0])[-1]
        if recovery.n_rows:
            assert rows_of(copy / "table.parquet") == ALL_ROWS[: recovery.n_rows]
        shutil.rmtree(copy)
    runpy.run_path(str(SCRIPT))["run"](table, N_FRAMES, 0.0)
    assert rows_of(table) == ALL_ROWS
    assert [path.name for path in tmp_path.iterdir()] == ["table.parquet"]


@pytest.mark.parametrize("seed", range(5))
def test_a_crash_at_any_time_loses_no_flushed_row(seed: int, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    run = start(table, n_frames=1_000_000, pause_s=0.0005)
    assert run.stdout is not None
    lines = [run.stdout.readline() for _ in range(random.Random(seed).randint(1, 25))]
    run.kill()
    lines += finish(run)
    safe = max(int(line) for line in lines)
    recovery = recover(table)
    assert recovery.path == table
    assert recovery.n_rows >= safe
    assert recovery.messages == ()
    rows = rows_of(table)
    assert len(rows) == recovery.n_rows
    n_frames = rows[-1][0] + 1
    assert rows == [(i, face) for i in range(n_frames) for face in (range(i % 3) if i % 3 else (None,))]
    assert recover(table).n_rows == 0

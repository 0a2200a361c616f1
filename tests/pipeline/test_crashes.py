# SPDX-License-Identifier: Apache-2.0
"""A folder of tables after SIGKILL at any moment: the next run finishes it, no row lost, none doubled."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import mien
from mien.core import draft_files
from mien.pipeline import convert_file
from mien.results import RunManifest, read_table
from tests.helpers.face_clips import write_clip, write_photo

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL and fork are POSIX")

N_CRASHES = 20


@pytest.fixture
def inputs(tmp_path: Path, face: np.ndarray) -> Path:
    folder = tmp_path / "inputs"
    small = np.ascontiguousarray(face[::2, ::2])
    for number in range(3):
        write_clip(folder / f"{number}.mp4", np.roll(small, 3 * number, axis=1), 5)
    write_photo(folder / "below" / "1.png", face)
    return folder


def assert_same_tables(found: Path, reference: Path) -> None:
    tables = {path.name for path in reference.glob("*.parquet")}
    assert len(tables) == 4
    expected = tables | {f"{name}.manifest.json" for name in tables}
    # Nothing else may stay: no rescued copies of rows, no parts, no half-written files.
    assert {path.name for path in found.iterdir()} == expected
    for name in sorted(tables):
        assert read_table(found / name).equals(read_table(reference / name)), f"{found / name} differs"
        assert RunManifest.load(found / name).inputs == RunManifest.load(reference / name).inputs


@pytest.mark.parametrize("n_crashes", [N_CRASHES, pytest.param(200, marks=pytest.mark.slow)])
def test_random_crashes_lose_and_double_no_row(inputs: Path, tmp_path: Path, n_crashes: int) -> None:
    place = tmp_path / "out"
    script = Path(__file__).resolve().parents[1] / "helpers/crash_runs.py"
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    command = [sys.executable, script, inputs, place, str(n_crashes), str(seed)]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= n_crashes
    rounds = [folder for folder in place.iterdir() if folder.name != "reference"]
    for folder in rounds:
        assert_same_tables(folder, place / "reference")


@pytest.mark.slow
def test_random_crashes_of_the_command_with_workers(inputs: Path, tmp_path: Path) -> None:
    def start(out: Path) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "mien", "analyze", str(inputs), "--out", str(out), "--workers", "2"]
        return subprocess.Popen([*command, "--threads", "1"], stderr=subprocess.DEVNULL)

    before = time.monotonic()
    assert start(tmp_path / "reference").wait() == 0
    duration_s = time.monotonic() - before
    n_crashes = n_rounds = 0
    while n_crashes < N_CRASHES:
        process = start(tmp_path / str(n_rounds))
        try:
            assert process.wait(random.uniform(0.3, 1) * duration_s) == 0
            n_rounds += 1
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            n_crashes += 1
    for number in range(n_rounds):
        assert_same_tables(tmp_path / str(number), tmp_path / "reference")


_DIES = """
import os, signal, sys
import mien
from mien.pipeline.overlay import VideoOverlay
write = VideoOverlay.write
def dies(self, frame):
    write(self, frame)
    if frame.index == 2:
        os.kill(os.getpid(), signal.SIGKILL)
VideoOverlay.write = dies
clip, out = sys.argv[1:]
mien.analyze(clip, f"{out}/clip.csv", overlay=f"{out}/seen.mp4", threads=1)
"""


@pytest.mark.parametrize("following", ["the same run", "a run with nothing to do", "a conversion"])
def test_the_next_run_deletes_the_video_of_faces_that_a_killed_one_left(
    clip: Path, tmp_path: Path, following: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    mien.analyze([clip], out, threads=1)
    done = subprocess.run([sys.executable, "-c", _DIES, str(clip), str(out)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(out.glob(".mien-*.part.mp4"))) == 1
    monkeypatch.setattr(draft_files, "_swept", set())  # as in a new process
    if following == "the same run":
        mien.analyze(clip, out / "clip.csv", overlay=out / "seen.mp4", threads=1)
        assert (out / "seen.mp4").exists()
    elif following == "a run with nothing to do":
        assert mien.analyze([clip], out, threads=1).skipped
    else:
        convert_file(out / "clip.parquet", out / "copy.csv")
    assert not list(out.glob(".mien-*"))

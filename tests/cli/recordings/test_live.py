# SPDX-License-Identifier: Apache-2.0
"""``mien live`` in the shell and in the terminal."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mien.cli.recordings.live import create_text_view, face_table
from mien.results import read_table
from tests.helpers.live_frames import live_frame


def test_a_run_that_ends_before_its_first_frame_says_so(mien: Any, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.pipeline.live", lambda *_, **__: (frame for frame in ()))
    ended = mien("live", clip, "--to", 0.01)
    assert ended.code == 3
    assert "no frame was analysed before it ended; give it more time (--to)" in ended.err


def test_a_video_in_a_pipe(mien: Any, clip: Path, tmp_path: Path) -> None:
    ended = mien("live", clip, "--out", tmp_path / "t.csv", "--threads", 1)
    assert ended.code == 0
    assert "happiness" in ended.err
    assert " analysed; " in ended.err
    assert ended.err.rstrip().endswith(f"wrote {tmp_path / 't.csv'}")
    assert read_table(tmp_path / "t.csv").num_rows > 0


@pytest.mark.parametrize(("landmark_model", "has_pose"), [("mien-points", True), ("none", False)])
def test_a_landmark_net_or_none(mien: Any, clip: Path, tmp_path: Path, landmark_model: str, has_pose: bool) -> None:
    ended = mien("live", clip, "--out", tmp_path / "t.csv", "--threads", 1, "--landmark-model", landmark_model)
    assert ended.code == 0
    table = read_table(tmp_path / "t.csv")
    assert (table["yaw_rad"].null_count < table.num_rows) is has_pose


def test_a_missing_camera(mien: Any) -> None:
    ended = mien("live", "97")
    assert ended.code == 3
    assert "mien: camera 97: cannot be opened; check that it is plugged in" in ended.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--anonymous"], "add --page"), (["--port", "70000"], "Invalid value for '--port'")],
)
def test_wrong_usage(mien: Any, arguments: list[str], message: str) -> None:
    ended = mien("live", *arguments)
    assert ended.code == 2
    assert message in ended.err


@pytest.mark.skipif(os.name != "posix", reason="signals of this kind are POSIX")
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_an_end_by_signal_leaves_a_table(clip: Path, tmp_path: Path, kind: signal.Signals) -> None:
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from mien.cli import main; main()"
    table = tmp_path / "t.parquet"
    command = [sys.executable, "-c", code, "live", str(clip), "--out", str(table), "--threads", "1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    first = process.stderr.readline()
    process.send_signal(kind)
    rest = process.communicate(timeout=300)[1]
    assert "frames/s" in first
    assert process.returncode in (130, 0), rest  # 0: the short clip was over before the signal came
    assert f"wrote {table}" in rest
    assert read_table(table).num_rows > 0


def test_the_terminal_view() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    with create_text_view(console) as view:
        view.show(live_frame())
    console.print(face_table(live_frame()))
    console.print(face_table(live_frame(0)))
    text = screen.getvalue()
    assert "happiness" in text
    assert "+0.50" in text
    assert "AU12" in text
    assert "no face" in text
    assert "25.0 frames/s, latency 11 ms, 95 %: 20 ms, 2 frames dropped" in text

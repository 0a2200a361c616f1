# SPDX-License-Identifier: Apache-2.0
"""``mien live`` as the shell and a browser see it."""

import http.client
import io
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rich.console import Console

from mien.cli.live_page import LivePage
from mien.cli.recordings.live import create_text_view, face_table
from mien.core import Faces, Frame, OutputError
from mien.pipeline import LiveFrame, LiveStatistics
from mien.results import read_table


def answer(n_faces: int = 1) -> LiveFrame:
    faces = Faces(
        boxes=np.tile(np.array([[20, 20, 60, 60]], np.float32), (n_faces, 1)),
        track_ids=np.arange(n_faces),
        expression=np.tile([[0.25, 0.75]], (n_faces, 1)),
        expression_labels=("neutral", "happiness"),
        valence=np.full(n_faces, 0.5),
        arousal=np.full(n_faces, np.nan),
        action_units=np.full((n_faces, 1), 0.3),
        action_unit_labels=("AU12",),
    )
    frame = Frame(index=3, time_s=0.12, faces=faces, image=np.full((80, 100, 3), 90, np.uint8))
    statistics = LiveStatistics(n_frames=4, n_dropped=2, fps=25.0, latency_p50_s=0.011, latency_p95_s=0.02)
    return LiveFrame(source="camera [0]", frame=frame, latency_s=0.012, statistics=statistics, thresholds={"AU12": 0.2})


def test_a_video_in_a_pipe(mien: Any, clip: Path, tmp_path: Path) -> None:
    ended = mien("live", clip, "--out", tmp_path / "t.csv", "--threads", 1)
    assert ended.code == 0
    assert "happiness" in ended.err
    assert "frames analysed" in ended.err
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
def test_a_polite_end_leaves_a_table(clip: Path, tmp_path: Path, kind: signal.Signals) -> None:
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
        view.show(answer())
    console.print(face_table(answer()))
    console.print(face_table(answer(0)))
    text = screen.getvalue()
    assert "happiness" in text
    assert "+0.50" in text
    assert "AU12" in text
    assert "no face" in text
    assert "25.0 frames/s, latency 11 ms, 95 %: 20 ms, 2 frames dropped" in text


def get(page: LivePage, path: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=30)
    connection.request("GET", path, headers=headers)
    return connection.getresponse()


def test_the_page_shows_the_latest_answer() -> None:
    with LivePage() as page:
        page.show(answer())
        html = get(page, "/").read().decode()
        assert "<title>mien live</title>" in html
        assert "http" not in html.replace("SPDX", ""), "the page may load nothing from elsewhere"
        events = get(page, "/statistics")
        assert events.headers["Content-Type"] == "text/event-stream"
        facts = json.loads(events.readline().removeprefix(b"data: "))
        assert (facts["frame"], facts["n_dropped"], facts["latency_p95_s"]) == (3, 2, 0.02)
        (face,) = facts["faces"]
        assert (face["top"], face["valence"], face["arousal"]) == ("happiness", 0.5, None)
        assert face["expression"] == {"neutral": 0.25, "happiness": 0.75}
        assert face["present"] == ["AU12"], "as the bundle's threshold of 0.2 says"
        pictures = get(page, "/pictures")
        head = [pictures.readline() for _ in range(4)]
        length = int(head[2].split()[1])
        picture = cv2.imdecode(np.frombuffer(pictures.read(length), np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == (80, 100, 3)
        assert get(page, "/secret").status == 404
    assert not [thread for thread in threading.enumerate() if thread.name == "mien-page"]


def test_the_page_answers_to_this_machine_alone() -> None:
    with LivePage() as page:
        assert page.url.startswith("http://127.0.0.1:")
        assert get(page, "/", Host="evil.example").status == 403
        assert get(page, "/", Host=f"localhost:{page.port}").status == 200
        assert "default-src 'none'" in (get(page, "/").headers["Content-Security-Policy"] or "")


def test_a_port_that_is_taken() -> None:
    with LivePage() as page, pytest.raises(OutputError, match=f"cannot open port {page.port} for the page: .*--port"):
        LivePage(page.port)

# SPDX-License-Identifier: Apache-2.0
import io
import json

import pytest
from rich.console import Console

from mien.cli.bars import BarView
from mien.cli.progress import JsonView, PlainView, create_view, reporter
from mien.pipeline import Progress
from mien.results import InputRecord


def frame(n: int, *, source: str = "clip.mp4", number: int = 0) -> Progress:
    return Progress(source=source, number=number, n_inputs=2, n_frames=n, n_frames_expected=100, n_faces=2 * n)


def test_a_pipe_gets_the_events_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with create_view("text") as view:
        assert isinstance(view, PlainView)
        view.progress(frame(5))
        view.say("failure", "failed: a[/x].mp4", path="a[/x].mp4")
    assert capsys.readouterr().err == "failed: a[/x].mp4\n"


def test_a_terminal_gets_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert isinstance(create_view("text"), BarView)
    assert isinstance(create_view("json"), JsonView)


def test_a_pipe_gets_a_line_every_few_seconds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("mien.cli.progress.time.monotonic", lambda: now)
    view = PlainView()
    for n, now in ((1, 101.0), (2, 105.0), (3, 107.0), (4, 111.0)):  # noqa: B007 - read by the clock
        view.progress(frame(n))
    assert capsys.readouterr().err.splitlines() == [
        "1 of 2: clip.mp4: 2 of 100 frames",
        "1 of 2: clip.mp4: 4 of 100 frames",
    ]


def test_quiet_says_only_what_went_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    view = create_view("quiet")
    view.progress(frame(5))
    for event in ("input", "table", "note", "seen", "warning", "failure", "error"):
        view.say(event, event)
    assert capsys.readouterr().err.split() == ["warning", "failure", "error"]


def test_json_progress_comes_once_a_second(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("mien.cli.progress.time.monotonic", lambda: now)
    view = JsonView()
    for n, now in ((1, 100.0), (2, 100.5), (3, 101.0), (4, 101.9)):  # noqa: B007 - read by the clock
        view.progress(frame(n))
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["n_frames"] for line in lines] == [1, 3]


def test_many_remarks_are_counted_and_repeated_ones_said_once() -> None:
    said = []

    class Listener(JsonView):
        def say(self, event: str, message: str, **_: object) -> None:
            said.append((event, message))

    record = InputRecord(
        path="clip.mp4",
        kind="video",
        sha256=None,
        size_bytes=None,
        n_frames_decoded=90,
        n_frames_lost=1,
        n_rows=95,
        n_faces=95,
        messages=("same", "same", "two", "three", "four", "five"),
    )
    reporter(Listener())(record)
    assert said == [
        ("input", "clip.mp4: 95 faces in 90 frames (1 frame lost), 95 rows"),
        ("warning", "warning: clip.mp4: same"),
        ("warning", "warning: clip.mp4: two"),
        ("warning", "warning: clip.mp4: three"),
        ("warning", "warning: clip.mp4: 2 more remarks in the manifest"),
    ]


def test_names_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "clip\x1b[2J\r.mp4"
    with create_view("text") as view:
        view.say("failure", f"failed: {hostile}", path=hostile)
    console = Console(file=io.StringIO(), force_terminal=True)
    with BarView(console) as bars:
        bars.progress(frame(5, source=hostile))
        bars.say("failure", f"failed: {hostile}", path=hostile)
    shown = capsys.readouterr().err + console.file.getvalue()
    assert "\x1b[2J" not in shown
    assert shown.count("clip\\x1b[2J\\r.mp4") >= 2

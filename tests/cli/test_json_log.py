# SPDX-License-Identifier: Apache-2.0
"""With ``--log json``, each line on standard error is a JSON object, whoever writes it."""

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mien.cli.json_log import JsonLog, wants_json, write_event


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["analyze", "--log", "json"], True),
        (["features", "--log=json", "a"], True),
        (["analyze", "--log", "text", "json"], False),
        (["analyze", "--", "--log", "json"], False),
        ([], False),
    ],
)
def test_the_option_is_found_before_the_command_is_parsed(arguments: list[str], wanted: bool) -> None:
    assert wants_json(arguments) is wanted


def test_whatever_is_written_becomes_an_event(capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(), JsonLog():
        warnings.simplefilter("default")
        os.write(2, b"[ WARN:0@0.1] past Python \xff\x1b[2J\n\npart ")
        os.write(2, b"of a line\n")
        print("by Python: é", file=sys.stderr)
        warnings.warn("by a warning", UserWarning, stacklevel=1)
        subprocess.run([sys.executable, "-c", "import os; os.write(2, b'by a worker')"], check=True)
        write_event("input", {"path": "caf\udce9.mp4"})
    found = events(capfd.readouterr().err)
    messages = [each["message"] for each in found if each["event"] == "library"]
    assert sorted(messages) == [
        "UserWarning: by a warning",
        "[ WARN:0@0.1] past Python \N{REPLACEMENT CHARACTER}\x1b[2J",
        "by Python: é",
        "by a worker",
        "part of a line",
    ]
    assert {"event": "input", "path": "caf\udce9.mp4"} in found


def test_standard_error_is_as_before_afterwards(capfd: pytest.CaptureFixture[str]) -> None:
    before, shown = sys.stderr, warnings.showwarning
    unused = os.dup(2)  # the lowest number that is free
    os.close(unused)
    with JsonLog():
        assert sys.stderr is not before
    assert (sys.stderr, warnings.showwarning) == (before, shown)
    after = os.dup(2)
    os.close(after)
    assert after == unused, "no descriptor stays open"
    os.write(2, b"plain\n")
    assert capfd.readouterr().err == "plain\n"


def test_much_output_at_once_does_not_block(capfd: pytest.CaptureFixture[str]) -> None:
    with JsonLog():
        for _ in range(3000):
            os.write(2, b"x" * 999 + b"\n")
    assert len(events(capfd.readouterr().err)) == 3000


def test_a_process_that_inherited_the_pipe_does_not_hold_up_the_end() -> None:
    script = (
        "import subprocess, sys\nfrom mien.cli.json_log import JsonLog\n"
        "with JsonLog():\n  child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)\n"
        "print('ended', flush=True)\nchild.kill()\nchild.wait()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == ("ended\n", "")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["analyze", "--log", "json"], 2),
        (["analyze", "missing.mp4", "--out", "t.csv", "--log", "json", "--no-such\x1b[2J"], 2),
        (["analyze", "missing.mp4", "--out", "t.csv", "--log=json"], 3),
        (["features", "missing.mp4", "--out", "shards", "--log", "json", "--threads", "many"], 2),
    ],
)
def test_mistakes_are_events_too(
    mien: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = mien(*arguments)
    line, *listed = events(ended.err)
    assert [event["event"] for event in listed] == (["failures"] if code == 3 else [])
    assert ended.code == code
    assert line["event"] == ("failure" if code == 3 else "error")
    assert line.get("exit_code", code) == code


def test_what_libraries_write_during_a_run_is_wrapped_and_so_is_a_bug(
    mien: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def noisy(*_: object, **__: object) -> None:
        os.write(2, b"Corrupt JPEG data: premature end of data segment\n")
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("mien.pipeline.analyze", noisy)
    ended = mien("analyze", "a.jpg", "--out", tmp_path / "t.csv", "--log", "json")
    library, crash = sorted(events(ended.err), key=lambda each: each["event"], reverse=True)
    assert library == {"event": "library", "message": "Corrupt JPEG data: premature end of data segment"}
    assert (ended.code, crash["event"], crash["message"].splitlines()[-1]) == (1, "crash", "ZeroDivisionError: a bug")


def test_control_characters_never_reach_the_terminal(mien: Callable[..., Any], tmp_path: Path) -> None:
    bad = "\x1b]0;title\x07\x1b[2J\r.mp4"
    for arguments in (
        [bad],
        ["analyze", bad, "--out", tmp_path / "t.csv"],
        ["analyze", "a.jpg", f"--{bad}"],
        ["analyze", "a.jpg", "--out", tmp_path / "t.csv", "--threads", bad],
        ["summarize", tmp_path / bad],
        ["models", "show", bad],
        ["data", "check", bad, tmp_path],
        ["live", bad],
        ["evaluate", bad, "--data", tmp_path],
    ):
        ended = mien(*arguments)
        shown = (ended.out + ended.err).replace("\n", "")
        assert ended.code in (2, 3, 4), arguments
        assert shown, arguments
        assert shown.isprintable(), arguments

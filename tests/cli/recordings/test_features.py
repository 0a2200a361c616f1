# SPDX-License-Identifier: Apache-2.0
"""``mien features`` as the shell sees it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mien.core import install_command
from mien.results import open_features


def test_a_photo_and_a_second_run(mien: Any, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = mien("features", photo, "--out", out, "--threads", 1)
    assert first.code == 0
    assert first.err.splitlines() == [f"{photo}: 1 row from 1 frame", f"{out} holds 1 row, 1 of them new"]
    assert open_features(out).load().features.shape[0] == 1
    second = mien("features", photo, "--out", out, "--threads", 1)
    assert second.err.splitlines()[-1] == f"{out} holds 1 row, 0 of them new"


def test_some_and_all_failed(mien: Any, photo: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone.mp4"
    some = mien("features", gone, photo, "--out", tmp_path / "some", "--threads", 1)
    assert some.code == 1
    assert f"failed: {gone}: no such file or folder" in some.err
    assert mien("features", gone, "--out", tmp_path / "none", "--threads", 1).code == 3


def test_json_lines(mien: Any, photo: Path, tmp_path: Path) -> None:
    ended = mien("features", photo, "--out", tmp_path / "out", "--threads", 1, "--log", "json")
    events = [json.loads(line) for line in ended.err.splitlines()]
    assert [event["event"] for event in events] == ["progress", "input", "features"]
    assert (events[1]["source"], events[2]["n_rows_new"]) == (str(photo), 1)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--every", "0"], 2, "Invalid value for '--every'"),
        (["--crops", "--audio", "egemaps"], 2, "crops have no sound"),
        (["--min-quality", "0.5"], 2, "No such option"),
        (["--faces", "some"], 2, "faces must be all, largest"),
        (["--model", "nonsense"], 4, "nonsense: no bundle of that name"),
    ],
)
def test_wrong_usage(mien: Any, photo: Path, tmp_path: Path, options: list[str], code: int, message: str) -> None:
    ended = mien("features", photo, "--out", tmp_path / "out", *options)
    assert ended.code == code
    assert message in ended.err
    assert not (tmp_path / "out").exists()


def test_an_error_is_a_json_line_too(mien: Any, photo: Path, tmp_path: Path) -> None:
    ended = mien("features", photo, "--out", tmp_path / "out", "--model", "nonsense", "--log", "json")
    event = json.loads(ended.err)
    assert (ended.code, event["event"], event["exit_code"]) == (4, "error", 4)


def test_sound_without_the_extra(mien: Any, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opensmile", None)
    ended = mien("features", clip, "--out", tmp_path / "out", "--audio", "egemaps")
    assert ended.code == 5
    assert install_command("audio") in ended.err

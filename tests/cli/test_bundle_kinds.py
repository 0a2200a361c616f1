# SPDX-License-Identifier: Apache-2.0
"""A bundle of the wrong kind is refused by every command that takes one, before anything is written."""

from pathlib import Path
from typing import Any

import pytest

COMMANDS = {
    "analyze": ["--out", "t.csv"],
    "features": ["--out", "vectors"],
    "live": ["--out", "t.csv"],
    "bench": [],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("option", "name", "message"),
    [
        ("--model", "mien-points", "a bundle that predicts affect is needed; name mien-accurate or mien-light"),
        ("--landmark-model", "mien-light", "a bundle that predicts landmarks is needed; name mien-points"),
    ],
)
def test_a_bundle_of_the_wrong_kind_is_4_and_names_a_right_one(
    mien: Any, clip: Path, monkeypatch: pytest.MonkeyPatch, command: str, option: str, name: str, message: str
) -> None:
    monkeypatch.chdir(clip.parent)
    ended = mien(command, clip, *COMMANDS[command], option, name)
    assert ended.code == 4
    assert ended.err.startswith(f"mien: {name} predicts")
    assert message in ended.err
    assert list(clip.parent.iterdir()) == [clip]

# SPDX-License-Identifier: Apache-2.0
"""The command line inside this process, and the photo and clip of the pipeline's tests."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from mien.cli import main
from tests.pipeline.conftest import clip, encoded_clip, face, photo

__all__ = ["clip", "encoded_clip", "face", "photo"]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def mien(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """``mien("analyze", path, ...)``: what the command gives to the shell, without the lines of a slow machine."""
    monkeypatch.setattr("mien.cli.progress._SECONDS_BETWEEN_PLAIN_LINES", float("inf"))

    def run(*arguments: object) -> Ended:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        printed = capfd.readouterr()
        return Ended(int(ended.value.code or 0), printed.out, printed.err)

    return run

# SPDX-License-Identifier: Apache-2.0
"""``mien train``."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mien as package
from mien.core import install_command


@pytest.fixture
def unloaded_training() -> Iterator[None]:
    """`mien.training` as if it had never been imported; afterwards every module is as before."""
    importlib.import_module("mien.training")
    before = {name: sys.modules[name] for name in loaded()}
    for name in before:
        del sys.modules[name]
    yield
    for name in loaded():
        del sys.modules[name]
    sys.modules.update(before)
    package.training = before["mien.training"]


def loaded() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "mien" and name.split(".")[1:2] == ["training"]]


@pytest.mark.usefixtures("unloaded_training")
@pytest.mark.parametrize("missing", ["torch", "timm"])
def test_training_without_the_extra(mien, tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, missing, None)
    ended = mien("train", "light", "--data", tmp_path, "--out", tmp_path / "bundle")
    assert ended.code == 5
    assert ended.err.endswith(f"is not installed; run: {install_command('train')}\n")
    assert not (tmp_path / "bundle").exists()

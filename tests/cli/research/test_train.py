# SPDX-License-Identifier: Apache-2.0
"""``mien train``."""

import contextlib
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
    with contextlib.suppress(ImportError):
        importlib.import_module("scipy.stats")  # while it is imported, it takes a torch that is None for a module
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


def test_keys_of_a_recipe_are_set(mien, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
    given = []
    monkeypatch.setattr("mien.training.train", lambda recipe, *_, **__: given.append(recipe))
    at = ("--data", tmp_path, "--out", tmp_path / "bundle")
    changes = ("--set", "stages.*.epochs=1", "--set", "model.start='scratch'")
    assert mien("train", "mien-light", *at, *changes).code == 0
    assert {stage.epochs for stage in given[0].stages} == {1}
    assert given[0].model.start == "scratch"
    assert mien("train", "mien-light", *at).code == 0
    assert given[1] == "mien-light"


@pytest.mark.parametrize(
    ("recipe", "change", "message"),
    [
        ("mien-light", "stages.*.epochs", "write KEY=VALUE"),
        ("mien-light", "=1", "write KEY=VALUE"),
        ("mien-light", "model.start=scratch", "write KEY=VALUE with a value as in TOML"),
        ("mien-light", "seed=1\nname=2", "write KEY=VALUE"),
        ("mien-light", "stages.*.epoch=1", "unknown keys ['epoch']"),
        ("mien-light", "stages.*.epochs=0.5", "epochs must be int"),
        ("pls-geometry", "seed=2", "--set is for those of networks"),
    ],
)
def test_a_wrong_change_is_one_sentence(mien, tmp_path: Path, recipe: str, change: str, message: str) -> None:
    pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
    ended = mien("train", recipe, "--data", tmp_path, "--out", tmp_path / "bundle", "--set", change)
    assert ended.code == 2
    assert message in ended.err

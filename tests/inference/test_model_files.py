# SPDX-License-Identifier: Apache-2.0
"""Model files: whatever is no regular file is refused at once, also where reading it would wait for ever."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mien.core import ModelError
from mien.inference import find_bundle, is_model_file, load_bundle, load_head, read_model_file


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"abc")
    assert read_model_file(tmp_path / "model", 3) == b"abc"
    assert is_model_file(tmp_path / "model")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "model").open("wb") as file:
        file.truncate(5_000_000_000)  # takes no space on the disk
    with pytest.raises(ModelError, match=r"model: has 5000000000 bytes, and 2147483647 are the most"):
        read_model_file(tmp_path / "model")


def pipe(path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("pipes in the file system are a thing of POSIX")
    os.mkfifo(path)


def device(path: Path) -> None:
    if not Path("/dev/zero").exists():
        pytest.skip("this system has no /dev/zero")
    path.symlink_to("/dev/zero")


MAKE: dict[str, Callable[[Path], None]] = {
    "pipe": pipe,
    "device": device,
    "folder": Path.mkdir,
    "loop": lambda path: path.symlink_to(path.name),
}


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize("name", ["model.json", "model.onnx", "head.json", "head.onnx"])
def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path, kind: str, name: str) -> None:
    if name == "model.onnx":
        (tmp_path / "model.json").write_bytes((find_bundle("mien-light") / "model.json").read_bytes())
    MAKE[kind](tmp_path / name)
    assert not is_model_file(tmp_path / name)
    with pytest.raises(ModelError, match=r"not a regular file|cannot be read"):
        read_model_file(tmp_path / name)
    load = load_bundle if name.startswith("model") else load_head
    with pytest.raises(ModelError, match=r"not a regular file|cannot be read|no folder with model\.json"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "\udce9"])
def test_names_that_no_file_has(name: str) -> None:
    assert not is_model_file(Path(name))
    with pytest.raises(ModelError, match=r"cannot be read|no bundle of that name"):
        read_model_file(Path(name))
    with pytest.raises(ModelError, match="no bundle of that name"):
        load_bundle(name)
    with pytest.raises(ModelError, match="cannot be read"):
        load_head(name)

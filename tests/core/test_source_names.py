# SPDX-License-Identifier: Apache-2.0
"""Names of inputs that any table can hold lead back to their files."""

import os
import socket
from pathlib import Path

import pytest

from mien.core import distinct_names, open_regular, path_exists, read_regular, shortened_name, source_name, source_path


@pytest.mark.parametrize(
    "raw", [b"clip.mp4", "été 笑.mp4".encode(), b"caf\xe9.mp4", b"\xff\xfe.mp4", rb"back\slash.mp4"]
)
def test_there_and_back(raw: bytes) -> None:
    path = os.fsdecode(raw)
    name = source_name(path)
    assert name.encode("utf-8")
    assert str(source_path(name)) == path


@pytest.mark.skipif(os.name != "posix", reason="POSIX names are bytes")
def test_a_file_that_is_named_like_an_escape_comes_first(tmp_path: Path) -> None:
    named = tmp_path / "caf\\udce9.mp4"
    assert str(source_path(named)) == f"{tmp_path}/caf\udce9.mp4"
    named.touch()
    assert source_path(named) == named


def test_names_that_no_file_can_have() -> None:
    assert not path_exists("x" * 5000)
    assert not path_exists("a\0b")


@pytest.mark.parametrize("name", ["笑" * 77, "x" * 300, "é" * 127 + "x"])
def test_long_names_are_shortened_with_a_digest(name: str) -> None:
    short = shortened_name(name)
    assert 170 <= len(os.fsencode(short)) <= 180
    assert short != shortened_name(name + "x")
    assert short[:20] == name[:20]


def test_short_names_stay() -> None:
    assert shortened_name("笑" * 60) == "笑" * 60


def test_files_of_one_name_are_told_apart_by_their_folders() -> None:
    sources = ["x/a/clip.mp4", "x/b/clip.mp4", "y/b/clip.mp4", "z/talk.mp4", "C:\\p\\solo.mp4"]
    names = distinct_names(sources)
    assert names["x/a/clip.mp4"] == "a/clip.mp4"
    assert names["x/b/clip.mp4"] == "x/b/clip.mp4"
    assert names["y/b/clip.mp4"] == "y/b/clip.mp4"
    assert names["z/talk.mp4"] == "talk.mp4"
    assert names["C:\\p\\solo.mp4"] == "solo.mp4"
    assert distinct_names(["clip.mp4", "a/clip.mp4"]) == {"clip.mp4": "clip.mp4", "a/clip.mp4": "a/clip.mp4"}
    odd = distinct_names(["a//clip.mp4", "a/clip.mp4", "a\\clip.mp4"])
    assert len(set(odd.values())) == len(odd)


def test_a_file_and_a_link_to_it_are_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\r\ncontent\x1a")
    (tmp_path / "b").symlink_to("a")
    assert read_regular(tmp_path / "a") == read_regular(str(tmp_path / "b")) == b"\r\ncontent\x1a"
    with open_regular(tmp_path / "a") as file:
        file.seek(2)
        assert file.read(3) == b"con"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_has_no_end_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    listener = socket.socket(socket.AF_UNIX)
    with listener:
        monkeypatch.chdir(tmp_path)  # the path of a socket may not be long
        listener.bind("socket")
        for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path / "socket"):
            with pytest.raises(OSError, match=r"no regular file|No such device"):
                read_regular(path)


def test_errors_of_the_system_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "absent")
    with pytest.raises(IsADirectoryError):
        read_regular(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="symbolic links"):
        read_regular(tmp_path / "loop")

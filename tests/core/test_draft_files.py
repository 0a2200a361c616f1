# SPDX-License-Identifier: Apache-2.0
"""Drafts never touch a file of the user, and those of crashed processes are deleted by the next one."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mien.core import DraftFile, private_files

needs_posix = pytest.mark.skipif(os.name != "posix", reason="signals, links and modes of this kind are POSIX")

_CRASHING = """
import os, signal, sys
from pathlib import Path
from mien.core import DraftFile
draft = DraftFile(Path(sys.argv[1]))
draft.file.write(b"half a face")
draft.file.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


def write(path: Path, content: bytes = b"new") -> None:
    with DraftFile(path) as draft:
        draft.file.write(content)
        draft.publish()


def test_a_draft_takes_the_name_of_its_target(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"older")
    with DraftFile(path) as draft:
        draft.file.write(b"new")
        assert path.read_bytes() == b"older"
        assert draft.path.parent == tmp_path
        draft.publish()
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_deletes_the_draft_alone(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"older")

    def fail() -> None:
        with DraftFile(path) as draft:
            draft.file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


def test_files_of_the_user_with_names_of_temporary_files_stay(tmp_path: Path) -> None:
    mine = [tmp_path / name for name in ("t.csv.tmp", ".mien-notes.part.csv", ".t.1.part.csv", "t.csv.part")]
    for path in mine:
        path.write_bytes(b"mine")
    write(tmp_path / "t.csv")
    assert [path.read_bytes() for path in mine] == [b"mine"] * len(mine)


def test_a_name_of_255_bytes_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("笑" * 83 + "ab.csv")
    assert len(os.fsencode(path.name)) == 255
    write(path)
    assert path.read_bytes() == b"new"


@needs_posix
def test_links_are_replaced_and_not_followed(tmp_path: Path) -> None:
    other, link = tmp_path / "other", tmp_path / "t.csv"
    other.write_bytes(b"mine")
    link.symlink_to(other)
    write(link)
    assert other.read_bytes() == b"mine"
    assert not link.is_symlink()
    assert link.read_bytes() == b"new"


@needs_posix
def test_the_draft_of_a_crashed_process_is_deleted_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _CRASHING, str(tmp_path / "o.mp4")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob(".mien-*"))) == 1
    link = tmp_path / ".mien-0123456789abcdef.part"
    (tmp_path / "other").write_bytes(b"mine")
    link.symlink_to("other")
    with DraftFile(tmp_path / "t.csv") as alive:
        code = "import sys; from pathlib import Path; from mien.core import DraftFile; DraftFile(Path(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", code, str(tmp_path / "u.csv")], check=True)
        assert alive.path.exists()
    # The last process ended without publishing: its own draft is all that is left beside what is not mien's.
    assert len(list(tmp_path.glob(".mien-*.part.csv"))) == 1
    assert not list(tmp_path.glob(".mien-*.part.mp4"))
    assert (link.is_symlink(), (tmp_path / "other").read_bytes()) == (True, b"mine")


@needs_posix
def test_private_files_are_closed_to_others(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with private_files(private=True):
            write(tmp_path / "t.csv")
            (tmp_path / "folder").mkdir()
        with private_files(private=False):
            write(tmp_path / "u.csv")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        assert modes == {"t.csv": 0o600, "folder": 0o700, "u.csv": 0o644}
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)

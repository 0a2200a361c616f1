# SPDX-License-Identifier: Apache-2.0
"""Private temporary folders, also after a crash of the process that made one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mien.jobs.temporary_folders import delete_leftovers, temporary_folder

PREFIX = "mien-test-"
CRASHES = """
import sys, time
from mien.jobs.temporary_folders import temporary_folder
with temporary_folder("mien-test-", sys.argv[1]) as folder:
    (folder / "face.png").write_bytes(b"pixels")
    print(folder, flush=True)
    time.sleep(60)
"""


def make_old(folder: Path, seconds: float = 10.0) -> None:
    past = time.time() - seconds
    os.utime(folder, (past, past))


@pytest.mark.skipif(os.name != "posix", reason="Windows has no modes")
def test_other_users_cannot_open_the_folder_whatever_its_user_does_inside(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with temporary_folder(PREFIX, str(tmp_path)) as folder:
            assert folder.stat().st_mode & 0o777 == 0o700
            folder.chmod(0o777)  # as Ray does
            assert folder.parent.stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(before)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_deleted_after_an_error(tmp_path: Path) -> None:
    def fails() -> None:
        with temporary_folder(PREFIX, str(tmp_path)) as folder:
            (folder / "file").write_text("x")
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_the_next_run_deletes_the_folder_of_a_killed_process_and_no_other(tmp_path: Path) -> None:
    running = subprocess.Popen([sys.executable, "-c", CRASHES, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    try:
        left = Path(running.stdout.readline().strip())
        make_old(left.parent)
        make_old(left.parent / "lock")
        other = tmp_path / "mine"
        other.mkdir()
        make_old(other)
        delete_leftovers(PREFIX, parent=str(tmp_path))
        assert (left / "face.png").exists(), "its process lives"
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
        running.stdout.close()
    with temporary_folder(PREFIX, str(tmp_path)) as folder:
        assert not left.parent.exists()
        assert {path.name for path in tmp_path.iterdir()} == {"mine", folder.parent.name}


def test_folders_without_a_lock_are_deleted_once_they_are_old(tmp_path: Path) -> None:
    earlier, new, link = tmp_path / f"{PREFIX}a", tmp_path / f"{PREFIX}b", tmp_path / f"{PREFIX}c"
    users = tmp_path / "users"
    for folder in (earlier, new, users):
        folder.mkdir()
    (users / "file").write_text("keep")
    link.symlink_to(users)
    make_old(earlier, 7200)
    make_old(users, 7200)
    delete_leftovers(PREFIX, parent=str(tmp_path))
    assert (earlier.exists(), new.exists(), (users / "file").read_text()) == (False, True, "keep")


def test_a_parent_that_cannot_be_listed_is_no_error(tmp_path: Path) -> None:
    delete_leftovers(PREFIX, parent=str(tmp_path / "missing"))
    assert list(tmp_path.iterdir()) == []

# SPDX-License-Identifier: Apache-2.0
"""Files that exist in full or not at all, and locks."""

from pathlib import Path

import pytest

from mien.core import OutputError
from mien.results import atomic_write, locked_folder, output_errors
from mien.results.files import acquire_lock


def test_a_file_takes_its_name_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"older")
    with atomic_write(path) as file:
        file.write(b"newer")
        assert path.read_bytes() == b"older"
    assert path.read_bytes() == b"newer"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_the_older_file_stays(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"older")

    def write_half() -> None:
        with atomic_write(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


def test_errors_of_the_system_name_the_file(tmp_path: Path) -> None:
    place = tmp_path / "absent" / "x.csv"
    with (
        pytest.raises(OutputError, match=r"cannot write .*x\.csv: No such file or directory; make it"),
        output_errors(place, "make it"),
        atomic_write(place),
    ):
        pass
    with pytest.raises(ValueError, match="ours"), output_errors(place, "make it"):
        raise ValueError("ours")


def test_a_lock_is_held_until_its_file_is_closed(tmp_path: Path) -> None:
    lock = acquire_lock(tmp_path / "lock", tmp_path / "t.csv")
    with pytest.raises(OutputError, match=r"t\.csv is being written by another run"):
        acquire_lock(tmp_path / "lock", tmp_path / "t.csv")
    lock.close()
    acquire_lock(tmp_path / "lock", tmp_path / "t.csv").close()


def test_a_locked_folder_is_of_one_run(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    with locked_folder(folder):
        assert folder.is_dir()
        with pytest.raises(OutputError, match="is being written by another run"), locked_folder(folder):
            pass
    assert not folder.exists(), "it was created for nothing"
    with locked_folder(folder):
        (folder / "t.csv").touch()
    assert [path.name for path in folder.iterdir()] == ["t.csv"]

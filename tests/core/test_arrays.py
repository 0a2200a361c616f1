# SPDX-License-Identifier: Apache-2.0
"""Files of arrays: whatever is wrong with one is a ValueError."""

import io
import os
import random
from pathlib import Path

import numpy as np
import pytest

from mien.core import load_array, load_arrays


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.arange(60.0), b=np.array(["x", "y"]))
    return path


def test_arrays_come_back(tmp_path: Path, archive: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(6).reshape(2, 3))
    assert load_array(path).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert isinstance(load_array(path, mapped=True), np.memmap)
    assert load_array(io.BytesIO(path.read_bytes())).shape == (2, 3)
    assert list(load_arrays(archive)) == ["a", "b"]
    with pytest.raises(ValueError, match="an archive of arrays, not one array"):
        load_array(archive)
    with pytest.raises(ValueError, match="one array, not an archive"):
        load_arrays(path)
    with pytest.raises(FileNotFoundError):
        load_array(tmp_path / "missing.npy")


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_damaged_files_are_value_errors(archive: Path, version: tuple[int, int]) -> None:
    plain = io.BytesIO()
    np.lib.format.write_array(plain, np.arange(20.0), version=version)
    chance = random.Random(1)
    n_errors = 0
    for content, load in ((plain.getvalue(), load_array), (archive.read_bytes(), load_arrays)):
        for _ in range(400):
            data = bytearray(content)
            for _ in range(chance.randint(1, 4)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            try:
                load(io.BytesIO(data[: chance.choice((len(data), chance.randrange(len(data))))]))
            except ValueError:
                n_errors += 1
    assert n_errors > 300


def test_headers_that_pythons_tokenizer_refuses_are_value_errors() -> None:
    for header in (b"{'descr': '<f8', 'fortran_order': False, 'shape': (1L, \n", b"{'a': (\n", b"{'''\n"):
        with pytest.raises(ValueError, match=r"."):
            load_array(io.BytesIO(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(8)))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with a name")
def test_pipes_do_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npy")
    for load in (load_array, load_arrays):
        with pytest.raises(ValueError, match="a pipe or a device"):
            load(tmp_path / "pipe.npy")

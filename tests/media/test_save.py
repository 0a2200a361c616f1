# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from mien.core import OutputError
from mien.media import SAVE_SUFFIXES, decode_image, load_image, save_image


@pytest.mark.parametrize("suffix", sorted(SAVE_SUFFIXES))
def test_what_is_saved_reads_back(astronaut: npt.NDArray[np.uint8], tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"Gesicht ü 顔{suffix}"
    small = np.ascontiguousarray(astronaut[::4, ::4])
    save_image(path, small)
    error = np.abs(load_image(path).astype(int) - small)
    assert error.mean() < (8 if suffix in (".jpg", ".jpeg", ".webp") else 1e-9)
    np.testing.assert_array_equal(decode_image(path.read_bytes()), load_image(path))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(("name", "message"), [("a.xyz", "unknown kind"), ("none/a.png", "cannot be written")])
def test_places_that_cannot_be_written(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(OutputError, match=message):
        save_image(tmp_path / name, np.zeros((2, 2, 3), np.uint8))


def test_a_file_as_folder_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        save_image(tmp_path / "file" / "a.png", np.zeros((2, 2, 3), np.uint8))

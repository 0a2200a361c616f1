# SPDX-License-Identifier: Apache-2.0
"""A photo and a clip of a real face in a folder of their own."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.helpers.face_clips import close_up, write_clip, write_photo


@pytest.fixture(scope="session")
def face(astronaut: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(240, 240, 3) RGB with one smiling face."""
    return close_up(astronaut)


@pytest.fixture
def photo(tmp_path: Path, face: npt.NDArray[np.uint8]) -> Path:
    return write_photo(tmp_path / "media" / "photo.jpg", face)


@pytest.fixture(scope="session")
def encoded_clip(tmp_path_factory: pytest.TempPathFactory, face: npt.NDArray[np.uint8]) -> bytes:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", face).read_bytes()


@pytest.fixture
def clip(tmp_path: Path, encoded_clip: bytes) -> Path:
    path = tmp_path / "media" / "clip.mp4"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encoded_clip)
    return path

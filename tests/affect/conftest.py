# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of `mien.affect`: an analyzer, a real face, a clip of it, and OpenCV on three threads."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mien.affect import Analyzer
from tests.helpers.face_clips import close_up, write_clip

Image = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(threads=1)


@pytest.fixture(scope="module")
def face(astronaut: Image) -> Image:
    """(240, 240, 3) RGB with one smiling face."""
    return close_up(astronaut)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, face: Image) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", face)


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    yield
    cv2.setNumThreads(before)

# SPDX-License-Identifier: Apache-2.0
"""Fixtures that every test may use: real faces where they are at hand, honest skips where they are not."""

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photos and clips that is not part of the repository."""
    folder = Path(os.environ.get("MIEN_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs real photos and clips: {folder} is absent; set MIEN_DATA to the data folder")
    return folder


@pytest.fixture(scope="session")
def astronaut() -> npt.NDArray[np.uint8]:
    """A (512, 512, 3) RGB portrait with one smiling face, public domain, from scikit-image."""
    from skimage import data

    image = data.astronaut()
    image.flags.writeable = False
    return image

# SPDX-License-Identifier: Apache-2.0
"""Folders of crops of one face."""

from pathlib import Path

import numpy as np
import pytest

from mien.media import save_image


@pytest.fixture(scope="session")
def crops(tmp_path_factory: pytest.TempPathFactory, face: np.ndarray) -> Path:
    """Three tracks with gaps, one crop of another size, one cut off."""
    folder = tmp_path_factory.mktemp("crops")
    for track, numbers in (("a", range(1, 9)), ("a_left", (2, 5, 90)), ("b", range(1, 7))):
        (folder / track).mkdir()
        for number in numbers:
            save_image(folder / track / f"{number:05d}.jpg", np.roll(face, 3 * number, axis=1)[::2, ::2])
    (folder / "b" / "00004.jpg").write_bytes((folder / "b" / "00004.jpg").read_bytes()[:500])
    return folder

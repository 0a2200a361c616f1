# SPDX-License-Identifier: Apache-2.0
"""Windows show a part of a canvas, and their faces are those of that part."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.core import ConfigError
from mien.training.data.canvases.face_targets import FACE_COLUMNS
from mien.training.data.canvases.windows import WindowSampler, clean_window
from mien.training.recipes.settings import AugmentationSettings

PLAIN = AugmentationSettings()


def test_a_window_and_its_faces() -> None:
    canvas = np.arange(64, dtype=np.uint8)[None] + np.zeros((64, 1), np.uint8)
    faces = np.full((2, FACE_COLUMNS), np.nan, np.float32)
    faces[0] = [20, 20, 40, 40, 20, 20, 40, 40, *[25, 25, 35, 25, 30, 30, 26, 35, 34, 35], 0, 1, 1]
    for seed in range(8):
        window, place = WindowSampler(PLAIN, 48, np.random.default_rng(seed))(canvas)
        row = place.placed(faces.ravel()).reshape(2, FACE_COLUMNS)[0]
        left = window[0, int(row[0])]  # the canvas's columns are their own values
        assert int(left) in ((20, 39) if place.mirrored else (20,))
        assert window.shape == (48, 48)
    assert clean_window(canvas, 32)[0, 0] == 16


def test_a_canvas_that_is_too_small_is_refused() -> None:
    with pytest.raises(ConfigError, match="64 px does not fit on a canvas of 32 x 32"):
        WindowSampler(PLAIN, 64, np.random.default_rng(0))(np.zeros((32, 32), np.uint8))

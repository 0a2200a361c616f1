# SPDX-License-Identifier: Apache-2.0
"""Canvases are drawn once, and kept with their faces."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.training import load_recipe
from mien.training.data.canvases import canvas_source
from mien.training.data.canvases.canvas import ScenePicture
from mien.training.data.canvases.canvas_source import load_canvases
from mien.training.data.canvases.face_targets import FACE_COLUMNS, MAX_FACES, FacePatch
from mien.training.recipes.settings import SourceSettings

FIVE = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]], np.float32)


def test_canvases_are_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    n_loaded = 0

    def photos(_: Path) -> tuple[list[FacePatch], list[ScenePicture]]:
        nonlocal n_loaded
        n_loaded += 1
        empty = np.empty((0, 4), np.float32)
        scene = ScenePicture(np.full((90, 140), 30, np.uint8), empty, np.empty((0, 5, 2), np.float32), empty[:, 0])
        return [FacePatch(np.full((100, 100), 90, np.uint8), np.array([20, 10, 80, 90], np.float32), FIVE)], [scene]

    monkeypatch.setattr(canvas_source, "load_photos", photos)
    recipe = load_recipe("mien-faces")
    first, again = (load_canvases(SourceSettings(name="canvases", rows=7), tmp_path, recipe) for _ in range(2))
    assert n_loaded == 1
    assert len(first) == 7
    assert first.inputs[6].shape == (288, 288)
    assert first.targets["faces"].shape == (7, MAX_FACES * FACE_COLUMNS)
    np.testing.assert_array_equal(first.targets["faces"], again.targets["faces"])
    np.testing.assert_array_equal(first.inputs[3], again.inputs[3])
    load_canvases(SourceSettings(name="canvases", rows=8), tmp_path, recipe)
    assert n_loaded == 2

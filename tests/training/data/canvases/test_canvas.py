# SPDX-License-Identifier: Apache-2.0
"""Canvases are drawn alike from a seed, and each face is where its row says."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.training.data.canvases.canvas import CanvasPainter, ScenePicture
from mien.training.data.canvases.face_targets import BOX, FACE_COLUMNS, MAX_FACES, VISIBLE, WEIGHT, FacePatch

FIVE = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]], np.float32)


def painter(seed: int = 1) -> CanvasPainter:
    image = np.full((100, 100), 60, np.uint8)
    image[10:90, 20:80] = 250
    patch = FacePatch(image, np.array([20, 10, 80, 90], np.float32), FIVE)
    empty = np.empty((0, 4), np.float32)
    plain = ScenePicture(np.full((90, 140), 30, np.uint8), empty, np.empty((0, 5, 2), np.float32), empty[:, 0])
    face = np.array([[50, 20, 80, 60]], np.float32)
    with_face = ScenePicture(plain.image, face, FIVE[None] * 0.3 + (50, 15), np.array([0], np.float32))
    return CanvasPainter([patch], [patch], [plain, with_face], 128, seed)


def test_the_same_number_is_the_same_canvas() -> None:
    one, two, other = painter()(5), painter()(5), painter(2)(5)
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert not np.array_equal(one[0], other[0])


def test_rows_are_whole_or_unknown() -> None:
    drawn = [painter()(number) for number in range(80)]
    n_faces = []
    for canvas, rows in drawn:
        assert canvas.shape == (128, 128)
        assert canvas.dtype == np.uint8
        assert rows.shape == (MAX_FACES, FACE_COLUMNS)
        known = ~np.isnan(rows[:, 0])
        assert np.isfinite(rows[known]).all()
        assert np.isnan(rows[~known]).all()
        assert (rows[known, 2] > rows[known, 0]).all()
        assert set(rows[known, WEIGHT]) <= {0, 1}
        n_faces.append(int(known.sum()))
    assert min(n_faces) == 0
    assert max(n_faces) > 10


def test_faces_are_where_rows_say() -> None:
    """The face of the patch is white: where nothing covers it and the light changes little, it is the brightest."""
    hits = total = 0
    for number in range(120):
        canvas, rows = painter()(number)
        known = rows[~np.isnan(rows[:, 0]) & (rows[:, WEIGHT] == 1)]
        for row in known:
            x0, y0, x1, y1 = np.clip(row[VISIBLE], 0, 128)
            if (x1 - x0) * (y1 - y0) < 400 or (row[BOX] != row[VISIBLE]).any():
                continue
            x, y = int((x0 + x1) / 2), int((y0 + y1) / 2)
            middle = canvas[y - 2 : y + 2, x - 2 : x + 2]
            total += 1
            hits += int(middle.mean() > np.median(canvas))
    assert total > 50
    assert hits > 0.7 * total

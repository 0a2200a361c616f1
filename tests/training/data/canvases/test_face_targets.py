# SPDX-License-Identifier: Apache-2.0
"""Faces move with the picture: turned, cut, mirrored."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.training.data.canvases.face_targets import (
    BOX,
    FACE_COLUMNS,
    KEYPOINTS,
    ROLL,
    VISIBLE,
    WEIGHT,
    FacePatch,
    face_row,
    window_rows,
)

FIVE = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]], np.float32)
PATCH = FacePatch(np.zeros((100, 100), np.uint8), np.array([20, 10, 80, 90], np.float32), FIVE)


def turned(angle: float, scale: float = 1.0) -> np.ndarray:
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cosine, -sine, 0], [sine, cosine, 0]])


def test_an_upright_face() -> None:
    row = face_row(PATCH, turned(0, 2.0))
    np.testing.assert_allclose(row[BOX], [40, 20, 160, 180])
    np.testing.assert_allclose(row[VISIBLE], row[BOX])
    np.testing.assert_allclose(row[KEYPOINTS].reshape(5, 2), 2 * FIVE)
    np.testing.assert_allclose(row[ROLL], [0, 1], atol=1e-9)
    assert row[WEIGHT] == 1


@pytest.mark.parametrize("angle", [0.5, -1.0, np.pi / 2, 3.0])
def test_a_turned_face_has_its_roll_and_the_box_of_an_ellipse(angle: float) -> None:
    """A positive turn moves the crown, which is up, to the image's right."""
    row = face_row(PATCH, turned(angle))
    np.testing.assert_allclose(np.arctan2(*row[ROLL]), angle, atol=1e-9)
    around = np.linspace(0, 2 * np.pi, 2001)
    ellipse = np.stack([50 + 30 * np.cos(around), 50 + 40 * np.sin(around)], axis=1) @ turned(angle)[:, :2].T
    expected = np.concatenate([ellipse.min(axis=0), ellipse.max(axis=0)])
    np.testing.assert_allclose(row[BOX], expected, atol=1e-3)
    crown = np.array([50, 10]) @ turned(angle)[:, :2].T - np.array([50, 50]) @ turned(angle)[:, :2].T
    assert np.sign(crown[0]) == np.sign(np.sin(angle))


def rows_of(*faces: np.ndarray) -> np.ndarray:
    rows = np.full((4, FACE_COLUMNS), np.nan, np.float32)
    rows[: len(faces)] = faces
    return rows


def test_a_window_moves_and_mirrors_faces() -> None:
    row = face_row(PATCH, turned(0.3))
    plain = window_rows(rows_of(row), (10, 5), 120, mirrored=False)
    np.testing.assert_allclose(plain[0, BOX], row[BOX] - [10, 5, 10, 5], atol=1e-4)
    mirrored = window_rows(rows_of(row), (10, 5), 120, mirrored=True)
    np.testing.assert_allclose(mirrored[0, 0], 120 - plain[0, 2], atol=1e-4)
    assert mirrored[0, 0] < mirrored[0, 2]
    left, right = mirrored[0, KEYPOINTS].reshape(5, 2)[:2]
    np.testing.assert_allclose(left, [120 - plain[0, 10], plain[0, 11]], atol=1e-4)
    assert left[0] < right[0]
    np.testing.assert_allclose(mirrored[0, ROLL], plain[0, ROLL] * [-1, 1], atol=1e-6)
    assert np.isnan(mirrored[1:]).all()


def test_faces_that_a_window_hides_do_not_count() -> None:
    row = face_row(PATCH, turned(0))
    half = window_rows(rows_of(row), (50, 0), 100, mirrored=False)
    assert half[0, WEIGHT] == 1
    np.testing.assert_allclose(half[0, VISIBLE], [0, 10, 30, 90])
    assert window_rows(rows_of(row), (70, 0), 100, mirrored=False)[0, WEIGHT] == 0
    assert np.isnan(window_rows(rows_of(row), (90, 0), 100, mirrored=False)).all()
    tiny = face_row(PATCH, turned(0, 0.1))
    assert window_rows(rows_of(tiny), (0, 0), 100, mirrored=False)[0, WEIGHT] == 0


def test_a_face_of_which_only_flat_skin_shows_does_not_count() -> None:
    row = np.full((1, FACE_COLUMNS), np.nan, np.float32)
    row[0] = [0, 0, 400, 400, 0, 0, 400, 400, *[120, 150, 280, 150, 200, 220, 140, 300, 260, 300], 0, 1, 1]
    assert window_rows(row, (0, 0), 340, mirrored=False)[0, WEIGHT] == 1
    forehead = window_rows(np.concatenate([row]), (0, -200), 340, mirrored=False)
    assert (forehead[0, 7] - forehead[0, 5]) / 400 > 0.33  # the share that shows would do
    assert forehead[0, WEIGHT] == 0

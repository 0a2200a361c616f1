# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.core import ConfigError
from mien.faces import align_faces, keypoints_of, resize_face, similarity_transform, to_colour

TEMPLATE = ((0.32, 0.385), (0.68, 0.385), (0.5, 0.578), (0.352, 0.768), (0.648, 0.768))
POINTS = np.array(TEMPLATE)


@given(st.floats(-3, 3), st.floats(0.1, 10), st.floats(-500, 500), st.floats(-500, 500))
def test_similarity_is_recovered_exactly(angle: float, scale: float, dx: float, dy: float) -> None:
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = similarity_transform(POINTS, POINTS @ turn.T + (dx, dy))
    np.testing.assert_allclose(matrix[:, :2], turn, atol=1e-9)
    np.testing.assert_allclose(matrix[:, 2], (dx, dy), atol=1e-8)


def test_similarity_is_the_least_squares_solution() -> None:
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(2, 5, 2))
    # The same problem as a linear system in (a, b, dx, dy), solved by NumPy.
    rows = [([x, -y, 1, 0], [y, x, 0, 1]) for x, y in source]
    a, b, dx, dy = np.linalg.lstsq(np.reshape(rows, (10, 4)), target.ravel(), rcond=None)[0]
    np.testing.assert_allclose(similarity_transform(source, target), [[a, -b, dx], [b, a, dy]], atol=1e-12)


def test_batches_equal_single_faces() -> None:
    batch = np.random.default_rng(1).normal(size=(3, 5, 2))
    together = similarity_transform(batch, POINTS)
    for one, matrix in zip(batch, together, strict=True):
        np.testing.assert_array_equal(similarity_transform(one, POINTS), matrix)


def dotted(size: int, points: npt.NDArray[np.floating], radius: int) -> npt.NDArray[np.uint8]:
    image = np.zeros((size, size, 3), np.uint8)
    for x, y in points:
        cv2.circle(image, (round(x), round(y)), radius, (255, 255, 255), -1)
    return image


@pytest.mark.parametrize(("side", "radius"), [(60, 1), (300, 6), (1500, 30)])
def test_points_land_on_the_template_at_every_scale(side: int, radius: int) -> None:
    """Also where the crop is a tenth of the face: no shift by half a source pixel."""
    points = POINTS * side + 40
    crop = align_faces(dotted(side + 80, points, radius), points[None], TEMPLATE, 112)[0, ..., 0]
    for x, y in POINTS * 112 - 0.5:
        around = crop[round(y) - 6 : round(y) + 7, round(x) - 6 : round(x) + 7].astype(float)
        offset = np.arange(-6, 7)
        found = (around.sum(axis=0) @ offset / around.sum(), around.sum(axis=1) @ offset / around.sum())
        assert (
            np.abs(np.array(found) + np.round((x, y)) - (x, y)).max() < 0.1 + 0.5 * 112 / side
        )  # dots sit on whole pixels


def test_shrinking_does_not_alias() -> None:
    """A fine checkerboard becomes its mean, not a moire pattern."""
    board = np.indices((2000, 2000)).sum(axis=0) % 2 * 255
    image = np.repeat(board[..., None], 3, axis=2).astype(np.uint8)
    crop = align_faces(image, (POINTS * 1600 + 200)[None], TEMPLATE, 112)[0]
    assert np.abs(crop.astype(float) - 127.5).max() < 12


def test_a_face_beyond_the_border_repeats_it() -> None:
    image = np.full((50, 50, 3), 200, np.uint8)
    crop = align_faces(image, (POINTS * 400 - 170)[None], TEMPLATE, 32)[0]
    assert (crop == 200).all()


def test_no_face_is_an_empty_stack() -> None:
    crops = align_faces(np.zeros((5, 5, 3), np.uint8), np.empty((0, 5, 2)), TEMPLATE, 16)
    assert crops.shape == (0, 16, 16, 3)
    assert to_colour(crops, "gray").shape == (0, 16, 16)


def test_coinciding_points_do_not_crash() -> None:
    crop = align_faces(np.zeros((20, 20, 3), np.uint8), np.full((1, 5, 2), 7.0), TEMPLATE, 16)
    assert crop.shape == (1, 16, 16, 3)


def test_colours() -> None:
    red = np.zeros((2, 4, 4, 3), np.uint8)
    red[..., 0] = 255
    assert (to_colour(red, "gray") == 76).all()  # .299 of 255
    assert (to_colour(red, "bgr")[..., 2] == 255).all()
    assert to_colour(red, "rgb") is red
    with pytest.raises(ConfigError, match="colour"):
        to_colour(red, "hsv")


def test_five_points_of_68() -> None:
    landmarks = np.zeros((1, 68, 2))
    landmarks[0, 36:42], landmarks[0, 42:48], landmarks[0, 30] = (1, 2), (3, 4), (5, 6)
    landmarks[0, 48], landmarks[0, 54] = (7, 8), (9, 10)
    assert keypoints_of(landmarks)[0].tolist() == [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]]


@pytest.mark.parametrize("shape", [(48, 48), (100, 80, 3), (7, 300, 3), (1, 1)])
def test_crops_of_any_size(shape: tuple[int, ...]) -> None:
    assert resize_face(np.full(shape, 9, np.uint8), 112).shape == (112, 112, *shape[2:])


def test_a_crop_must_be_an_image() -> None:
    with pytest.raises(ConfigError, match="2 or 3 dimensions"):
        resize_face(np.zeros(5, np.uint8), 112)


def test_bilinear_shrinking_is_opencvs() -> None:
    face = np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    theirs = cv2.resize(face, (32, 32))
    np.testing.assert_array_equal(resize_face(face, 32, "bilinear"), theirs)
    assert (resize_face(face, 32) != theirs).any()


def test_pitfall_26_there_is_one_way_to_resize_a_crop() -> None:
    image = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    # Shrinking averages areas (as an antialias filter does); plain bilinear would give other pixels, so other features.
    averaged = image.reshape(24, 4, 24, 4, 3).mean(axis=(1, 3))
    bilinear = cv2.resize(image, (24, 24), interpolation=cv2.INTER_LINEAR)
    assert np.abs(resize_face(image, 24) - averaged).max() <= 0.5
    assert np.abs(bilinear - averaged).max() > 20

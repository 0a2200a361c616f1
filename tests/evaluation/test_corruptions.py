# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mien.evaluation.corruptions import DEGRADATIONS, degrade

Image = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def marked() -> Image:
    """A dark picture with one bright spot at (60, 40)."""
    picture = np.full((100, 100, 3), 40, np.uint8)
    cv2.circle(picture, (60, 40), 4, (250, 250, 250), -1)
    return picture


@pytest.mark.parametrize("name", ["tilted", "small", "cut off"])
def test_the_matrix_says_where_a_place_has_gone(marked: Image, name: str) -> None:
    n_seen = 0
    for seed in range(20):
        worse, matrix = DEGRADATIONS[name](marked, np.random.default_rng(seed))
        x, y = matrix[:, :2] @ (60, 40) + matrix[:, 2]
        if not (0 <= x < worse.shape[1] - 1 and 0 <= y < worse.shape[0] - 1):
            continue
        n_seen += 1
        brightest = np.argwhere(worse[..., 0] >= worse[..., 0].max() - 2).mean(axis=0)
        np.testing.assert_allclose(brightest, (y, x), atol=1.6)
    assert n_seen > 5


@pytest.mark.parametrize("name", list(DEGRADATIONS))
def test_each_way_changes_the_picture_and_leaves_the_original(marked: Image, name: str) -> None:
    before = marked.copy()
    worse, _ = DEGRADATIONS[name](marked, np.random.default_rng(1))
    np.testing.assert_array_equal(marked, before)
    assert worse.dtype == np.uint8
    assert worse.shape != marked.shape or (worse != marked).any()


def test_every_way_and_none_come_up_with_room_around_the_face(marked: Image) -> None:
    rng = np.random.default_rng(0)
    kinds = set()
    for _ in range(200):
        worse, matrix, kind = degrade(marked, rng)
        kinds.update(kind.split("+"))
        if kind == "none":
            np.testing.assert_array_equal(worse[50:150, 50:150], marked)
            np.testing.assert_array_equal(matrix, [[1, 0, 50], [0, 1, 50]])
    assert kinds == {"none", *DEGRADATIONS}


def test_the_same_seed_does_the_same(marked: Image) -> None:
    one, other = (degrade(marked, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one[0], other[0])
    assert one[2] == other[2]

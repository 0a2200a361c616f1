# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mien.evaluation.hiding import HIDING, UNHIDDEN, blur, hidden_copy, mosaic

Image = npt.NDArray[np.uint8]
KEYPOINTS = np.array([[204, 110], [242, 112], [224, 138], [204, 153], [240, 155]], np.float64)
FACE_PX = 2 * 45
PLACE = np.s_[95:170, 190:255]


def detail(image: Image) -> float:
    """Deviation of the Laplacian about the face."""
    return float(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_64F)[PLACE].std())


@pytest.mark.parametrize("way", [*HIDING, *UNHIDDEN])
def test_every_way_repeats_and_leaves_the_original(astronaut: Image, way: str) -> None:
    before = astronaut.copy()
    one, matrix, seen = hidden_copy(astronaut, KEYPOINTS, way, np.random.default_rng(7))
    other, _, again = hidden_copy(astronaut, KEYPOINTS, way, np.random.default_rng(7))
    np.testing.assert_array_equal(astronaut, before)
    np.testing.assert_array_equal(one, other)
    assert one.dtype == np.uint8
    assert np.isnan(seen) == (way in UNHIDDEN)
    assert np.isnan(seen) or seen == again
    height, width = one.shape[:2]
    moved = KEYPOINTS @ matrix[:, :2].T + matrix[:, 2]
    assert ((moved > -1) & (moved < (width, height))).all()
    assert (way == "plain") == (one.shape == astronaut.shape and bool((one == astronaut).all()))


def test_a_small_face_is_small_in_its_image(astronaut: Image) -> None:
    for seed in range(8):
        _, matrix, _ = hidden_copy(astronaut, KEYPOINTS, "small", np.random.default_rng(seed))
        moved = KEYPOINTS @ matrix[:, :2].T
        assert 13.9 < 2 * np.ptp(moved, axis=0).max() < 48.1


@pytest.mark.parametrize("seed", range(6))
def test_blocks_have_one_tone_and_their_number_is_told(astronaut: Image, seed: int) -> None:
    blocks = 6
    hidden = mosaic(astronaut, KEYPOINTS, np.random.default_rng(seed), blocks=blocks)
    assert hidden.seen == pytest.approx(np.log(blocks))
    row = hidden.image[130, 195:250].astype(int)
    changes = (np.abs(np.diff(row, axis=0)).max(axis=1) > 0).sum()
    assert changes <= 55 / (FACE_PX / blocks) + 1


def test_more_blur_leaves_less_detail(astronaut: Image) -> None:
    left = [detail(blur(astronaut, KEYPOINTS, np.random.default_rng(3), deviation=d).image) for d in (0.01, 0.03, 0.1)]
    assert detail(astronaut) > left[0] > left[1] > left[2]


@pytest.mark.parametrize("way", ["mask", "hand", "sunglasses", "bar"])
def test_a_cover_tells_what_it_leaves(astronaut: Image, way: str) -> None:
    shares = [hidden_copy(astronaut, KEYPOINTS, way, np.random.default_rng(seed))[2] for seed in range(6)]
    assert 0.2 < min(shares) < max(shares) < 0.98

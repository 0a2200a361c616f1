# SPDX-License-Identifier: Apache-2.0
"""The detector of mien: from cells to faces, at every size of picture, once for each face."""

from dataclasses import replace

import numpy as np
import pytest

from mien.core import FACE_GRID, ConfigError, Image, InputError, ModelError
from mien.faces import Detections, FaceDetector, create_detector
from mien.faces.boxes import iou
from mien.faces.detector import GrayDetector, ProposingDetector, SecondLookDetector, faces_at
from mien.faces.grid_detector import GridDetector, create_mien_faces, decode_cells, distinct_faces
from tests.helpers.grid_bundles import bright_squares, cells_with, grid_bundle


def detector(max_side_px: int = 640, *, finer: bool | None = None) -> GridDetector:
    """Sees white squares of 10 to 300 px on its input as faces."""

    def see(image: Image) -> np.ndarray:
        faces = [face for face in bright_squares(image) if 10 <= face[2] <= 300]
        return cells_with((image.shape[0], image.shape[1]), faces)

    return GridDetector(grid_bundle(see), max_side_px=max_side_px, finer=finer)


def squares(shape: tuple[int, int], boxes: list[tuple[int, int, int]]) -> Image:
    """Gray pixels with white squares: left, top and side."""
    image = np.full((*shape, 3), 90, np.uint8)
    for x, y, side in boxes:
        image[y : y + side, x : x + side] = 255
    return image


def found_all(found: Detections, boxes: list[tuple[int, int, int]], least: float = 0.7) -> None:
    true = np.array([[x, y, x + side, y + side] for x, y, side in boxes], np.float32).reshape(-1, 4)
    assert len(found) == len(true)
    assert (iou(true, found.boxes).max(axis=1, initial=0) >= least).all()


def test_cells_become_boxes_keypoints_confidence_and_roll() -> None:
    cells = cells_with((64, 96), [(40.0, 30.0, 20.0)], logit=2.0, roll=0.5)
    found = decode_cells(cells, FACE_GRID, (64, 96), 0.5)
    np.testing.assert_allclose(found.boxes, [[30, 20, 50, 40]], atol=1e-4)
    np.testing.assert_allclose(found.confidence, 1 / (1 + np.exp(-2.0)), atol=1e-6)
    np.testing.assert_allclose(found.keypoints[0, 0], [36, 27], atol=1e-4)
    np.testing.assert_allclose(found.pose_rad[0, 2], 0.5, atol=1e-6)
    assert np.isnan(found.pose_rad[0, :2]).all()
    fitted = replace(FACE_GRID, scale=2.0, offset=-1.0)
    np.testing.assert_allclose(decode_cells(cells, fitted, (64, 96), 0.5).confidence, 1 / (1 + np.exp(-3.0)), atol=1e-6)
    assert len(decode_cells(cells, FACE_GRID, (64, 96), 0.9)) == 0


@pytest.mark.parametrize("side", [12, 30, 90])
def test_every_grid_puts_a_face_at_its_place(side: int) -> None:
    box = (37, 21, side)
    found_all(detector().detect(squares((150, 200), [box])), [box], 0.9)


def test_one_detection_for_each_face() -> None:
    boxes = np.array([[0, 0, 40, 40], [2, 0, 42, 40], [10, 10, 20, 20], [30, 0, 70, 40]], np.float32)
    found = Detections(boxes, np.array([0.8, 0.9, 0.95, 0.7]), np.zeros((4, 5, 2)))
    # The third lies inside the first two; the surest stays and the others go. The fourth shares a quarter.
    assert distinct_faces(found).tolist() == [2, 3]
    assert distinct_faces(found[[0, 1, 3]]).tolist() == [1, 2]
    assert distinct_faces(Detections.empty()).tolist() == []


@pytest.mark.parametrize("shape", [(360, 640), (720, 1280), (1080, 720), (97, 33), (40, 40), (33, 1500)])
def test_any_shape_of_picture(shape: tuple[int, int]) -> None:
    side = max(min(shape) // 2, 14)
    boxes = [(3, 4, side), (shape[1] - side - 2, shape[0] - side - 1, side)]
    wanted = boxes if shape[1] > 2 * side + 8 or shape[0] > 2 * side + 8 else boxes[:1]
    found_all(detector(1280).detect(squares(shape, wanted)), wanted)


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (3, 3), (31, 8)])
def test_tiny_pictures_have_no_face(shape: tuple[int, int]) -> None:
    assert len(detector().detect(np.zeros((*shape, 3), np.uint8))) == 0


def test_a_face_that_fills_the_picture_is_found_on_the_coarse_copy() -> None:
    """On the copy of 640 px it is 340 px wide, more than the fake network sees; the second copy has 160 px."""
    box = (150, 10, 340)
    found_all(detector().detect(squares((360, 640), [box])), [box])


def test_small_faces_of_a_large_picture_are_found_in_tiles() -> None:
    boxes = [(100 + 700 * n, 50 + 300 * n, 36) for n in range(5)] + [(2000, 40, 36), (1276, 700, 36)]
    image = squares((1500, 3200), boxes)
    assert len(detector(640).detect(image)) == 0
    found_all(detector(640, finer=True).detect(image), boxes)


def test_gray_pictures_give_the_same() -> None:
    image = squares((120, 160), [(30, 40, 50)])
    one, two = detector().detect(image), detector().detect(np.ascontiguousarray(image[..., 0]))
    np.testing.assert_array_equal(one.boxes, two.boxes)
    assert isinstance(detector(), GrayDetector)
    assert isinstance(detector(), FaceDetector)
    assert not isinstance(create_detector("mtcnn"), GrayDetector)


def test_doubtful_places_are_proposed() -> None:
    faint = GridDetector(grid_bundle(lambda image: cells_with(image.shape, [(50.0, 40.0, 30.0)], logit=-0.2)))  # type: ignore[arg-type]
    image = squares((96, 128), [])
    assert len(faint.detect(image)) == 0
    assert len(faint.propose(image)) == 1
    assert isinstance(faint, ProposingDetector)
    assert faint.sure_confidence == FACE_GRID.sure


def test_a_second_look_sees_what_lies_in_the_middle_at_its_size() -> None:
    own = detector()
    assert isinstance(own, SecondLookDetector)
    image = squares((300, 400), [(200, 100, 60), (20, 20, 9)])
    found = faces_at([[200, 100, 260, 160], [20, 20, 29, 29], [300, 200, 360, 260], [215, 115, 245, 145]])
    looks = own.look_again(image, found)
    assert looks.shape == (4, 2)
    assert (looks[:2] > 1).all()  # also one of a tenth of the size
    assert (looks[2:] < -5).all()  # nothing there, and a part of a larger face
    mean, least = looks.T
    assert (least <= mean + 1e-6).all()
    np.testing.assert_array_equal(looks, own.look_again(np.ascontiguousarray(image[..., 0]), found))
    assert own.look_again(image, Detections.empty()).shape == (0, 2)


def test_a_second_look_shows_a_turned_head_upright_and_gray_beyond_the_picture() -> None:
    views: list[Image] = []

    def see(image: Image) -> np.ndarray:
        views.append(image.copy())
        return cells_with((image.shape[0], image.shape[1]), [])

    image = np.full((100, 100), 200, np.uint8)
    image[40:60, 70:80] = 0  # a mark to the right of the face's middle
    found = replace(faces_at([[30, 30, 70, 70]]), pose_rad=np.array([[np.nan, np.nan, np.pi / 2]], np.float32))
    GridDetector(grid_bundle(see)).look_again(image, found)
    assert len(views) == 6
    large, mirrored = views[0], views[1]
    np.testing.assert_array_equal(large[:, ::-1], mirrored)
    dark = np.argwhere(large < 50)
    assert dark[:, 0].mean() < 40, "the top of a head that lies to the right is up"
    assert dark[:, 1].mean() == pytest.approx(64, abs=3)
    small = views[4]
    assert small[0, 0] == small[127, 127] == 127


def test_a_photo_without_a_face_is_searched_once_more_at_twice_its_size() -> None:
    """The fake network sees squares of 10 px and more; this one has 7."""
    image, box = squares((300, 400), [(200, 100, 7)]), (200, 100, 7)
    assert len(detector(1280, finer=False).detect(image)) == 0
    found_all(detector(1280).detect(image), [box])


def test_wrong_use_is_refused() -> None:
    bundle = detector()._bundle
    for options, message in (({"max_side_px": 20}, "max_side_px"), ({"min_confidence": 1.5}, "min_confidence")):
        with pytest.raises(ConfigError, match=message):
            GridDetector(bundle, **options)
    with pytest.raises(ConfigError, match="no face detector"):
        GridDetector(replace(bundle, spec=replace(bundle.spec, grid=None, tasks=())))
    with pytest.raises(InputError, match="uint8"):
        detector().detect(np.zeros((40, 40, 3), np.float32))
    with pytest.raises(ModelError, match="predicts landmarks"):
        create_mien_faces(model="mien-points")


def test_a_network_with_other_cells_is_an_error() -> None:
    one = GridDetector(grid_bundle(lambda _: np.zeros((17, 5), np.float32)))
    with pytest.raises(ModelError, match="not"):
        one.detect(np.zeros((64, 64, 3), np.uint8))

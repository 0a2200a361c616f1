# SPDX-License-Identifier: Apache-2.0
"""Boxes, tags, panels, landmarks and pose on images."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mien.core import EXPRESSIONS, Faces, InputError
from mien.media import draw_faces
from mien.media.drawing import _overlap, _placed_labels, track_colour

Pixels = npt.NDArray[np.uint8]
_UNITS = ("AU06", "AU12", "AU25", "AU26")
_BOX = (175, 60, 275, 180)


def faces(*boxes: tuple[float, float, float, float], **changes: Any) -> Faces:
    n = len(boxes)
    expression = np.tile(np.float32([0.05, 0.65, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05]), (n, 1))
    values: dict[str, Any] = {
        "track_ids": np.arange(n),
        "expression": expression,
        "expression_labels": EXPRESSIONS,
        "valence": np.full(n, 0.6),
        "arousal": np.full(n, 0.2),
        "action_units": np.tile(np.float32([0.9, 0.5, 0.49, np.nan]), (n, 1)),
        "action_unit_labels": _UNITS,
    }
    return Faces(boxes=np.array(boxes, np.float32).reshape(n, 4), **(values | changes))


def changed(before: Pixels, after: Pixels) -> npt.NDArray[np.bool_]:
    return (before != after).any(axis=2)


def test_the_given_image_is_left_as_it_is(astronaut: Pixels) -> None:
    before = astronaut.copy()
    drawn = draw_faces(astronaut, faces(_BOX), anonymous=True)
    assert (astronaut == before).all()
    assert drawn.shape == astronaut.shape
    assert drawn.dtype == np.uint8
    assert drawn.flags.writeable


def test_no_face_draws_nothing(astronaut: Pixels) -> None:
    assert (draw_faces(astronaut, Faces.empty()) == astronaut).all()


def test_the_box_is_drawn_in_the_colour_of_the_track(astronaut: Pixels) -> None:
    for track_id in (0, 7):
        drawn = draw_faces(astronaut, faces(_BOX, track_ids=np.array([track_id])))
        for x, y in [(225, 60), (225, 180), (175, 120), (275, 120)]:
            assert drawn[y, x].tolist() == list(track_colour(track_id))
        assert (drawn[90:150, 200:250] == astronaut[90:150, 200:250]).all()


def test_colours_are_stable_bright_and_far_apart() -> None:
    colours = [track_colour(track_id) for track_id in range(12)]
    assert colours == [track_colour(track_id) for track_id in range(12)]
    assert all(max(colour) > 200 for colour in colours)
    distances = [np.abs(np.subtract(a, b)).sum() for i, a in enumerate(colours) for b in colours[:i]]
    assert min(distances) > 40


@pytest.mark.parametrize("ground", [0, 255])
def test_text_stands_out_on_dark_and_light(ground: int) -> None:
    canvas = draw_faces(np.full((400, 600, 3), ground, np.uint8), faces((50, 50, 150, 170)))
    panel = canvas[50:170, 180:300].astype(int).mean(axis=2)
    assert panel.max() - np.median(panel) > 150


def test_panels_keep_off_other_faces() -> None:
    image = np.full((400, 600, 3), 200, np.uint8)
    neighbours = ((60, 100, 160, 220), (180, 100, 280, 220))
    drawn = draw_faces(image, faces(*neighbours))
    for left, top, right, bottom in neighbours:
        assert (drawn[top + 6 : bottom - 6, left + 6 : right - 6] == 200).all()


def test_thresholds_of_the_bundle_decide_which_units_are_shown() -> None:
    thresholds = {"AU06": 0.95, "AU25": 0.2, "AU26": 0.0}
    image = np.zeros((480, 640, 3), np.uint8)
    with_thresholds = draw_faces(image, faces(_BOX), thresholds=thresholds)
    assert changed(draw_faces(image, faces(_BOX)), with_thresholds).any()


def test_what_is_unknown_is_not_shown() -> None:
    bare = Faces(boxes=np.array([_BOX], np.float32))
    half = faces(_BOX, valence=np.array([np.nan]), expression=np.full((1, 8), np.nan), track_ids=np.array([-1]))
    image = np.zeros((480, 640, 3), np.uint8)
    assert changed(image, draw_faces(image, half)).any()
    assert changed(image, draw_faces(image, bare)).any()


@pytest.mark.parametrize("name", ["quality", "confidence"])
def test_a_doubtful_face_is_pale(name: str) -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    spread = []
    for value in (0.9, 0.4):
        red, green, blue = draw_faces(image, faces(_BOX, **{name: np.array([value])}))[60, 225].astype(int)
        spread.append(max(red, green, blue) - min(red, green, blue))
    assert spread[1] < spread[0] / 2


def test_the_time_stands_in_the_corner() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    drawn = changed(draw_faces(image, faces(_BOX)), draw_faces(image, faces(_BOX), time_s=62.5))
    rows, columns = np.nonzero(drawn)
    assert rows.min() > 440
    assert columns.max() < 120


def test_dots_follow_the_size_of_the_face() -> None:
    image = np.zeros((1000, 1000, 3), np.uint8)
    shares = []
    for side in (40, 100, 400):
        box = (100, 100, 100 + side, 100 + side)
        grid = np.stack(np.meshgrid(np.linspace(110, 90 + side, 10), np.linspace(110, 90 + side, 10)), -1)
        landmarks = grid.reshape(-1, 2)[:68][None].astype(np.float32)
        inside = (slice(106, 94 + side), slice(106, 94 + side))
        plain = draw_faces(image, faces(box))[inside]
        shares.append(changed(plain, draw_faces(image, faces(box, landmarks=landmarks))[inside]).mean())
    assert shares[0] == 0  # 68 dots would hide it
    assert all(0.003 < share < 0.04 for share in shares[1:])


def test_faces_of_a_photo_have_a_colour_each() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    drawn = draw_faces(image, faces((50, 60, 150, 180), (300, 60, 400, 180), track_ids=np.array([-1, -1])))
    assert drawn[60, 100].tolist() == list(track_colour(0))
    assert drawn[60, 350].tolist() == list(track_colour(1))


def test_boxes_outside_or_unknown_are_no_trouble() -> None:
    image = np.full((100, 120, 3), 90, np.uint8)
    strange = faces((-50, -50, 20, 20), (110, 90, 300, 300), (500, 500, 600, 600), (np.nan, 0, 1, 1), (50, 50, 50, 50))
    for anonymous in (False, True):
        assert draw_faces(image, strange, anonymous=anonymous).shape == image.shape


@pytest.mark.parametrize("shape", [(1, 1, 3), (8, 8, 3), (20, 500, 3), (500, 20, 3)])
def test_tiny_images_are_no_trouble(shape: tuple[int, int, int]) -> None:
    image = np.full(shape, 90, np.uint8)
    for anonymous in (False, True):
        assert draw_faces(image, faces((0, 0, 8, 8)), anonymous=anonymous).shape == shape


def test_drawing_wants_an_image() -> None:
    with pytest.raises(InputError, match="uint8"):
        draw_faces(np.zeros((9, 9, 3)), Faces.empty())


@pytest.mark.parametrize(
    ("pose_deg", "looks"),
    [((0, 40, 0), (1, 0)), ((0, -40, 0), (-1, 0)), ((30, 0, 0), (0, -1)), ((-30, 0, 0), (0, 1))],
)
def test_lines_show_where_the_head_looks(pose_deg: tuple[float, ...], looks: tuple[int, int]) -> None:
    """Blue goes to the image's right for a positive yaw, and up for a positive pitch."""
    blank = np.full((300, 300, 3), 90, np.uint8)
    pose = np.radians(np.float32([pose_deg]))
    drawn = draw_faces(blank, faces((60, 60, 160, 160), pose_rad=pose)).astype(int)
    blue = (np.abs(drawn - (90, 140, 255)).sum(axis=2) < 60) & changed(blank, drawn.astype(np.uint8))
    blue[:, 165:] = False  # the panel
    y, x = (axis.mean() - 110 for axis in np.nonzero(blue))
    away = np.array([x, y])
    assert away @ looks > 5
    assert abs(away @ looks[::-1]) < 3


def test_a_tilted_crown_tilts_the_green_line() -> None:
    blank = np.full((300, 300, 3), 90, np.uint8)
    drawn = draw_faces(blank, faces((60, 60, 160, 160), pose_rad=np.radians(np.float32([[0, 0, 30]])))).astype(int)
    y, x = np.nonzero(np.abs(drawn - (70, 200, 90)).sum(axis=2) < 60)
    assert x.mean() > 113
    assert y.mean() < 105


def test_an_unknown_pose_has_no_lines() -> None:
    blank = np.full((300, 300, 3), 90, np.uint8)
    drawn = draw_faces(blank, faces((60, 60, 160, 160), pose_rad=np.float32([[np.nan, 0, 0]])))
    assert (drawn[70:150, 70:150] == 90).all()


@pytest.mark.parametrize(("step_x", "step_y"), [(230, 220), (120, 140), (96, 130)])
def test_in_a_crowd_every_face_has_its_number_and_no_label_hides_another(step_x: int, step_y: int) -> None:
    image = np.full((1440, 1920, 3), 90, np.uint8)
    boxes = [
        (100 + step_x * column, 300 + step_y * row, 190 + step_x * column, 410 + step_y * row)
        for row in range(4)
        for column in range(7)
    ]
    drawn = draw_faces(image, faces(*boxes))
    for x0, y0, x1, y1 in boxes:
        hidden = changed(image, drawn)[y0 + 8 : y1 - 8, x0 + 8 : x1 - 8].mean()
        assert hidden == 0 if step_x > 100 else hidden < 0.15  # no room beside the face: the number is in its box
    labelled = faces(*boxes)
    places = [place for _, place, _ in _placed_labels(labelled, boxes, [(0, 0, 0)] * 28, [], {}, (1920, 1440))]
    assert len(places) == 28
    assert not any(_overlap(one, other) for i, one in enumerate(places) for other in places[:i])
    assert all(0 <= x0 < x1 <= 1920 and 0 <= y0 < y1 <= 1440 for x0, y0, x1, y1 in places)

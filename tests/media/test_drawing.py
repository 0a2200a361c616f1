# SPDX-License-Identifier: Apache-2.0
"""Boxes, panels, landmarks and pose on images, and anonymised heads."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mien.core import EXPRESSIONS, Faces, InputError
from mien.media import RecentHeads, anonymize_faces, draw_faces
from mien.media.drawing import lay_out_panels, track_colour

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
    for track_id in (0, 7, -1):
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


@pytest.mark.parametrize(
    "box", [(0, 0, 60, 80), (540, 0, 600, 80), (0, 320, 60, 400), (540, 320, 600, 400), (0, 0, 600, 400)]
)
def test_the_panel_lies_wholly_inside(box: tuple[int, int, int, int]) -> None:
    # On a larger sheet the same drawing must not reach beyond the image, and its panel must be whole.
    image = np.full((400, 600, 3), 255, np.uint8)
    reference = lay_out_panels(faces(box), 600, 400)[0]
    drawn = draw_faces(image, faces(box))
    dark = (drawn.max(axis=2) < 90).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(
        cv2.morphologyEx(dark, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    )
    largest = stats[1:][stats[1:, cv2.CC_STAT_AREA].argmax()]
    assert largest[cv2.CC_STAT_HEIGHT] >= reference.height - 6
    assert largest[cv2.CC_STAT_WIDTH] >= reference.width - 12


def test_panels_keep_off_other_faces() -> None:
    image = np.full((400, 600, 3), 200, np.uint8)
    neighbours = ((60, 100, 160, 220), (180, 100, 280, 220))
    drawn = draw_faces(image, faces(*neighbours))
    for left, top, right, bottom in neighbours:
        assert (drawn[top + 6 : bottom - 6, left + 6 : right - 6] == 200).all()


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_sizes_follow_the_image(scale: int) -> None:
    panel = lay_out_panels(faces(_BOX), 480 * scale, 360 * scale)[0]
    assert panel.line_px == pytest.approx(14 * scale, abs=scale)


def test_the_panel_says_what_is_known() -> None:
    panel = lay_out_panels(faces(_BOX, track_ids=np.array([3])), 640, 480)[0]
    assert panel.title == "#3 happiness 0.65"
    assert panel.lines == ("AU06 AU12",)  # 0.5 is present, 0.49 and unknown are not
    assert panel.dot == pytest.approx((0.6, 0.2))


def test_thresholds_of_the_bundle_decide_which_units_are_shown() -> None:
    thresholds = {"AU06": 0.95, "AU25": 0.2, "AU26": 0.0}
    assert lay_out_panels(faces(_BOX), 640, 480, thresholds)[0].lines == ("AU12 AU25",)
    image = np.zeros((480, 640, 3), np.uint8)
    with_thresholds = draw_faces(image, faces(_BOX), thresholds=thresholds)
    assert changed(draw_faces(image, faces(_BOX)), with_thresholds).any()


def test_what_is_unknown_is_not_shown() -> None:
    bare = Faces(boxes=np.array([_BOX], np.float32))
    assert lay_out_panels(bare, 640, 480) == []
    half = faces(_BOX, valence=np.array([np.nan]), expression=np.full((1, 8), np.nan), track_ids=np.array([-1]))
    panel = lay_out_panels(half, 640, 480)[0]
    assert panel.title == ""
    assert panel.dot is None
    image = np.zeros((480, 640, 3), np.uint8)
    assert changed(image, draw_faces(image, half)).any()
    assert changed(image, draw_faces(image, bare)).any()


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


def test_an_anonymous_head_has_no_detail_left(astronaut: Pixels) -> None:
    result = anonymize_faces(astronaut, faces(_BOX))
    head = result[60:180, 175:275]
    assert len(np.unique(head.reshape(-1, 3), axis=0)) <= 30
    # Fine structure (eyes, mouth) is gone: what is left changes only at the borders of a few large cells.
    flat = (np.abs(np.diff(head.astype(int), axis=1)).sum(axis=2) == 0).mean()
    assert flat > 0.95
    # It reaches beyond the box to hair, ears and chin, and leaves the rest alone.
    touched = changed(astronaut, result)
    assert touched[20:60, 175:275].mean() > 0.9
    assert touched[182:200, 175:275].mean() > 0.9
    assert not touched[260:].any()
    assert not touched[:, 320:].any()


def test_anonymous_cells_hold_coarse_colours_only() -> None:
    # One grey level more or less in the source, as noise over the frames of a video, shows in no cell.
    image = np.full((200, 200, 3), 110, np.uint8)
    image[90:100, 90:110] += 3
    assert len(np.unique(anonymize_faces(image, faces((50, 50, 150, 150)))[60:140, 60:140])) == 1


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


def test_in_a_crowd_no_panel_hides_another_face() -> None:
    image = np.full((1440, 1920, 3), 90, np.uint8)
    boxes = [(x, y, x + 90.0, y + 110.0) for y in (300.0, 520.0, 740.0) for x in np.arange(100.0, 1800.0, 230.0)]
    drawn = draw_faces(image, faces(*boxes))
    for x0, y0, x1, y1 in np.array(boxes, int):
        assert not changed(image, drawn)[y0 + 8 : y1 - 8, x0 + 8 : x1 - 8].any()


def tracked_faces(**boxes: float) -> Faces:
    """One face per argument: ``t3=10.0`` is a face of track 3 with its left edge at 10."""
    return Faces(
        boxes=np.array([[x, 0, x + 5, 5] for x in boxes.values()], np.float32).reshape(-1, 4),
        track_ids=[int(name[1:]) for name in boxes],
    )


def test_a_lost_face_stays_hidden_for_a_second_and_no_longer() -> None:
    heads = RecentHeads()
    assert heads.update(tracked_faces(t0=1, t1=50), 0.0).boxes[:, 0].tolist() == [1, 50]
    assert heads.update(tracked_faces(t0=2), 0.04).boxes[:, 0].tolist() == [2, 50]
    assert heads.update(tracked_faces(), 0.96).boxes[:, 0].tolist() == [2, 50]
    assert heads.update(tracked_faces(t0=3), 1.0).boxes[:, 0].tolist() == [3]
    assert len(heads.update(tracked_faces(), 9.0)) == 0


def test_faces_without_a_track_are_hidden_where_they_are() -> None:
    heads = RecentHeads()
    both = Faces(boxes=np.float32([[0, 0, 5, 5], [9, 0, 14, 5]]), track_ids=[-1, -1])
    assert len(heads.update(both, 0.0)) == 2
    assert len(heads.update(Faces.empty(), 0.1)) == 0

# SPDX-License-Identifier: Apache-2.0
"""Draws results on images: boxes, landmarks, pose axes, a tag for every face and a panel for the largest ones."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import cv2
import numpy as np

from mien.core import DOUBTFUL_QUALITY, Faces, Float32, Floats, Image, rotation_matrices
from mien.media.anonymize import anonymize_faces
from mien.media.images import read_image
from mien.media.panels import NO_THRESHOLDS, Colour, Panel, draw_panel, lay_out_panels, lay_out_tags, time_tag

Rectangle = tuple[int, int, int, int]  # left, top, right, bottom

_OUTLINE = (16, 16, 16)
# Length of the head's axes in box widths, and their colours: sideways, up, forward.
_AXIS_SHARE = 0.35
_AXIS_COLOURS = ((240, 80, 70), (70, 200, 90), (90, 140, 255))
_NOSE_TIP = 30  # of the 68 landmarks
_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2

_N_DETAILED = 3  # faces with a panel, the largest ones
_MAX_OWN_SHARE = 0.2  # of a face that its own panel may cover
_LINE_WIDTHS = 80  # line widths across a face
_DOT_WIDTHS = 110  # radii of a landmark's dot across a face
_MIN_DOTTED_PX = 60  # width of a face below which its 68 dots would hide it
_DOUBTFUL_CONFIDENCE = 0.5  # of the detector: below it there may be no face
_PALE: Colour = (178, 178, 178)
_PALE_SHARE = 0.75


def draw_faces(
    image: Any,
    faces: Faces,
    *,
    thresholds: Mapping[str, float] = NO_THRESHOLDS,
    anonymous: bool = False,
    time_s: float | None = None,
    note: str = "",
) -> Image:
    """Draw the results of every face on a copy of the image.

    Every face gets a box in a colour of its own and a tag with its track (``#3``; in photos its number from the left)
    and its most probable expression; in a dense crowd, its number alone. The three largest faces get a panel with
    their present action units and their position in the valence-arousal plane (valence to the right, arousal upwards,
    both -1 to 1), where there is room. Sizes follow the face, and no label covers another face or label. A face whose
    quality or detector confidence is below 0.5, or that has no predictions or a reason to abstain, is drawn pale; its
    panel names the reasons and, where the bundle is calibrated, the other expressions that stay possible. Dots mark the
    68 landmarks, if any. Three lines from the nose show the head pose: red to its side, green to its crown, blue
    forward (short if the face is frontal).

    Args:
        image: (H, W, 3) uint8 RGB, or what else `mien.media.read_image` takes.
        faces: Faces with boxes in pixels of this image; faces without a finite box are skipped, and NaN values are
            not shown.
        thresholds: Smallest probability at which each action unit counts as present, such as
            ``spec.action_unit_thresholds`` of the analyzer; 0.5 for units without an entry.
        anonymous: Whether to make the heads unrecognisable first, see `anonymize_faces`.
        time_s: Time to show in the lower left corner, in seconds; None for none.
        note: Note to show under the time, such as ``"smoothed +-0.4 s"``; empty for none.

    Returns:
        A new image of the same shape.

    Raises:
        InputError: The input is not an image.

    Examples:
        >>> image = np.zeros((120, 160, 3), np.uint8)
        >>> drawn = draw_faces(image, Faces(boxes=np.array([[40, 20, 100, 100]], np.float32)))
        >>> drawn.shape, bool(drawn[20, 70].any()), bool(image.any())
        ((120, 160, 3), True, False)
    """
    pixels = read_image(image)
    canvas = anonymize_faces(pixels, faces) if anonymous else pixels.copy()
    height, width = canvas.shape[:2]
    shown = faces[np.flatnonzero(np.isfinite(faces.boxes).all(axis=1))]
    boxes = [_clipped(box, width, height) for box in shown.boxes]
    colours = _colours(shown)
    for row, (box, colour) in enumerate(zip(boxes, colours, strict=True)):
        thickness = _line_px(box)
        cv2.rectangle(canvas, box[:2], box[2:], _OUTLINE, thickness + 2)
        cv2.rectangle(canvas, box[:2], box[2:], colour, thickness)
        _draw_landmarks(canvas, shown.landmarks[row], box, colour)
        _draw_pose(canvas, shown[row], thickness)
    labels: list[tuple[Panel, Rectangle, Colour]] = []
    if time_s is not None:
        tag = time_tag(time_s, width, height, note)
        if tag.width <= width and tag.height <= height:
            labels.append((tag, (0, height - tag.height, tag.width, height), _PALE))
    labels += _placed_labels(shown, boxes, colours, [place for _, place, _ in labels], thresholds, (width, height))
    for panel, place, colour in labels:
        draw_panel(canvas, panel, place[0], place[1], colour)
    return canvas


def _colours(faces: Faces) -> list[Colour]:
    """Colour of each face: that of its track, or of its number in a photo; pale where its values are doubtful."""
    colours = []
    for row in range(len(faces)):
        track_id = int(faces.track_ids[row])
        colour = track_colour(track_id if track_id >= 0 else int(faces.numbers[row]) - 1)
        unknown = faces.expression.shape[1] > 0 and np.isnan(faces.expression[row]).all()
        doubtful = faces.quality[row] < DOUBTFUL_QUALITY or faces.confidence[row] < _DOUBTFUL_CONFIDENCE
        if unknown or doubtful or faces.abstain[row].any():
            mixed = np.rint(_PALE_SHARE * np.array(_PALE) + (1 - _PALE_SHARE) * np.array(colour)).astype(int).tolist()
            colour = (mixed[0], mixed[1], mixed[2])
        colours.append(colour)
    return colours


def _placed_labels(
    faces: Faces,
    boxes: Sequence[Rectangle],
    colours: Sequence[Colour],
    taken: Sequence[Rectangle],
    thresholds: Mapping[str, float],
    size: tuple[int, int],
) -> list[tuple[Panel, Rectangle, Colour]]:
    """A tag for every face, and a panel in its place for the largest ones where there is room for it.

    Args:
        faces: Faces.
        boxes: Box of each face inside the image.
        colours: Colour of each face.
        taken: Further places that no label may cover.
        thresholds: Probability thresholds of action units.
        size: Width and height of the image in pixels.
    """
    by_size = sorted(range(len(boxes)), key=lambda row: -_overlap(boxes[row], boxes[row]))
    labels: dict[int, tuple[Panel, Rectangle]] = {}

    def others(row: int) -> list[Rectangle]:
        return [
            *taken,
            *(box for other, box in enumerate(boxes) if other != row),
            *(place for other, (_, place) in labels.items() if other != row),
        ]

    for row in by_size:
        tags = lay_out_tags(faces[row], *size)
        for tag in tags:
            place = _free_place(tag, boxes[row], others(row), size, near=True)
            if place is not None:
                labels[row] = tag, place
                break
        else:
            if tags:  # no room beside the face: its number goes into the box itself
                left, top = boxes[row][:2]
                place = _inside(left, top, tags[-1], size)
                labels[row] = tags[-1], place
    for row in by_size[:_N_DETAILED]:
        for panel in lay_out_panels(faces[row], *size, thresholds):
            place = _free_place(panel, boxes[row], others(row), size, near=False)
            if place is not None:
                labels[row] = panel, place
                break
    return [(panel, place, colours[row]) for row, (panel, place) in labels.items()]


def _free_place(
    panel: Panel, box: Rectangle, others: Sequence[Rectangle], size: tuple[int, int], *, near: bool
) -> Rectangle | None:
    """The place that covers no other face or label and least of the own face; the first of several; None if none.

    Args:
        panel: Panel or tag to place.
        box: Box of its face.
        others: Places that it may not cover.
        size: Width and height of the image in pixels.
        near: Whether it must touch its face.
    """
    places = [_inside(x, y, panel, size) for x, y in _corners(panel, box, size, near=near)]
    free = [place for place in places if not any(_overlap(place, other) for other in others)]
    if not free:
        return None
    best = min(free, key=lambda place: _overlap(place, box))
    return best if _overlap(best, box) <= _MAX_OWN_SHARE * _overlap(box, box) else None


def _corners(panel: Panel, box: Rectangle, size: tuple[int, int], *, near: bool) -> Iterator[tuple[int, int]]:
    """Upper left corners of a panel: around its face, then along the edges of the image."""
    left, top, right, bottom = box
    gap = panel.padding // 2 + 1
    beside, over = (right + gap, left - gap - panel.width), (top - gap - panel.height, bottom + gap)
    rows = (top, bottom - panel.height, (top + bottom - panel.height) // 2)
    columns = (left, right - panel.width, (left + right - panel.width) // 2)
    sideways, upright = product(beside, rows), product(columns, over)
    yield from upright if near else sideways
    yield from sideways if near else upright
    if not near:
        width, height = size
        steps = range(5)
        across = [(width - panel.width) * step // 4 for step in steps]
        down = [(height - panel.height) * step // 4 for step in steps]
        yield from product((0, width - panel.width), down)
        yield from product(across, (0, height - panel.height))


def _inside(x: int, y: int, panel: Panel, size: tuple[int, int]) -> Rectangle:
    """The place of a panel at a corner, moved into the image."""
    x = min(max(x, 0), size[0] - panel.width)
    y = min(max(y, 0), size[1] - panel.height)
    return x, y, x + panel.width, y + panel.height


def _line_px(box: Rectangle) -> int:
    return max(1, round((box[2] - box[0]) / _LINE_WIDTHS))


def _draw_landmarks(canvas: Image, landmarks: Float32, box: Rectangle, colour: Colour) -> None:
    """Draw a dot on each landmark that is not NaN, on a face that is large enough."""
    width = box[2] - box[0]
    if width < _MIN_DOTTED_PX:
        return
    radius = width // _DOT_WIDTHS
    for point in landmarks[np.isfinite(landmarks).all(axis=1)]:
        cv2.circle(canvas, _pixel(point), radius, colour, cv2.FILLED, cv2.LINE_AA)


def _draw_pose(canvas: Image, face: Faces, thickness: int) -> None:
    """Draw the head's axes from the nose tip or, without landmarks, from the centre of the box."""
    pose, nose = face.pose_rad[0], face.landmarks[0, _NOSE_TIP]
    if not np.isfinite(pose).all():
        return
    start = nose if np.isfinite(nose).all() else face.boxes[0].reshape(2, 2).mean(axis=0)
    length = _AXIS_SHARE * float(face.boxes[0, 2] - face.boxes[0, 0])
    ends = (
        start[:, None] + length * np.array([[1.0], [-1.0]]) * rotation_matrices(pose)[:2]
    )  # image rows grow downwards
    for end, colour in zip(ends.T, _AXIS_COLOURS, strict=True):
        cv2.line(canvas, _pixel(start), _pixel(end), colour, thickness, cv2.LINE_AA)


def _pixel(point: Floats) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))


def track_colour(track_id: int) -> Colour:
    """Bright RGB colour of a track; consecutive track numbers have distant hues.

    Examples:
        >>> track_colour(0) == track_colour(0) != track_colour(1)
        True
    """
    hue = (0.08 + track_id * _GOLDEN_RATIO) % 1.0
    red, green, blue = colorsys.hls_to_rgb(hue, 0.65, 0.9)
    return round(red * 255), round(green * 255), round(blue * 255)


def _clipped(box: Float32, width: int, height: int) -> Rectangle:
    left, right = np.clip(np.rint(box[[0, 2]]), 0, width - 1).astype(int)
    top, bottom = np.clip(np.rint(box[[1, 3]]), 0, height - 1).astype(int)
    return int(left), int(top), int(right), int(bottom)


def _overlap(first: Rectangle, second: Rectangle) -> int:
    across = min(first[2], second[2]) - max(first[0], second[0])
    down = min(first[3], second[3]) - max(first[1], second[1])
    return max(across, 0) * max(down, 0)

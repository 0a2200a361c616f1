# SPDX-License-Identifier: Apache-2.0
"""Results drawn on pictures: a box and a small panel of readings for every face."""

from __future__ import annotations

import colorsys
import math

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import Faces, rotation_matrices
from mien.media.anonymize import anonymize_faces
from mien.media.images import as_rgb
from mien.media.panel import Colour, Panel, draw_panel, lay_out_panels

Rectangle = tuple[int, int, int, int]  # left, top, right, bottom

_UNTRACKED_COLOUR = (80, 220, 255)
_OUTLINE = (16, 16, 16)
_FEWEST_DRAWN = 68
# How long the lines of the head's axes are, in widths of the box, and their colours: to the side, up, ahead.
_AXIS_SHARE = 0.35
_AXIS_COLOURS = ((240, 80, 70), (70, 200, 90), (90, 140, 255))
_NOSE_TIP = {5: 2, 68: 30}  # number of points -> the tip among them
_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2


def draw_faces(image: npt.NDArray[np.uint8], faces: Faces, *, anonymous: bool = False) -> npt.NDArray[np.uint8]:
    """Draw what was read on a copy of the image.

    Every face gets a box in the colour of its track and a panel with its track number, its most probable expression,
    the active action units (probability .5 or more) and its place in the valence-arousal plane (valence to the
    right, arousal upwards, both -1 to 1). Sizes follow the image; a panel lies where it hides least, always inside.
    In a crowd, where it would hide other faces, it shrinks to the track number and the expression. Dots mark the 68
    points of faces that have them. Three lines from the nose show how the head is turned: red to its side, green to
    its crown, blue to where it looks (short where it looks into the camera).

    Args:
        image: (H, W, 3) uint8 RGB.
        faces: faces with boxes in pixels of this image; faces without a finite box are passed over, and of the
            others only what is known (not NaN) is shown.
        anonymous: make the heads unrecognisable first, see `anonymize_faces`.

    Returns:
        A new image of the same shape.

    Raises:
        InputError: not an image.
    """
    canvas = anonymize_faces(image, faces) if anonymous else as_rgb(image).copy()
    height, width = canvas.shape[:2]
    shown = faces[np.flatnonzero(np.isfinite(faces.boxes).all(axis=1))]
    boxes = [_clipped(box, width, height) for box in shown.boxes]
    thickness = max(1, round(min(width, height) / 300))
    colours = [track_colour(int(track_id)) for track_id in shown.track_ids]
    for box, colour in zip(boxes, colours, strict=True):
        cv2.rectangle(canvas, box[:2], box[2:], _OUTLINE, thickness + 2, cv2.LINE_AA)
        cv2.rectangle(canvas, box[:2], box[2:], colour, thickness, cv2.LINE_AA)
    for face, colour in zip(shown, colours, strict=True):
        _draw_points(canvas, face.landmarks[0], thickness, colour)
        _draw_pose(canvas, face, thickness)
    taken = list(boxes)
    for number, (face, colour) in enumerate(zip(shown, colours, strict=True)):
        others = taken[:number] + taken[number + 1 :]
        choices = [
            (panel, _best_place(panel, boxes[number], taken, width, height))
            for panel in lay_out_panels(face, width, height)
        ]
        if choices:
            # In a crowd the panel that tells most would hide other faces: the least hiding one comes first then.
            panel, place = min(choices, key=lambda choice: _hidden(choice[1], others))
            draw_panel(canvas, panel, place[0], place[1], colour)
            taken.append(place)
    return canvas


def _draw_points(canvas: npt.NDArray[np.uint8], points: npt.NDArray[np.float32], radius: int, colour: Colour) -> None:
    """A dot on each of 68 points; a detector's five are only its own way to the crop."""
    if len(points) < _FEWEST_DRAWN:
        return
    for point in points[np.isfinite(points).all(axis=1)]:
        cv2.circle(canvas, _pixel(point), radius, colour, cv2.FILLED, cv2.LINE_AA)


def _draw_pose(canvas: npt.NDArray[np.uint8], face: Faces, thickness: int) -> None:
    """The head's axes as the viewer sees them, from the tip of the nose or, without points, the middle of the box."""
    pose, points = face.pose_rad[0], face.landmarks[0]
    if not np.isfinite(pose).all():
        return
    nose = points[_NOSE_TIP[len(points)]] if len(points) in _NOSE_TIP else np.full(2, np.nan)
    start = nose if np.isfinite(nose).all() else face.boxes[0].reshape(2, 2).mean(axis=0)
    length = _AXIS_SHARE * float(face.boxes[0, 2] - face.boxes[0, 0])
    ends = (
        start[:, None] + length * np.array([[1.0], [-1.0]]) * rotation_matrices(pose)[:2]
    )  # image rows grow downwards
    for end, colour in zip(ends.T, _AXIS_COLOURS, strict=True):
        cv2.line(canvas, _pixel(start), _pixel(end), colour, thickness, cv2.LINE_AA)


def _pixel(point: npt.NDArray[np.floating]) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))


def track_colour(track_id: int) -> Colour:
    """A bright RGB colour, always the same for a track; neighbours in number are far apart in hue."""
    if track_id < 0:
        return _UNTRACKED_COLOUR
    hue = (0.08 + track_id * _GOLDEN_RATIO) % 1.0
    red, green, blue = colorsys.hls_to_rgb(hue, 0.65, 0.9)
    return round(red * 255), round(green * 255), round(blue * 255)


def _clipped(box: npt.NDArray[np.float32], width: int, height: int) -> Rectangle:
    left, right = np.clip(np.rint(box[[0, 2]]), 0, width - 1).astype(int)
    top, bottom = np.clip(np.rint(box[[1, 3]]), 0, height - 1).astype(int)
    return int(left), int(top), int(right), int(bottom)


def _best_place(panel: Panel, box: Rectangle, taken: list[Rectangle], width: int, height: int) -> Rectangle:
    """Beside the box where the panel covers the least of faces and other panels; on a tie in the order of listing."""
    left, top, right, bottom = box
    gap = panel.padding // 2 + 1
    corners = (
        (right + gap, top),
        (left - gap - panel.width, top),
        (left, bottom + gap),
        (left, top - gap - panel.height),
        (right + gap, bottom - panel.height),
        (left - gap - panel.width, bottom - panel.height),
    )
    places = []
    for x, y in corners:
        x = min(max(x, 0), width - panel.width)
        y = min(max(y, 0), height - panel.height)
        places.append((x, y, x + panel.width, y + panel.height))
    return min(places, key=lambda place: _hidden(place, taken))


def _hidden(place: Rectangle, taken: list[Rectangle]) -> int:
    """Pixels of faces and other panels that a panel would cover there."""
    return sum(_overlap(place, other) for other in taken)


def _overlap(first: Rectangle, second: Rectangle) -> int:
    across = min(first[2], second[2]) - max(first[0], second[0])
    down = min(first[3], second[3]) - max(first[1], second[1])
    return max(across, 0) * max(down, 0)

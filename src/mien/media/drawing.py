# SPDX-License-Identifier: Apache-2.0
"""Draws results on images: boxes, landmarks, pose axes and a panel of values per face; and anonymises heads."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np

from mien.core import Faces, Float32, Floats, Image, rotation_matrices
from mien.media.images import as_rgb, read_image

# Share of the box added to reach from face to head: hair and ears identify people too.
_ABOVE, _BELOW, _BESIDE = 0.45, 0.2, 0.25
# Cells over the whole head: about three across the face, too few for face recognition and for lip reading.
_CELLS_ACROSS, _CELLS_DOWN = 5, 6
_LEVELS = 32  # colour steps of cells: finer colours could be averaged over the frames of a video

# A head that the detector misses briefly must not become visible in the result.
_HELD_S = 1.0


class RecentHeads:
    """Boxes of current and recent heads, so that a face that the detector loses stays hidden for one second.

    Examples:
        >>> heads = RecentHeads()
        >>> face = Faces(boxes=np.array([[10, 10, 40, 50]], np.float32), track_ids=[7])
        >>> len(heads.update(face, time_s=0.0))
        1
        >>> len(heads.update(Faces.empty(), time_s=0.5)), len(heads.update(Faces.empty(), time_s=1.0))
        (1, 0)
    """

    def __init__(self) -> None:
        self._seen: dict[int, tuple[float, Float32]] = {}

    def update(self, faces: Faces, time_s: float) -> Faces:
        """Boxes of the frame's faces, then those of tracks that were visible less than one second before.

        Args:
            faces: All faces of the frame.
            time_s: Time of the frame in seconds, increasing from call to call.
        """
        self._seen = {track: seen for track, seen in self._seen.items() if time_s - seen[0] < _HELD_S}
        gone = [box for track, (_, box) in self._seen.items() if track not in faces.track_ids]
        for track, box in zip(faces.track_ids.tolist(), faces.boxes, strict=True):
            if track >= 0:
                self._seen[track] = (time_s, box)
        return Faces(boxes=np.concatenate([faces.boxes, *(box[None] for box in gone)]))


def anonymize_faces(image: Image, faces: Faces) -> Image:
    """Replace every head irreversibly by a few large cells of its mean colours.

    Args:
        image: (H, W, 3) uint8 RGB, or what else `read_image` takes.
        faces: Faces with boxes in pixels of this image; faces without a finite box are skipped.

    Returns:
        A new image; the input is not changed.

    Raises:
        InputError: The input is not an image.

    Examples:
        >>> image = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
        >>> hidden = anonymize_faces(image, Faces(boxes=np.array([[60, 60, 140, 140]], np.float32)))
        >>> len(np.unique(hidden[60:140, 60:140].reshape(-1, 3), axis=0)) <= 30
        True
        >>> bool((hidden[:20] == image[:20]).all())
        True
    """
    result = as_rgb(image).copy()
    height, width = result.shape[:2]
    for x0, y0, x1, y1 in faces.boxes[np.isfinite(faces.boxes).all(axis=1)]:
        box_width, box_height = x1 - x0, y1 - y0
        left, right = np.clip([x0 - _BESIDE * box_width, x1 + _BESIDE * box_width], 0, width)
        top, bottom = np.clip([y0 - _ABOVE * box_height, y1 + _BELOW * box_height], 0, height)
        head = result[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))]
        if head.size:
            head[:] = _cells(head)
    return result


def _cells(head: Image) -> Image:
    height, width = head.shape[:2]
    n_cells = min(_CELLS_ACROSS, width), min(_CELLS_DOWN, height)
    means = cv2.resize(head, n_cells, interpolation=cv2.INTER_AREA)
    coarse = (means // _LEVELS * _LEVELS + _LEVELS // 2).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)


Colour = tuple[int, int, int]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_NO_THRESHOLDS: Mapping[str, float] = MappingProxyType({})
_UNITS_PER_LINE = 2
_PLANE_LINES = 4.0  # side of the valence-arousal plane in lines of text
# Heights of a line of text as shares of the shorter image side, the largest that fits is used.
_LINE_SHARES = (0.040, 0.030, 0.022)
_CROWD_LINE_SHARES = (0.022, 0.014)
_MIN_LINE_PX, _MAX_LINE_PX = 14, 56  # in smaller type OpenCV 5 leaves no space between words
_GROUND = np.array((20, 20, 24), np.float32)
_OPACITY = 0.78  # dark enough for white text on any image, and the image remains visible
_TEXT: Colour = (245, 245, 245)
_AXES: Colour = (150, 150, 150)


@dataclass(frozen=True)
class Panel:
    """Text and size of one panel, in pixels.

    Attributes:
        title: First line of text.
        lines: Lines of text under the title, beside the plane.
        dot: Valence and arousal in [-1, 1]; None if unknown, then the plane is omitted.
        line_px: Height of a line of text.
        width: Width of the whole panel.
        height: Height of the whole panel.
    """

    title: str
    lines: tuple[str, ...]
    dot: tuple[float, float] | None
    line_px: int
    width: int
    height: int

    @property
    def padding(self) -> int:
        """Space around and between the parts, in pixels."""
        return max(2, self.line_px // 3)

    @property
    def plane_px(self) -> int:
        """Side of the valence-arousal plane in pixels, 0 without a plane."""
        return 0 if self.dot is None else round(_PLANE_LINES * self.line_px)


def lay_out_panels(
    face: Faces, max_width: int, max_height: int, thresholds: Mapping[str, float] = _NO_THRESHOLDS
) -> list[Panel]:
    """Lay out the panels of one face that fit into the image, the most detailed first.

    The first ones show all values in decreasing text sizes; the last ones, for crowds, show only the title.

    Args:
        face: A `Faces` of length 1.
        max_width: Width of the image in pixels.
        max_height: Height of the image in pixels.
        thresholds: Probability thresholds of action units, see `draw_faces`.

    Returns:
        An empty list if the face has no values or the image is too small for legible text.
    """
    title, lines, dot = _title(face), _unit_lines(face, thresholds), _dot(face)
    if not title and not lines and dot is None:
        return []
    sizes = [
        int(np.clip(share * min(max_width, max_height), _MIN_LINE_PX, _MAX_LINE_PX))
        for share in (*_LINE_SHARES, *_CROWD_LINE_SHARES)
    ]
    panels = [_sized_panel(title, lines, dot, line_px) for line_px in sizes[: len(_LINE_SHARES)]]
    if title:
        panels += [_sized_panel(title, (), None, line_px) for line_px in sizes[len(_LINE_SHARES) :]]
    return [panel for panel in panels if panel.width <= max_width and panel.height <= max_height]


def draw_panel(canvas: Image, panel: Panel, left: int, top: int, colour: Colour) -> None:
    """Draw a panel that lies completely inside an image.

    Args:
        canvas: (H, W, 3) uint8 RGB, changed in place.
        panel: Panel to draw.
        left: Column of its upper left corner.
        top: Row of its upper left corner.
        colour: RGB colour of its edge and of the dot.
    """
    ground = canvas[top : top + panel.height, left : left + panel.width]
    ground[:] = (ground * (1 - _OPACITY) + _GROUND * _OPACITY).astype(np.uint8)
    edge = max(2, panel.line_px // 6)
    ground[:, :edge] = colour
    x, y = left + edge + panel.padding, top + panel.padding
    if panel.title:
        _put_text(canvas, panel.title, x, y, panel.line_px)
        y += panel.line_px + panel.padding
    if panel.dot is not None:
        _draw_plane(canvas, x, y, panel.plane_px, panel.dot, colour)
        x += panel.plane_px + panel.padding
    for line in panel.lines:
        _put_text(canvas, line, x, y, panel.line_px)
        y += panel.line_px


def _sized_panel(title: str, lines: tuple[str, ...], dot: tuple[float, float] | None, line_px: int) -> Panel:
    panel = Panel(title, lines, dot, line_px, 0, 0)
    text_width = max((_text_width(line, line_px) for line in lines), default=0)
    gap = panel.padding if lines and dot is not None else 0
    body_width = panel.plane_px + gap + text_width
    body_height = max(panel.plane_px, len(lines) * line_px)
    title_height = line_px + (panel.padding if body_height else 0) if title else 0
    edge = max(2, line_px // 6)
    width = edge + max(body_width, _text_width(title, line_px)) + 2 * panel.padding
    return Panel(title, lines, dot, line_px, width, title_height + body_height + 2 * panel.padding)


def _title(face: Faces) -> str:
    track_id = int(face.track_ids[0])
    parts = [f"#{track_id}"] if track_id >= 0 else []
    expression = face.top_expressions()[0]
    if expression is not None:
        parts.append(f"{expression} {float(np.nanmax(face.expression[0])):.2f}")
    return " ".join(parts)


def _unit_lines(face: Faces, thresholds: Mapping[str, float]) -> tuple[str, ...]:
    (names,) = face.present_action_units(thresholds)
    return tuple(" ".join(names[i : i + _UNITS_PER_LINE]) for i in range(0, len(names), _UNITS_PER_LINE))


def _dot(face: Faces) -> tuple[float, float] | None:
    valence, arousal = float(face.valence[0]), float(face.arousal[0])
    return (valence, arousal) if np.isfinite([valence, arousal]).all() else None


def _draw_plane(canvas: Image, left: int, top: int, side: int, dot: tuple[float, float], colour: Colour) -> None:
    right, bottom = left + side - 1, top + side - 1
    middle_x, middle_y = (left + right) // 2, (top + bottom) // 2
    cv2.rectangle(canvas, (left, top), (right, bottom), _AXES, 1)
    cv2.line(canvas, (left, middle_y), (right, middle_y), _AXES, 1)
    cv2.line(canvas, (middle_x, top), (middle_x, bottom), _AXES, 1)
    radius = max(2, side // 14)
    reach = side / 2 - radius - 1
    valence, arousal = np.clip(dot, -1, 1)
    centre = round((left + right) / 2 + valence * reach), round((top + bottom) / 2 - arousal * reach)
    cv2.circle(canvas, centre, radius + 1, _TEXT, -1, cv2.LINE_AA)
    cv2.circle(canvas, centre, radius, colour, -1, cv2.LINE_AA)


def _font_scale(line_px: int) -> float:
    # Capitals fill 0.6 of the line; descenders need the space below the base line.
    return cv2.getFontScaleFromHeight(_FONT, max(1, round(0.6 * line_px)))


def _text_width(text: str, line_px: int) -> int:
    (width, _), _ = cv2.getTextSize(text, _FONT, _font_scale(line_px), _stroke(line_px))
    return int(width)


def _put_text(canvas: Image, text: str, left: int, top: int, line_px: int) -> None:
    base = top + round(0.78 * line_px)
    cv2.putText(canvas, text, (left, base), _FONT, _font_scale(line_px), _TEXT, _stroke(line_px), cv2.LINE_AA)


def _stroke(line_px: int) -> int:
    return max(1, line_px // 16)


Rectangle = tuple[int, int, int, int]  # left, top, right, bottom

_UNTRACKED_COLOUR = (80, 220, 255)
_OUTLINE = (16, 16, 16)
# Length of the head's axes in box widths, and their colours: sideways, up, forward.
_AXIS_SHARE = 0.35
_AXIS_COLOURS = ((240, 80, 70), (70, 200, 90), (90, 140, 255))
_NOSE_TIP = 30  # of the 68 landmarks
_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2


def draw_faces(
    image: Any,
    faces: Faces,
    *,
    thresholds: Mapping[str, float] = _NO_THRESHOLDS,
    anonymous: bool = False,
) -> Image:
    """Draw the results of every face on a copy of the image.

    Every face gets a box in the colour of its track and a panel with its track number, its most probable expression,
    its present action units and its position in the valence-arousal plane (valence to the right, arousal upwards,
    both -1 to 1). Sizes scale with the image; a panel lies inside the image where it hides least. In a crowd, where it
    would hide other faces, it shrinks to the track number and the expression. Dots mark the 68 landmarks, if any.
    Three lines from the nose show the head pose: red to its side, green to its crown, blue forward (short if the face
    is frontal).

    Args:
        image: (H, W, 3) uint8 RGB, or what else `read_image` takes.
        faces: Faces with boxes in pixels of this image; faces without a finite box are skipped, and NaN values are
            not shown.
        thresholds: Smallest probability at which each action unit counts as present, such as
            ``spec.action_unit_thresholds`` of the analyzer; 0.5 for units without an entry.
        anonymous: Whether to make the heads unrecognisable first, see `anonymize_faces`.

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
    thickness = max(1, round(min(width, height) / 300))
    colours = [track_colour(int(track_id)) for track_id in shown.track_ids]
    for box, colour in zip(boxes, colours, strict=True):
        cv2.rectangle(canvas, box[:2], box[2:], _OUTLINE, thickness + 2, cv2.LINE_AA)
        cv2.rectangle(canvas, box[:2], box[2:], colour, thickness, cv2.LINE_AA)
    for row, colour in enumerate(colours):
        _draw_landmarks(canvas, shown.landmarks[row], thickness, colour)
        _draw_pose(canvas, shown[row], thickness)
    taken = list(boxes)
    for row, colour in enumerate(colours):
        others = taken[:row] + taken[row + 1 :]
        candidates = [
            (panel, _best_place(panel, boxes[row], taken, width, height))
            for panel in lay_out_panels(shown[row], width, height, thresholds)
        ]
        if candidates:
            # In a crowd the most detailed panel would hide other faces: choose the one that hides least.
            panel, place = min(candidates, key=lambda candidate: _hidden_px(candidate[1], others))
            draw_panel(canvas, panel, place[0], place[1], colour)
            taken.append(place)
    return canvas


def _draw_landmarks(canvas: Image, landmarks: Float32, radius: int, colour: Colour) -> None:
    """Draw a dot on each landmark that is not NaN."""
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
    if track_id < 0:
        return _UNTRACKED_COLOUR
    hue = (0.08 + track_id * _GOLDEN_RATIO) % 1.0
    red, green, blue = colorsys.hls_to_rgb(hue, 0.65, 0.9)
    return round(red * 255), round(green * 255), round(blue * 255)


def _clipped(box: Float32, width: int, height: int) -> Rectangle:
    left, right = np.clip(np.rint(box[[0, 2]]), 0, width - 1).astype(int)
    top, bottom = np.clip(np.rint(box[[1, 3]]), 0, height - 1).astype(int)
    return int(left), int(top), int(right), int(bottom)


def _best_place(panel: Panel, box: Rectangle, taken: list[Rectangle], width: int, height: int) -> Rectangle:
    """Position beside the box that hides the fewest pixels of faces and other panels; ties go to the first."""
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
    return min(places, key=lambda place: _hidden_px(place, taken))


def _hidden_px(place: Rectangle, taken: list[Rectangle]) -> int:
    """Number of pixels of faces and other panels that a panel at this position would cover."""
    return sum(_overlap(place, other) for other in taken)


def _overlap(first: Rectangle, second: Rectangle) -> int:
    across = min(first[2], second[2]) - max(first[0], second[0])
    down = min(first[3], second[3]) - max(first[1], second[1])
    return max(across, 0) * max(down, 0)


def blank_frame(width: int, height: int, text: str) -> Image:
    """A dark image with one line of text, for a time whose frames are lost.

    Args:
        width: Width in pixels.
        height: Height in pixels.
        text: The line; it is cut off where the image is narrower.

    Examples:
        >>> blank_frame(64, 48, "lost").shape
        (48, 64, 3)
    """
    canvas = np.full((height, width, 3), 24, np.uint8)
    line_px = max(8, min(height // 12, 24))
    while line_px > 8 and _text_width(text, line_px) > width:
        line_px -= 1
    _put_text(canvas, text, max(0, (width - _text_width(text, line_px)) // 2), (height - line_px) // 2, line_px)
    return canvas

# SPDX-License-Identifier: Apache-2.0
"""Results drawn on pictures: boxes, landmarks, pose axes, a panel of values for every face, and anonymised faces."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import Faces, rotation_matrices
from mien.media.images import as_rgb

# Share of the box added to reach from face to head: hair and ears identify people too.
_ABOVE, _BELOW, _BESIDE = 0.45, 0.2, 0.25
# Cells over the whole head: about three across the face, less than any recogniser or reader of lips can use.
_CELLS_ACROSS, _CELLS_DOWN = 5, 6
_LEVELS = 32  # steps between the colours of cells: fine differences could be summed up over the frames of a video


# A head that the detector misses for a moment must not flash up in the result.
_HELD_S = 1.0


class RecentHeads:
    """Where heads are and were a moment ago, frame by frame: a face that is lost stays hidden for a second."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[float, npt.NDArray[np.float32]]] = {}

    def update(self, faces: Faces, time_s: float) -> Faces:
        """The faces of a frame, then those of tracks that were seen less than a second before and are gone.

        Args:
            faces: all faces of the frame.
            time_s: when it is shown; frames come in order.
        """
        self._seen = {track: seen for track, seen in self._seen.items() if time_s - seen[0] < _HELD_S}
        gone = [box for track, (_, box) in self._seen.items() if track not in faces.track_ids]
        for track, box in zip(faces.track_ids.tolist(), faces.boxes, strict=True):
            if track >= 0:
                self._seen[track] = (time_s, box)
        return Faces(boxes=np.concatenate([faces.boxes, *(box[None] for box in gone)]))


def anonymize_faces(image: npt.NDArray[np.uint8], faces: Faces) -> npt.NDArray[np.uint8]:
    """Replace every head by a few large cells of its mean colours, which cannot be undone.

    Args:
        image: (H, W, 3) uint8 RGB.
        faces: faces with boxes in pixels of this image; faces without a finite box are passed over.

    Returns:
        A new image; the given one is left as it is.

    Raises:
        InputError: not an image.
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


def _cells(head: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
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
_OPACITY = 0.78  # dark enough for white text on any picture, and the picture still shimmers through
_TEXT: Colour = (245, 245, 245)
_AXES: Colour = (150, 150, 150)


@dataclass(frozen=True)
class Panel:
    """A panel with its measures in pixels.

    Attributes:
        title: first line.
        lines: lines under it, beside the plane.
        dot: valence and arousal in [-1, 1]; None if unknown, then there is no plane.
        line_px: height of a line of text.
        width: of the whole panel.
        height: of the whole panel.
    """

    title: str
    lines: tuple[str, ...]
    dot: tuple[float, float] | None
    line_px: int
    width: int
    height: int

    @property
    def padding(self) -> int:
        """Space around and between the parts."""
        return max(2, self.line_px // 3)

    @property
    def plane_px(self) -> int:
        """Side of the valence-arousal plane, 0 if there is none."""
        return 0 if self.dot is None else round(_PLANE_LINES * self.line_px)


def lay_out_panels(
    face: Faces, max_width: int, max_height: int, thresholds: Mapping[str, float] = _NO_THRESHOLDS
) -> list[Panel]:
    """Panels of one face that fit into the image, the one that tells most first.

    First everything in type of falling size, then, for crowds, the title alone in small type.

    Args:
        face: a `Faces` of length 1.
        max_width: of the image.
        max_height: of the image.
        thresholds: As for `draw_faces`.

    Returns:
        Nothing if nothing is known of the face or the image is too small for legible text.
    """
    title, lines, dot = _title(face), _unit_lines(face, thresholds), _dot(face)
    if not title and not lines and dot is None:
        return []
    sizes = [
        int(np.clip(share * min(max_width, max_height), _MIN_LINE_PX, _MAX_LINE_PX))
        for share in (*_LINE_SHARES, *_CROWD_LINE_SHARES)
    ]
    panels = [_measured(title, lines, dot, line_px) for line_px in sizes[: len(_LINE_SHARES)]]
    if title:
        panels += [_measured(title, (), None, line_px) for line_px in sizes[len(_LINE_SHARES) :]]
    return [panel for panel in panels if panel.width <= max_width and panel.height <= max_height]


def draw_panel(canvas: npt.NDArray[np.uint8], panel: Panel, left: int, top: int, colour: Colour) -> None:
    """Draw a panel into an image, which must hold it wholly.

    Args:
        canvas: (H, W, 3) uint8 RGB, changed in place.
        panel: what to draw.
        left: column of its upper left corner.
        top: row of its upper left corner.
        colour: of its edge and of the dot.
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


def _measured(title: str, lines: tuple[str, ...], dot: tuple[float, float] | None, line_px: int) -> Panel:
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


def _draw_plane(
    canvas: npt.NDArray[np.uint8], left: int, top: int, side: int, dot: tuple[float, float], colour: Colour
) -> None:
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
    # Capitals fill 0.6 of the line; below the base line there is room for g and p.
    return cv2.getFontScaleFromHeight(_FONT, max(1, round(0.6 * line_px)))


def _text_width(text: str, line_px: int) -> int:
    (width, _), _ = cv2.getTextSize(text, _FONT, _font_scale(line_px), _stroke(line_px))
    return int(width)


def _put_text(canvas: npt.NDArray[np.uint8], text: str, left: int, top: int, line_px: int) -> None:
    base = top + round(0.78 * line_px)
    cv2.putText(canvas, text, (left, base), _FONT, _font_scale(line_px), _TEXT, _stroke(line_px), cv2.LINE_AA)


def _stroke(line_px: int) -> int:
    return max(1, line_px // 16)


Rectangle = tuple[int, int, int, int]  # left, top, right, bottom

_UNTRACKED_COLOUR = (80, 220, 255)
_OUTLINE = (16, 16, 16)
# How long the lines of the head's axes are, in widths of the box, and their colours: to the side, up, ahead.
_AXIS_SHARE = 0.35
_AXIS_COLOURS = ((240, 80, 70), (70, 200, 90), (90, 140, 255))
_NOSE_TIP = 30  # of the 68 landmarks
_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2


def draw_faces(
    image: npt.NDArray[np.uint8],
    faces: Faces,
    *,
    thresholds: Mapping[str, float] = _NO_THRESHOLDS,
    anonymous: bool = False,
) -> npt.NDArray[np.uint8]:
    """Draw what was read on a copy of the image.

    Every face gets a box in the colour of its track and a panel with its track number, its most probable expression,
    the action units that are present and its place in the valence-arousal plane (valence to the
    right, arousal upwards, both -1 to 1). Sizes follow the image; a panel lies where it hides least, always inside.
    In a crowd, where it would hide other faces, it shrinks to the track number and the expression. Dots mark the 68
    points of faces that have them. Three lines from the nose show how the head is turned: red to its side, green to
    its crown, blue to where it looks (short where it looks into the camera).

    Args:
        image: (H, W, 3) uint8 RGB.
        faces: faces with boxes in pixels of this image; faces without a finite box are passed over, and of the
            others only what is known (not NaN) is shown.
        thresholds: Action unit -> probability from which it counts as present, such as ``spec.action_unit_thresholds``
            of the analyzer that gave the faces; 0.5 for units that are not named.
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
            for panel in lay_out_panels(face, width, height, thresholds)
        ]
        if choices:
            # In a crowd the panel that tells most would hide other faces: the least hiding one comes first then.
            panel, place = min(choices, key=lambda choice: _hidden(choice[1], others))
            draw_panel(canvas, panel, place[0], place[1], colour)
            taken.append(place)
    return canvas


def _draw_points(canvas: npt.NDArray[np.uint8], points: npt.NDArray[np.float32], radius: int, colour: Colour) -> None:
    """A dot on each landmark that is known."""
    for point in points[np.isfinite(points).all(axis=1)]:
        cv2.circle(canvas, _pixel(point), radius, colour, cv2.FILLED, cv2.LINE_AA)


def _draw_pose(canvas: npt.NDArray[np.uint8], face: Faces, thickness: int) -> None:
    """The head's axes as the viewer sees them, from the nose tip or, without landmarks, the centre of the box."""
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

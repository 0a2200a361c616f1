# SPDX-License-Identifier: Apache-2.0
"""Panels with the values of one face: their text and size, and how they are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np

from mien.core import ABSTAIN_REASONS, ACTION_UNITS, Faces, Image

Colour = tuple[int, int, int]

NO_THRESHOLDS: Mapping[str, float] = MappingProxyType({})
"""Thresholds of action units where none are given."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_UNITS_PER_LINE = 2
_MAX_NAMED_UNITS = 7
_MAX_OTHERS = 2
_PLANE_LINES = 5.0  # side of the valence-arousal plane in lines of text
_LINE_SHARE = 0.13  # height of a line of text as a share of the face's height
_MAX_LINE_SHARE = 0.045  # and of the shorter side of the image at most
_MIN_LINE_PX, _MAX_LINE_PX = 14, 56  # in smaller type OpenCV 5 leaves no space between words
_MAX_NOTE_SHARE = 0.5  # of the image's width and height that the tag with a note may take
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
    face: Faces, max_width: int, max_height: int, thresholds: Mapping[str, float] = NO_THRESHOLDS
) -> list[Panel]:
    """Lay out panels with all values of one face that fit into the image, the most detailed first.

    Args:
        face: A `Faces` of length 1; its height decides the size of the text.
        max_width: Width of the image in pixels.
        max_height: Height of the image in pixels.
        thresholds: Probability thresholds of action units, see `mien.media.draw_faces`.

    Returns:
        A panel with names of the action units, then one with their codes; an empty list if the face has neither
        valence and arousal nor present action units, or the image is too small for legible text.
    """
    dot = _dot(face)
    (units,) = face.present_action_units(thresholds)
    if dot is None and not units:
        return []
    line_px = _line_px(face, max_width, max_height)
    named = [ACTION_UNITS.full(unit) for unit in units[:_MAX_NAMED_UNITS]]
    if len(units) > _MAX_NAMED_UNITS:
        named.append(" ".join(units[_MAX_NAMED_UNITS:]))
    codes = [" ".join(units[i : i + _UNITS_PER_LINE]) for i in range(0, len(units), _UNITS_PER_LINE)]
    doubts = _doubts(face)
    panels = [_sized_panel(_title(face), [*doubts, *lines], dot, line_px) for lines in (named, codes)]
    return [panel for panel in panels if panel.width <= max_width and panel.height <= max_height]


def _doubts(face: Faces) -> list[str]:
    """Other expressions that stay possible, and the reasons to abstain."""
    (top,) = face.top_expressions()
    others = [name for name, member in zip(face.expression_labels, face.expression_sets[0], strict=True) if member]
    others = [name for name in others if name != top]
    reasons = [name for name, applies in zip(ABSTAIN_REASONS, face.abstain[0], strict=True) if applies]
    lines = [f"or {', '.join(others[:_MAX_OTHERS])}{', ...' if len(others) > _MAX_OTHERS else ''}"] if others else []
    return lines + ([f"abstain: {', '.join(reasons)}"] if reasons else [])


def lay_out_tags(face: Faces, max_width: int, max_height: int) -> list[Panel]:
    """Lay out tags with the number and the expression of one face, then with its number alone.

    Args:
        face: A `Faces` of length 1; its height decides the size of the text.
        max_width: Width of the image in pixels.
        max_height: Height of the image in pixels.
    """
    line_px = _line_px(face, max_width, max_height)
    tags = [_sized_panel(text, (), None, line_px) for text in dict.fromkeys((_title(face), _number(face)))]
    return [tag for tag in tags if tag.width <= max_width and tag.height <= max_height]


def time_tag(time_s: float, max_width: int, max_height: int, note: str = "") -> Panel:
    """A tag with a time, and a note under it where the image has room for it.

    Args:
        time_s: Time in seconds.
        max_width: Width of the image in pixels.
        max_height: Height of the image in pixels.
        note: How the values of the frame were made; empty for none.

    Examples:
        >>> time_tag(62.5, 640, 360).title
        '1:02.50'
    """
    minutes, seconds = divmod(max(time_s, 0.0), 60)
    line_px = int(np.clip(_MAX_LINE_SHARE * min(max_width, max_height), _MIN_LINE_PX, _MAX_LINE_PX))
    title = f"{int(minutes)}:{seconds:05.2f}"
    if note:
        noted = _sized_panel(title, (note,), None, line_px)
        if noted.width <= _MAX_NOTE_SHARE * max_width and noted.height <= _MAX_NOTE_SHARE * max_height:
            return noted
    return _sized_panel(title, (), None, line_px)


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
        put_text(canvas, panel.title, x, y, panel.line_px)
        y += panel.line_px + panel.padding
    if panel.dot is not None:
        _draw_plane(canvas, x, y, panel.plane_px, panel.dot, colour)
        x += panel.plane_px + panel.padding
    for line in panel.lines:
        put_text(canvas, line, x, y, panel.line_px)
        y += panel.line_px


def _line_px(face: Faces, max_width: int, max_height: int) -> int:
    height = float(face.boxes[0, 3] - face.boxes[0, 1])
    most = max(_MIN_LINE_PX, _MAX_LINE_SHARE * min(max_width, max_height))
    return int(np.clip(_LINE_SHARE * height, _MIN_LINE_PX, min(most, _MAX_LINE_PX)))


def _sized_panel(title: str, lines: Sequence[str], dot: tuple[float, float] | None, line_px: int) -> Panel:
    panel = Panel(title, tuple(lines), dot, line_px, 0, 0)
    widest = max((text_width(line, line_px) for line in lines), default=0)
    gap = panel.padding if lines and dot is not None else 0
    body_width = panel.plane_px + gap + widest
    body_height = max(panel.plane_px, len(lines) * line_px)
    title_height = line_px + (panel.padding if body_height else 0) if title else 0
    edge = max(2, line_px // 6)
    width = edge + max(body_width, text_width(title, line_px)) + 2 * panel.padding
    return Panel(title, tuple(lines), dot, line_px, width, title_height + body_height + 2 * panel.padding)


def _number(face: Faces) -> str:
    """Track of a face in a video, number of a face in a photo."""
    track_id = int(face.track_ids[0])
    return f"#{track_id}" if track_id >= 0 else f"{int(face.numbers[0])}"


def _title(face: Faces) -> str:
    expression = face.top_expressions()[0]
    if expression is None:
        return _number(face)
    return f"{_number(face)} {expression} {float(np.nanmax(face.expression[0])):.2f}"


def _dot(face: Faces) -> tuple[float, float] | None:
    valence, arousal = float(face.valence[0]), float(face.arousal[0])
    return (valence, arousal) if np.isfinite([valence, arousal]).all() else None


def _draw_plane(canvas: Image, left: int, top: int, side: int, dot: tuple[float, float], colour: Colour) -> None:
    right, bottom = left + side - 1, top + side - 1
    middle_x, middle_y = (left + right) // 2, (top + bottom) // 2
    cv2.rectangle(canvas, (left, top), (right, bottom), _AXES, 1)
    cv2.line(canvas, (left, middle_y), (right, middle_y), _AXES, 1)
    cv2.line(canvas, (middle_x, top), (middle_x, bottom), _AXES, 1)
    line_px = round(side / _PLANE_LINES)
    while line_px >= _MIN_NAME_PX and text_width("arousal", line_px) > side // 2 - 4:
        line_px -= 1
    if line_px >= _MIN_NAME_PX:
        put_text(canvas, "arousal", middle_x + 3, top + 1, line_px, _AXES)
        put_text(canvas, "valence", right - text_width("valence", line_px) - 2, middle_y + 2, line_px, _AXES)
    radius = max(2, side // 14)
    reach = side / 2 - radius - 1
    valence, arousal = np.clip(dot, -1, 1)
    centre = round((left + right) / 2 + valence * reach), round((top + bottom) / 2 - arousal * reach)
    cv2.circle(canvas, centre, radius + 1, _TEXT, -1, cv2.LINE_AA)
    cv2.circle(canvas, centre, radius, colour, -1, cv2.LINE_AA)


_MIN_NAME_PX = 7


def _font_scale(line_px: int) -> float:
    # Capitals fill 0.6 of the line; descenders need the space below the base line.
    return cv2.getFontScaleFromHeight(_FONT, max(1, round(0.6 * line_px)))


def text_width(text: str, line_px: int) -> int:
    """Width of a text in pixels.

    Args:
        text: One line.
        line_px: Height of the line.
    """
    (width, _), _ = cv2.getTextSize(text, _FONT, _font_scale(line_px), _stroke(line_px))
    return int(width)


def put_text(canvas: Image, text: str, left: int, top: int, line_px: int, colour: Colour = _TEXT) -> None:
    """Write a line of text.

    Args:
        canvas: (H, W, 3) uint8 RGB, changed in place.
        text: One line.
        left: Column of its first letter.
        top: Row of its upper edge.
        line_px: Height of the line.
        colour: RGB colour.
    """
    base = top + round(0.78 * line_px)
    cv2.putText(canvas, text, (left, base), _FONT, _font_scale(line_px), colour, _stroke(line_px), cv2.LINE_AA)


def _stroke(line_px: int) -> int:
    return max(1, line_px // 16)


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
    while line_px > 8 and text_width(text, line_px) > width:
        line_px -= 1
    put_text(canvas, text, max(0, (width - text_width(text, line_px)) // 2), (height - line_px) // 2, line_px)
    return canvas

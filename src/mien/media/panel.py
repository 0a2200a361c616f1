# SPDX-License-Identifier: Apache-2.0
"""The panel of readings beside a face: laid out first, so that a place can be sought for it, then drawn."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import Faces

Colour = tuple[int, int, int]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_ACTIVE = 0.5
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


def lay_out_panels(face: Faces, max_width: int, max_height: int) -> list[Panel]:
    """Panels of one face that fit into the image, the one that tells most first.

    First everything in type of falling size, then, for crowds, the title alone in small type.

    Args:
        face: a `Faces` of length 1.
        max_width: of the image.
        max_height: of the image.

    Returns:
        Nothing if nothing is known of the face or the image is too small for legible text.
    """
    title, lines, dot = _title(face), _unit_lines(face), _dot(face)
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


def _unit_lines(face: Faces) -> tuple[str, ...]:
    active = face.action_units[0] >= _ACTIVE  # NaN is not active
    names = [name for name, is_active in zip(face.action_unit_labels, active, strict=True) if is_active]
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

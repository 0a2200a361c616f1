# SPDX-License-Identifier: Apache-2.0
"""`Face`: one face and everything known about it, as plain Python values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, NoReturn

from mien.core.arrays import Float32
from mien.core.face_types.face_uncertainty import NAME_SEPARATOR, UNCERTAIN_NUMBERS

_BAR_PX = 120  # width of a bar of probability 1


class NamedValues(dict[str, Any]):
    """Name -> value; a name that is missing is an error that lists those that are there."""

    def __missing__(self, name: str) -> NoReturn:
        raise KeyError(f"no {name!r} here; there are: {', '.join(self)}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Face:
    """One face of an image or a frame; iterating over `Faces` gives these.

    A value that nothing measured is None, never 0. ``face[name]`` gives a value by the name of its table column.

    Attributes:
        number: Number of the face in its image, counted from 1 at the left; the table's column ``face``.
        box: Left, top, right and bottom edge in pixels of the upright image; may leave the image.
        confidence: Confidence of the detector in [0, 1]; None for a given crop.
        track_id: The same number for the same face through a video; None where nothing is tracked.
        pitch_rad: Head rotation in radians as seen by the viewer: positive lifts the nose.
        yaw_rad: Head rotation in radians: positive turns the nose to the image's right.
        roll_rad: Head rotation in radians: positive tilts the crown to the image's right.
        quality: Estimated probability in [0, 1] that the expression is predicted correctly on such an image.
        expression: The most probable expression.
        probabilities: Expression -> probability in [0, 1]; they sum to 1. Empty where the bundle predicts none.
        valence: Unpleasant to pleasant, in [-1, 1].
        arousal: Calm to excited, in [-1, 1].
        au: Action unit, such as ``"AU12"`` -> probability in [0, 1] that it is visible, not its intensity.
        landmarks: (68, 2) float32 pixels in 300-W order; NaN without a landmark model.
        keypoints: (5, 2) float32 pixels, see `Faces`.
        possible_expressions: Expressions that stay possible at the coverage of the bundle's calibration; empty without
            one.
        abstain: Reasons to abstain of `mien.core.ABSTAIN_REASONS`.
        valence_low: Lower end of the interval of valence; None without a calibration, as all that follows.
        valence_high: Upper end of the interval of valence.
        arousal_low: Lower end of the interval of arousal.
        arousal_high: Upper end of the interval of arousal.
        covered: Estimated probability that something covers the face.
        unfamiliar: Estimated probability that this is a drawing, a statue, an animal, a mask or a pattern.
        view_spread: Mean distance of the predictions of further views, see `Faces`.

    Examples:
        >>> from mien.core import Faces
        >>> faces = Faces(boxes=[[0, 0, 9, 9]], action_units=[[0.25]], action_unit_labels=("AU12",), valence=[0.5])
        >>> (face,) = faces
        >>> face.valence, face.au["AU12"], face.arousal is None
        (0.5, 0.25, True)
        >>> face["AU12"], face["x1"]
        (0.25, 9.0)
        >>> face.au["AU09"]
        Traceback (most recent call last):
        KeyError: "no 'AU09' here; there are: AU12"
    """

    number: int
    box: tuple[float, float, float, float]
    confidence: float | None
    track_id: int | None
    pitch_rad: float | None
    yaw_rad: float | None
    roll_rad: float | None
    quality: float | None
    expression: str | None
    probabilities: Mapping[str, float | None]
    valence: float | None
    arousal: float | None
    au: Mapping[str, float | None]
    landmarks: Float32
    keypoints: Float32
    possible_expressions: tuple[str, ...] = ()
    abstain: tuple[str, ...] = ()
    valence_low: float | None = None
    valence_high: float | None = None
    arousal_low: float | None = None
    arousal_high: float | None = None
    covered: float | None = None
    unfamiliar: float | None = None
    view_spread: float | None = None

    def to_dict(self) -> dict[str, int | float | str | None]:
        """Column of the table contract -> value, without source, frame, time and landmarks.

        Examples:
            >>> from mien.core import Faces
            >>> (face,) = Faces(boxes=[[1, 2, 3, 4]], valence=[0.5])
            >>> {name: value for name, value in face.to_dict().items() if value is not None}
            {'x0': 1.0, 'y0': 2.0, 'x1': 3.0, 'y1': 4.0, 'valence': 0.5, 'face': 1}
        """
        return {
            "track_id": self.track_id,
            "confidence": self.confidence,
            **dict(zip(("x0", "y0", "x1", "y1"), self.box, strict=True)),
            "pitch_rad": self.pitch_rad,
            "yaw_rad": self.yaw_rad,
            "roll_rad": self.roll_rad,
            "quality": self.quality,
            "expression": self.expression,
            **{f"expression_{label}": value for label, value in self.probabilities.items()},
            "valence": self.valence,
            "arousal": self.arousal,
            **self.au,
            "face": self.number,
            **self._uncertainty(),
        }

    def _uncertainty(self) -> dict[str, float | str | None]:
        """Columns of a calibrated bundle; empty where nothing is known."""
        numbers = {name: getattr(self, name) for name in UNCERTAIN_NUMBERS}
        if not (self.possible_expressions or self.abstain or any(value is not None for value in numbers.values())):
            return {}
        names = [NAME_SEPARATOR.join(values) or None for values in (self.possible_expressions, self.abstain)]
        return {"possible_expressions": names[0], **numbers, "abstain": names[1]}

    def __getitem__(self, name: str) -> int | float | str | None:
        value: int | float | str | None = NamedValues(self.to_dict())[name]
        return value

    def __repr__(self) -> str:
        parts = [f"number={self.number}"]
        if self.track_id is not None:
            parts.append(f"track_id={self.track_id}")
        if self.expression is not None:
            parts.append(f"expression={self.expression!r} ({_text(self.probabilities[self.expression])})")
        parts += [f"{name}={_text(getattr(self, name))}" for name in ("valence", "arousal", "quality")]
        return f"Face({', '.join(parts)})"

    def _repr_html_(self) -> str:
        """Bars of all probabilities, as notebooks show them."""
        title = f"face {self.number}" + (f", track {self.track_id}" if self.track_id is not None else "")
        facts = ", ".join(f"{name} {_text(getattr(self, name))}" for name in ("valence", "arousal", "quality"))
        rows = "".join(_bar(name, value) for name, value in (*self.probabilities.items(), *self.au.items()))
        return f"<div><b>{title}</b>: {facts}<table>{rows}</table></div>"


def _text(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def _bar(name: str, value: float | None) -> str:
    width = 0 if value is None else round(value * _BAR_PX)
    bar = f'<div style="background:#0072b2;height:0.7em;width:{width}px"></div>'
    return (
        f'<tr><td style="text-align:left">{escape(name)}</td><td style="text-align:left;width:{_BAR_PX}px">{bar}</td>'
        f"<td>{_text(value)}</td></tr>"
    )

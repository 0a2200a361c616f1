# SPDX-License-Identifier: Apache-2.0
"""The moments of a recording that are worth a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mien.results.recording import Recording, Subject
from mien.results.schema import expression_columns

_LEAST_CHANCE = 0.5
_BOX = ("x0", "y0", "x1", "y1")


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A frame to show.

    Attributes:
        frame: its number in the stream.
        time_s: its time.
        box: xyxy in pixels of the face to show; None for the whole picture.
        label: what is to be seen.
    """

    frame: int
    time_s: float
    box: tuple[float, float, float, float] | None
    label: str


Pictures = Callable[[str, Sequence[Moment]], Mapping[Moment, bytes]]
"""Gives the JPEG files of moments of a source; moments that cannot be shown are left out."""


def key_moments(recording: Recording, subject: Subject, most: int) -> list[Moment]:
    """The moments in which a face showed each of its expressions most, in order of time.

    Args:
        recording: one source.
        subject: one of its faces.
        most: how many to choose at most. A face that never shows an expression with half of the probability gets
            the one in which it was found most surely.
    """
    rows = recording.rows_of(subject)
    box = np.stack([recording.numbers(name)[rows] for name in _BOX], axis=1)
    rows = rows[np.isfinite(box).all(axis=1)]
    if not len(rows):
        return []
    peaks: list[tuple[float, int, str]] = []
    for name in expression_columns(recording.table.schema):
        chances = np.nan_to_num(recording.numbers(name)[rows])
        peak = int(chances.argmax())
        if chances[peak] >= _LEAST_CHANCE:
            label = f"{name.removeprefix('expression_')} {chances[peak]:.2f}"
            peaks.append((float(chances[peak]), int(rows[peak]), label))
    if not peaks:
        peaks = [(0.0, int(rows[np.nan_to_num(recording.numbers("confidence")[rows]).argmax()]), "in view")]
    chosen = sorted(sorted(peaks, reverse=True)[:most], key=lambda peak: peak[1])
    return [_moment(recording, row, label) for _, row, label in chosen]


def whole_picture(recording: Recording) -> Moment:
    """The first frame as a whole, for a photo."""
    frame = int(recording.table["frame"][0].as_py())
    return Moment(frame=frame, time_s=float(recording.frame_time_s[0]), box=None, label="photo")


def _moment(recording: Recording, row: int, label: str) -> Moment:
    x0, y0, x1, y1 = (float(recording.numbers(name)[row]) for name in _BOX)
    return Moment(
        frame=int(recording.table["frame"][row].as_py()),
        time_s=float(recording.row_time_s[row]),
        box=(x0, y0, x1, y1),
        label=label,
    )

# SPDX-License-Identifier: Apache-2.0
"""The moments of a recording of which a report shows an image: portraits and peaks of a face, and the frame strip."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.core import Float64, Indices
from mien.results.reports.face_series import BOX_COLUMNS
from mien.results.summaries.source_parts import Part
from mien.results.tables.recording import Recording

FACE_SIDE_PX, STRIP_SIDE_PX, PHOTO_SIDE_PX = 160, 192, 720
_MIN_PROBABILITY = 0.5
_IN_VIEW = "in view"


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A frame of which the report shows an image.

    Attributes:
        frame: Number of the frame in the stream.
        time_s: Time of the frame in seconds.
        box: Box xyxy in pixels of the face to show; None for the whole image.
        label: Caption, such as the expression and its probability.
        side_px: Longer side of the image in pixels.
    """

    frame: int
    time_s: float
    box: tuple[float, float, float, float] | None
    label: str
    side_px: int = FACE_SIDE_PX


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The image of a moment.

    Attributes:
        jpeg: Content of a JPEG file.
        width: Width in pixels of the whole frame or photo that it is cut from.
        height: Height of that in pixels.
    """

    jpeg: bytes
    width: int
    height: int

    @property
    def ratio(self) -> float:
        """Width of the whole frame over its height."""
        return self.width / self.height


ImagesOf = Callable[[Path, str, Sequence[Moment]], Mapping[Moment, Picture]]
"""Function that gives the images of moments of a source of a table; moments without an image are left out."""


class KeyMoments:
    """The moments with the highest probability of each expression of a face, and the one that shows it best.

    Args:
        expressions: Columns of expressions.
    """

    def __init__(self, expressions: Sequence[str]) -> None:
        self._expressions = expressions
        self._n_rows = 0
        self._peaks: dict[str, tuple[float, int, Moment]] = {}

    def add(self, recording: Recording, rows: Indices, columns: Mapping[str, Float64]) -> None:
        """Adds the next rows.

        Args:
            recording: Frames after those of the last call.
            rows: Rows of the face in them, in order of time.
            columns: Signal, ``confidence`` or side of the box -> (R,) values of every row of the recording.
        """
        box = np.stack([columns[name][rows] for name in BOX_COLUMNS], axis=1)
        rows = rows[np.isfinite(box).all(axis=1)]
        for name in (*self._expressions, _IN_VIEW) if len(rows) else ():
            values = _visibility(columns, rows) if name == _IN_VIEW else np.nan_to_num(columns[name][rows])
            highest = int(values.argmax())
            if name not in self._peaks or values[highest] > self._peaks[name][0]:
                label = name if name == _IN_VIEW else f"{name.removeprefix('expression_')} {values[highest]:.2f}"
                moment = _moment(recording, int(rows[highest]), columns, label)
                self._peaks[name] = float(values[highest]), self._n_rows + int(rows[highest]), moment
        self._n_rows += len(recording.table)

    def portrait(self) -> Moment | None:
        """The moment with the highest quality, or without any the highest detector confidence; None without a box."""
        return self._peaks[_IN_VIEW][2] if _IN_VIEW in self._peaks else None

    def chosen(self, most: int) -> list[Moment]:
        """The moments in order of time; none for a face whose expressions never reach a probability of 0.5.

        Args:
            most: Highest number of moments.
        """
        found = [peak for name, peak in self._peaks.items() if name != _IN_VIEW and peak[0] >= _MIN_PROBABILITY]
        ordered = sorted(found, key=lambda peak: (peak[0], peak[1], peak[2].label), reverse=True)
        return [moment for _, _, moment in sorted(ordered[:most], key=lambda peak: peak[1])]


class FrameStrip:
    """Whole frames of a recording at equal distances in time.

    Args:
        part: First part of a recording.
        n_frames: Highest number of frames.
    """

    def __init__(self, part: Part, n_frames: int) -> None:
        n = min(n_frames, part.n_frames)
        self._targets_s = part.begin_s + (part.end_s - part.begin_s) * (np.arange(n) + 0.5) / max(n, 1)
        self._n_found = 0
        self.moments: list[Moment] = []

    def add(self, part: Part) -> None:
        """Adds the next frames."""
        recording = part.recording
        time_s = recording.frame_time_s
        stop = len(self._targets_s) if part.is_last else int(np.searchsorted(self._targets_s, time_s[-1], side="right"))
        found = np.minimum(np.searchsorted(time_s, self._targets_s[self._n_found : stop]), len(time_s) - 1)
        self._n_found = max(self._n_found, stop)
        _, first_row = np.unique(recording.frame_of_row, return_index=True)
        self.moments += [whole_frame(recording, int(first_row[at]), STRIP_SIDE_PX) for at in np.unique(found)]


def whole_frame(recording: Recording, row: int, side_px: int) -> Moment:
    """The moment of a row as a whole frame.

    Args:
        recording: Frames of one source.
        row: Index of a row of the frame.
        side_px: Longer side of the image in pixels.
    """
    return Moment(
        frame=int(recording.table["frame"][row].as_py()),
        time_s=float(recording.row_time_s[row]),
        box=None,
        label="",
        side_px=side_px,
    )


def _visibility(columns: Mapping[str, Float64], rows: Indices) -> Float64:
    """Quality, or without one the detector's confidence, which is then below every quality."""
    quality, confidence = columns["quality"][rows], np.nan_to_num(columns["confidence"][rows])
    return np.where(np.isfinite(quality), quality, confidence - 1.0)


def _moment(recording: Recording, row: int, columns: Mapping[str, Float64], label: str) -> Moment:
    x0, y0, x1, y1 = (float(columns[name][row]) for name in BOX_COLUMNS)
    return Moment(
        frame=int(recording.table["frame"][row].as_py()),
        time_s=float(recording.row_time_s[row]),
        box=(x0, y0, x1, y1),
        label=label,
    )

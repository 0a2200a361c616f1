# SPDX-License-Identifier: Apache-2.0
"""The time series, the key moments and the coverage of a recording, gathered part by part for a report."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.core import DIMENSIONS, Float64, Indices
from mien.results.summaries.source_parts import Part
from mien.results.tables.recording import Recording
from mien.results.tables.schema import action_unit_columns

MISSING = 255
"""Byte for an unknown value; 0 to 250 stand for 0 to 1."""

_FULL = 250
_FRAMES_PER_BIN = 4  # or uneven steps would leave stretches without any
_MIN_PROBABILITY = 0.5

BOX_COLUMNS = ("x0", "y0", "x1", "y1")
"""Columns of the box of a face."""


class FaceSeries:
    """The time series of one face for the page's JSON.

    Rows are merged within pieces only, never across a gap. A merged point keeps the lowest and highest valence and
    arousal and the highest probability of every action unit beside the means, so that short events stay visible.

    Args:
        expressions: Columns of the expressions that the bundle has.
        units: Columns of the action units.
        rows_per_point: Number of rows that become one point, at least 1.
    """

    def __init__(self, expressions: Sequence[str], units: Sequence[str], rows_per_point: int) -> None:
        self._expressions = expressions
        self._units = units
        self._rows_per_point = rows_per_point
        self._columns = (*DIMENSIONS, *expressions, *units)
        self._last_s = -np.inf
        self._begins_piece = True
        # Time, end and signals of the rows that do not fill a point yet.
        self._rows: Float64 = np.empty((0, 2 + len(self._columns)))
        # Of all points; a code for each channel of the first point, then of the second one.
        self._begin_s = array("f")
        self._end_s = array("f")
        self._breaks = bytearray()
        self._codes = bytearray()

    def add(self, recording: Recording, rows: Indices, columns: Mapping[str, Float64]) -> None:
        """Adds the next rows.

        Args:
            recording: Frames after those of the last call.
            rows: Rows of the face in them, in order of time.
            columns: Signal -> (R,) values of every row of the recording.
        """
        for piece in recording.pieces(rows):
            time_s = recording.row_time_s[piece]
            self.close(float(time_s[0]) - recording.gap_s)
            values = [time_s, time_s + recording.row_hold_s[piece], *(columns[name][piece] for name in self._columns)]
            self._rows = np.concatenate([self._rows, np.stack(values, axis=1)])
            self._last_s = float(time_s[-1])
            self._pack(len(self._rows) // self._rows_per_point * self._rows_per_point)

    def close(self, time_s: float) -> bool:
        """Ends the piece if its last row is before a time, so that later rows are not merged with it.

        Returns:
            Whether it has ended.
        """
        ends = self._last_s < time_s
        if ends:
            self._pack(len(self._rows))
            self._begins_piece = True
        return ends

    def packed(self) -> dict[str, Any]:
        """The series once all rows are added.

        Returns:
            ``begin_s``, ``end_s`` (little-endian float32), ``breaks`` (bytes, 1 where a piece begins) and ``values``
            (bytes, channel by channel), each as base64, with the names of the ``channels`` and ``n_points``.
        """
        self._pack(len(self._rows))
        channels = self._channel_names()
        return {
            "n_points": len(self._begin_s),
            "begin_s": as_text(np.array(self._begin_s, "<f4")),
            "end_s": as_text(np.array(self._end_s, "<f4")),
            "breaks": as_text(np.frombuffer(self._breaks, np.uint8)),
            "channels": channels,
            "values": as_text(np.frombuffer(self._codes, np.uint8).reshape(-1, len(channels)).T),
        }

    def _pack(self, n_rows: int) -> None:
        """Makes points of the first rows; the last point may have fewer rows than the others."""
        if not n_rows:
            return
        rows, self._rows = self._rows[:n_rows], self._rows[n_rows:]
        first = np.arange(0, n_rows, self._rows_per_point)
        self._begin_s.extend(rows[first, 0])
        self._end_s.extend(rows[np.append(first[1:], n_rows) - 1, 1])
        breaks = np.zeros(len(first), np.uint8)
        breaks[0], self._begins_piece = self._begins_piece, False
        self._breaks += breaks.tobytes()
        codes = [to_codes(values) for values in self._channels(rows.T[2:], first)]
        self._codes += np.stack(codes, axis=1).tobytes()

    def _channels(self, signals: Float64, first: Indices) -> list[Float64]:
        values = iter(signals)
        channels: list[Float64] = []
        for _ in DIMENSIONS:
            shares = (next(values) + 1) / 2
            channels.append(_mean(shares, first))
            if self._rows_per_point > 1:
                channels += [np.fmin.reduceat(shares, first), np.fmax.reduceat(shares, first)]
        channels += [_mean(next(values), first) for _ in self._expressions]
        return channels + [np.fmax.reduceat(next(values), first) for _ in self._units]

    def _channel_names(self) -> list[str]:
        merged = self._rows_per_point > 1
        return [
            *(f"{name}{end}" for name in DIMENSIONS for end in (("", "_low", "_high") if merged else ("",))),
            *(name.removeprefix("expression_") for name in self._expressions),
            *(f"{name}_high" if merged else name for name in self._units),
        ]


class Coverage:
    """The share of frames with a face in equal stretches of time.

    Args:
        part: First part of a recording of several frames.
        n_bins: Highest number of stretches.
    """

    def __init__(self, part: Part, n_bins: int) -> None:
        self._begin_s = part.begin_s
        self._span_s = max(part.end_s - part.begin_s, 1e-9)
        n = max(1, min(n_bins, part.n_frames // _FRAMES_PER_BIN))
        self._n_frames = np.zeros(n)
        self._n_seen = np.zeros(n)

    def add(self, recording: Recording) -> None:
        """Adds the next frames."""
        n = len(self._n_frames)
        bins = np.minimum(((recording.frame_time_s - self._begin_s) / self._span_s * n).astype(int), n - 1)
        seen = np.zeros(len(bins))
        seen[recording.frame_of_row[recording.has_face]] = 1
        self._n_frames += np.bincount(bins, minlength=n)
        self._n_seen += np.bincount(bins, weights=seen, minlength=n)

    def packed(self) -> str:
        """One byte for each stretch as base64; `MISSING` for no frame."""
        shares = np.full(len(self._n_frames), np.nan)
        np.divide(self._n_seen, self._n_frames, out=shares, where=self._n_frames > 0)
        return as_text(to_codes(shares))


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A frame of which the report shows an image.

    Attributes:
        frame: Number of the frame in the stream.
        time_s: Time of the frame in seconds.
        box: Box xyxy in pixels of the face to show; None for the whole image.
        label: Caption, such as the expression and its probability.
    """

    frame: int
    time_s: float
    box: tuple[float, float, float, float] | None
    label: str


class KeyMoments:
    """The moments with the highest probability of each expression of a face.

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
        for name in (*self._expressions, "confidence") if len(rows) else ():
            values = np.nan_to_num(columns[name][rows])
            highest = int(values.argmax())
            if name not in self._peaks or values[highest] > self._peaks[name][0]:
                label = "in view"
                if name != "confidence":
                    label = f"{name.removeprefix('expression_')} {values[highest]:.2f}"
                moment = _moment(recording, int(rows[highest]), columns, label)
                self._peaks[name] = float(values[highest]), self._n_rows + int(rows[highest]), moment
        self._n_rows += len(recording.table)

    def chosen(self, most: int) -> list[Moment]:
        """The moments in order of time.

        Args:
            most: Highest number of moments. A face whose expressions never reach a probability of 0.5 gets the moment
                with the highest detector confidence.
        """
        peaks = {name: peak for name, peak in self._peaks.items() if name != "confidence"}
        found = [peak for peak in peaks.values() if peak[0] >= _MIN_PROBABILITY]
        if not found:
            return [self._peaks["confidence"][2]] if self._peaks else []
        ordered = sorted(found, key=lambda peak: (peak[0], peak[1], peak[2].label), reverse=True)
        return [moment for _, _, moment in sorted(ordered[:most], key=lambda peak: peak[1])]


def series_columns(recording: Recording, expressions: Sequence[str]) -> dict[str, Float64]:
    """The columns that `FaceSeries` and `KeyMoments` take.

    Args:
        recording: Frames of one source.
        expressions: Columns of expressions.
    """
    names = (*DIMENSIONS, *expressions, *action_unit_columns(recording.table.schema), "confidence", *BOX_COLUMNS)
    return {name: recording.numbers(name) for name in names}


def _moment(recording: Recording, row: int, columns: Mapping[str, Float64], label: str) -> Moment:
    x0, y0, x1, y1 = (float(columns[name][row]) for name in BOX_COLUMNS)
    return Moment(
        frame=int(recording.table["frame"][row].as_py()),
        time_s=float(recording.row_time_s[row]),
        box=(x0, y0, x1, y1),
        label=label,
    )


def _mean(values: Float64, first: Indices) -> Float64:
    known = np.isfinite(values)
    n_known = np.add.reduceat(known.astype(np.float64), first)
    sums = np.add.reduceat(np.where(known, values, 0.0), first)
    means: Float64 = np.full(len(first), np.nan)
    np.divide(sums, n_known, out=means, where=n_known > 0)
    return means


def to_codes(shares: Float64) -> npt.NDArray[np.uint8]:
    """Numbers in [0, 1] as bytes of 0 to 250; `MISSING` for what is not finite."""
    known = np.isfinite(shares)
    return np.where(known, np.rint(np.clip(np.where(known, shares, 0), 0, 1) * _FULL), MISSING).astype(np.uint8)


def as_text(values: npt.NDArray[Any]) -> str:
    """The bytes of an array as base64."""
    return base64.b64encode(values.tobytes()).decode("ascii")

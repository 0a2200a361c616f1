# SPDX-License-Identifier: Apache-2.0
"""The time series and the coverage of a recording, gathered part by part for a report."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mien.core import DIMENSIONS, Float64, Indices
from mien.results.summaries.source_parts import Part
from mien.results.tables.recording import Recording
from mien.results.tables.schema import action_unit_columns
from mien.results.tables.table_columns import EYE_COLUMNS

MISSING = 255
"""Byte for an unknown value; 0 to 250 stand for 0 to 1."""

_FULL = 250
_FRAMES_PER_BIN = 4  # or uneven steps would leave stretches without any

BOX_COLUMNS = ("x0", "y0", "x1", "y1")
"""Columns of the box of a face."""

POSE_RANGES = MappingProxyType({"pitch": 90.0, "yaw": 90.0, "roll": 180.0})
"""Angle of the head's pose -> largest value in degrees, either way, that a report shows."""

_EYES_OPEN = "eyes_open"  # mean of both eyes


@dataclass(frozen=True, kw_only=True)
class Signal:
    """A column of a face and how a report keeps it.

    Attributes:
        column: Column of `series_columns`.
        name: Name on the page.
        low: Value that becomes 0.
        high: Value that becomes 1.
        merged: What stays of several rows: their mean; their highest or lowest value, for short events; or the mean
            with both ("range").
    """

    column: str
    name: str
    low: float = 0.0
    high: float = 1.0
    merged: Literal["mean", "high", "low", "range"] = "mean"

    def channels(self, values: Float64, first: Indices, *, merged: bool) -> list[Float64]:
        """The shares 0 to 1 of every channel.

        Args:
            values: (R,) of the column.
            first: (P,) index of the first row of every point.
            merged: Whether a point has several rows.
        """
        shares = (values - self.low) / (self.high - self.low)
        if self.merged == "high":
            return [np.fmax.reduceat(shares, first)]
        if self.merged == "low":
            return [np.fmin.reduceat(shares, first)]
        if self.merged == "range" and merged:
            return [_mean(shares, first), np.fmin.reduceat(shares, first), np.fmax.reduceat(shares, first)]
        return [_mean(shares, first)]

    def names(self, *, merged: bool) -> list[str]:
        """The names of the channels.

        Args:
            merged: Whether a point has several rows.
        """
        if not merged or self.merged == "mean":
            return [self.name]
        if self.merged == "range":
            return [self.name, f"{self.name}_low", f"{self.name}_high"]
        return [f"{self.name}_{self.merged}"]


def face_signals(schema: pa.Schema, expressions: Sequence[str]) -> list[Signal]:
    """The signals of a table's faces, in the order of the page.

    Args:
        schema: Schema of the table.
        expressions: Columns of the expressions that the bundle has.
    """
    return [
        *(Signal(column=name, name=name, low=-1.0, merged="range") for name in DIMENSIONS),
        *(Signal(column=name, name=name.removeprefix("expression_")) for name in expressions),
        *(Signal(column=name, name=name, merged="high") for name in action_unit_columns(schema)),
        *(
            Signal(column=f"{name}_rad", name=name, low=-np.deg2rad(most), high=np.deg2rad(most))
            for name, most in POSE_RANGES.items()
        ),
        Signal(column="quality", name="quality"),
        *(
            [Signal(column=_EYES_OPEN, name=_EYES_OPEN, merged="low")]
            if all(name in schema.names for name in EYE_COLUMNS)
            else []
        ),
    ]


class FaceSeries:
    """The time series of one face for the page's JSON.

    Rows are merged within pieces only, never across a gap. A merged point keeps the lowest and highest valence and
    arousal and the highest probability of every action unit beside the means, so that short events stay visible.

    Args:
        signals: Signals of the face, see `face_signals`.
        rows_per_point: Number of rows that become one point, at least 1.
    """

    def __init__(self, signals: Sequence[Signal], rows_per_point: int) -> None:
        self._signals = signals
        self._rows_per_point = rows_per_point
        self._last_s = -np.inf
        self._begins_piece = True
        # Time, end and signals of the rows that do not fill a point yet.
        self._rows: Float64 = np.empty((0, 2 + len(signals)))
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
            signals = (columns[signal.column][piece] for signal in self._signals)
            values = [time_s, time_s + recording.row_hold_s[piece], *signals]
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
        codes = [
            to_codes(channel)
            for signal, values in zip(self._signals, rows.T[2:], strict=True)
            for channel in signal.channels(values, first, merged=self._rows_per_point > 1)
        ]
        self._codes += np.stack(codes, axis=1).tobytes()

    def _channel_names(self) -> list[str]:
        merged = self._rows_per_point > 1
        return [name for signal in self._signals for name in signal.names(merged=merged)]


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


def series_columns(recording: Recording, signals: Sequence[Signal]) -> dict[str, Float64]:
    """The columns that `FaceSeries` and `KeyMoments` take.

    Args:
        recording: Frames of one source.
        signals: Signals of its faces.
    """
    names = {*(signal.column for signal in signals if signal.column != _EYES_OPEN), "confidence", *BOX_COLUMNS}
    columns = {name: recording.numbers(name) for name in names}
    left, right = (recording.numbers(name) for name in EYE_COLUMNS)
    columns[_EYES_OPEN] = (left + right) / 2
    return columns


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

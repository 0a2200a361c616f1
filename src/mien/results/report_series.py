# SPDX-License-Identifier: Apache-2.0
"""The course of one face as a page carries it: rows united to points, and points packed into a few bytes each."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.core import DIMENSIONS
from mien.results.recording import Floats, Recording, Subject
from mien.results.schema import action_unit_columns, expression_columns

MISSING = 255
"""The byte that stands for an unknown value; 0 to 250 stand for 0 to 1."""

_FULL = 250
_FRAMES_PER_BIN = 4  # or uneven steps would leave stretches without any


def pack_face(recording: Recording, subject: Subject, rows_per_point: int) -> dict[str, Any]:
    """The points of one face for the page's JSON.

    Rows are united within pieces only, never across a gap. A united point keeps the lowest and highest valence and
    arousal and the highest probability of every expression and action unit beside the means, so that nothing short is
    lost from sight.

    Args:
        recording: one source.
        subject: one of its followed faces.
        rows_per_point: rows that become one point, at least 1.

    Returns:
        ``begin_s``, ``end_s`` (little-endian float32), ``breaks`` (bytes, 1 where a piece begins) and ``values``
        (bytes, channel by channel), each as base64, with the names of the ``channels`` and ``n_points``.
    """
    rows, first, breaks = _points(recording.pieces(recording.rows_of(subject)), rows_per_point)
    channels = _channels(recording, rows, first, united=rows_per_point > 1)
    last = np.append(first[1:], len(rows)) - 1
    begin_s = recording.row_time_s[rows[first]]
    end_s = recording.row_time_s[rows[last]] + recording.row_hold_s[rows[last]]
    return {
        "n_points": len(first),
        "begin_s": _text(begin_s.astype("<f4")),
        "end_s": _text(end_s.astype("<f4")),
        "breaks": _text(breaks),
        "channels": list(channels),
        "values": _text(np.concatenate([_codes(values) for values in channels.values()])),
    }


def pack_coverage(recording: Recording, n_bins: int) -> str:
    """Share of frames with a face in equal stretches of the recording, one byte each, as base64; unknown: no frame."""
    n_bins = max(1, min(n_bins, len(recording.frame_time_s) // _FRAMES_PER_BIN))
    span = max(recording.end_s - recording.frame_time_s[0], 1e-9)
    bins = np.minimum(((recording.frame_time_s - recording.frame_time_s[0]) / span * n_bins).astype(int), n_bins - 1)
    seen = np.zeros(len(recording.frame_time_s))
    seen[recording.frame_of_row[recording.has_face]] = 1
    n_frames = np.bincount(bins, minlength=n_bins)
    shares = np.full(n_bins, np.nan)
    np.divide(np.bincount(bins, weights=seen, minlength=n_bins), n_frames, out=shares, where=n_frames > 0)
    return _text(_codes(shares))


def _points(
    pieces: Sequence[npt.NDArray[np.intp]], rows_per_point: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.uint8]]:
    """All rows, the position of each point's first row among them, and whether a piece begins there."""
    starts, breaks, n_before = [], [], 0
    for piece in pieces:
        begins = np.arange(0, len(piece), rows_per_point)
        starts.append(begins + n_before)
        breaks.append((begins == 0).astype(np.uint8))
        n_before += len(piece)
    return np.concatenate(pieces), np.concatenate(starts), np.concatenate(breaks)


def _channels(
    recording: Recording, rows: npt.NDArray[np.intp], first: npt.NDArray[np.intp], *, united: bool
) -> dict[str, Floats]:
    schema = recording.table.schema
    channels: dict[str, Floats] = {}
    for name in DIMENSIONS:
        values = (recording.numbers(name)[rows] + 1) / 2
        channels[name] = _mean(values, first)
        if united:
            channels[f"{name}_low"] = np.fmin.reduceat(values, first)
            channels[f"{name}_high"] = np.fmax.reduceat(values, first)
    for name in expression_columns(schema):
        if recording.table[name].null_count == len(recording.table):
            continue  # a class that the bundle does not have
        channels[name.removeprefix("expression_")] = _mean(recording.numbers(name)[rows], first)
    for name in action_unit_columns(schema):
        channels[f"{name}_high" if united else name] = np.fmax.reduceat(recording.numbers(name)[rows], first)
    return channels


def _mean(values: Floats, first: npt.NDArray[np.intp]) -> Floats:
    known = np.isfinite(values)
    n_known = np.add.reduceat(known.astype(np.float64), first)
    sums = np.add.reduceat(np.where(known, values, 0.0), first)
    means: Floats = np.full(len(first), np.nan)
    np.divide(sums, n_known, out=means, where=n_known > 0)
    return means


def _codes(shares: Floats) -> npt.NDArray[np.uint8]:
    known = np.isfinite(shares)
    return np.where(known, np.rint(np.clip(np.where(known, shares, 0), 0, 1) * _FULL), MISSING).astype(np.uint8)


def _text(values: npt.NDArray[Any]) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")

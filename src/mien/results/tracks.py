# SPDX-License-Identifier: Apache-2.0
"""The tracks of a table: when and where each is seen, and which of them change places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mien.results import arrow_compute as pc
from mien.results.persons import moment_numbers, track_numbers
from mien.results.recording import column_numbers
from mien.results.schema import PERSON_COLUMN

Floats = npt.NDArray[np.float64]

# Over so many rows at each end the place is averaged: a single box jitters.
_PLACE_ROWS = 10


@dataclass(frozen=True, kw_only=True)
class Track:
    """One track of one source.

    Attributes:
        source: the input.
        track_id: its number there.
        person: whom a user has named it, None if nobody.
        first_frame: where it begins.
        last_frame: where it ends.
        first_s: when it begins.
        last_s: when it ends.
        n_rows: frames in which it is seen.
        coverage: share of the table's frames from its first to its last in which it is seen, in (0, 1].
        width_px: mean width of its boxes, NaN where the table has none.
        height_px: mean height.
        confidence: mean of the detector's.
        place_first_px: (x, y) of the mean centre of its first boxes.
        place_last_px: the same of its last ones.
    """

    source: str
    track_id: int
    person: str | None
    first_frame: int
    last_frame: int
    first_s: float
    last_s: float
    n_rows: int
    coverage: float
    width_px: float
    height_px: float
    confidence: float
    place_first_px: tuple[float, float]
    place_last_px: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Swap:
    """Two tracks that stand the other way round at the end of their common time than at its beginning.

    Attributes:
        source: the input.
        track_ids: the two.
        first_s: their first common frame.
        last_s: their last common frame.
    """

    source: str
    track_ids: tuple[int, int]
    first_s: float
    last_s: float


def list_tracks(table: pa.Table) -> tuple[Track, ...]:
    """Every track, by source and number; rows that belong to none are passed over."""
    moments = moment_numbers(table)
    frame, time_s = table["frame"].to_numpy(), table["time_s"].to_numpy()
    boxes = _boxes(table)
    confidence = column_numbers(table["confidence"])
    persons = table[PERSON_COLUMN.name] if PERSON_COLUMN.name in table.schema.names else None
    tracks = []
    for source, track_id, rows in _members(table):
        first, last = rows[0], rows[-1]
        size, centres = boxes[rows, 2:] - boxes[rows, :2], (boxes[rows, 2:] + boxes[rows, :2]) / 2
        # Moments of a source are numbered on end: their distance counts the table's frames between.
        n_frames = int(moments[last] - moments[first]) + 1
        tracks.append(
            Track(
                source=source,
                track_id=track_id,
                person=None if persons is None else persons[int(first)].as_py(),
                first_frame=int(frame[first]),
                last_frame=int(frame[last]),
                first_s=float(time_s[first]),
                last_s=float(time_s[last]),
                n_rows=len(rows),
                coverage=len(np.unique(moments[rows])) / n_frames,
                width_px=float(size[:, 0].mean()),
                height_px=float(size[:, 1].mean()),
                confidence=float(confidence[rows].mean()),
                place_first_px=_place(centres[:_PLACE_ROWS]),
                place_last_px=_place(centres[-_PLACE_ROWS:]),
            )
        )
    return tuple(tracks)


def list_swaps(table: pa.Table) -> tuple[Swap, ...]:
    """Pairs of tracks that change sides while both are seen.

    Either two people have changed places, or the tracker has mistaken one for the other; the table cannot tell which.
    Nothing is corrected: whoever names persons should look there.
    """
    moments, time_s, boxes = moment_numbers(table), table["time_s"].to_numpy(), _boxes(table)
    middle = (boxes[:, 0] + boxes[:, 2]) / 2
    swaps = []
    for (source, a, rows_a), (other, b, rows_b) in combinations(_members(table), 2):
        if source != other or moments[rows_a[-1]] < moments[rows_b[0]] or moments[rows_b[-1]] < moments[rows_a[0]]:
            continue
        _, at_a, at_b = np.intersect1d(moments[rows_a], moments[rows_b], return_indices=True)
        if len(at_a) < 2:
            continue
        side = middle[rows_a[at_a]] - middle[rows_b[at_b]]
        n = min(_PLACE_ROWS, len(side) // 2)
        if side[:n].mean() * side[-n:].mean() < 0:
            first, last = (float(time_s[rows_a[at_a[k]]]) for k in (0, -1))
            swaps.append(Swap(source=source, track_ids=(a, b), first_s=first, last_s=last))
    return tuple(swaps)


def _members(table: pa.Table) -> Iterator[tuple[str, int, npt.NDArray[np.intp]]]:
    """Source, number and rows, by frame, of every track."""
    moments, tracks = moment_numbers(table), track_numbers(table)
    for source in pc.unique(table["source"]).to_pylist():
        here = np.flatnonzero(np.asarray(pc.equal(table["source"], source).to_numpy()) & (tracks >= 0))
        for track_id in np.unique(tracks[here]).tolist():
            rows = here[tracks[here] == track_id]
            yield source, track_id, rows[np.argsort(moments[rows], kind="stable")]


def _boxes(table: pa.Table) -> Floats:
    return np.stack([column_numbers(table[name]) for name in ("x0", "y0", "x1", "y1")], axis=1)


def _place(centres: Floats) -> tuple[float, float]:
    x, y = centres.mean(axis=0)
    return float(x), float(y)

# SPDX-License-Identifier: Apache-2.0
"""The tracks of a table and possible identity switches among them, gathered part by part."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pyarrow as pa

from mien.core import Bools, Float64, Indices
from mien.results.tables.recording import source_runs
from mien.results.tables.schema import column_numbers
from mien.results.tables.table_columns import PERSON_COLUMN
from mien.results.tables.table_stream import TableStream, track_numbers

# Number of boxes at each end over which the place is averaged: a single box jitters.
_PLACE_ROWS = 10


@dataclass(frozen=True, kw_only=True)
class Track:
    """One track of one source.

    Attributes:
        source: Name of the input.
        track_id: Number of the track within the source.
        person: Name that a user gave to the track, None without one.
        first_frame: Number of its first frame.
        last_frame: Number of its last frame.
        first_s: Time of its first frame in seconds.
        last_s: Time of its last frame in seconds.
        n_rows: Number of frames in which it is seen.
        coverage: Share of the table's frames between its first and its last in which it is seen, in (0, 1].
        width_px: Mean width of its boxes, NaN where the table has no boxes.
        height_px: Mean height of its boxes, NaN where the table has no boxes.
        confidence: Mean confidence of the detector.
        place_first_px: Mean centre (x, y) of its first boxes.
        place_last_px: Mean centre (x, y) of its last boxes.
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
class PossibleIdSwitch:
    """Two tracks whose left-right order at the end of their common time differs from that at its beginning.

    Attributes:
        source: Name of the input.
        track_ids: Numbers of the two tracks.
        first_s: Time of their first common frame in seconds.
        last_s: Time of their last common frame in seconds.
    """

    source: str
    track_ids: tuple[int, int]
    first_s: float
    last_s: float


def list_tracks(table: pa.Table) -> tuple[Track, ...]:
    """Every track, by source and number; rows without a track are ignored."""
    return TrackSurvey.of(TableStream.of(lambda: iter([table])).parts()).tracks


def list_possible_id_switches(table: pa.Table) -> tuple[PossibleIdSwitch, ...]:
    """Pairs of tracks that change sides while both are seen.

    Either two people have changed places, or the tracker has mistaken one for the other; the table does not show
    which. Nothing is corrected: check these tracks before you name persons.
    """
    return TrackSurvey.of(TableStream.of(lambda: iter([table])).parts()).id_switches


class TrackSurvey:
    """What `list_tracks` and `list_possible_id_switches` give, with one part of a table in memory at a time."""

    def __init__(self) -> None:
        self._sources: dict[str, _SourceTracks] = {}

    @classmethod
    def of(cls, parts: Iterable[pa.Table]) -> TrackSurvey:
        """The survey of the parts of a `TableStream`."""
        survey = cls()
        for part in parts:
            survey.add(part)
        return survey

    def add(self, part: pa.Table) -> None:
        """Adds the next part of a `TableStream`."""
        for name, rows in source_runs([part]):
            self._sources.setdefault(name, _SourceTracks(name)).add(rows)

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Every track, by source and number."""
        return tuple(track for source in self._sources.values() for track in source.tracks())

    @property
    def id_switches(self) -> tuple[PossibleIdSwitch, ...]:
        """Pairs of tracks that change sides while both are seen, by source and numbers."""
        return tuple(switch for source in self._sources.values() for switch in source.switches())


@dataclass(kw_only=True)
class _Ends:
    """The first and the last of a series of numbers or vectors."""

    first: list[Float64] = field(default_factory=list)
    last: deque[Float64] = field(default_factory=lambda: deque(maxlen=_PLACE_ROWS))

    def add(self, values: Float64) -> None:
        """Adds the next values (N, ...)."""
        self.first.extend(values[: _PLACE_ROWS - len(self.first)])
        self.last.extend(values[-_PLACE_ROWS:])


@dataclass(kw_only=True)
class _TrackSums:
    """What is known of a track so far; frames are counted within their source."""

    person: str | None
    first: tuple[int, int, float]
    last: tuple[int, int, float]
    n_rows: int = 0
    sums: Float64 = field(default_factory=lambda: np.zeros(3))
    places: _Ends = field(default_factory=_Ends)


@dataclass(kw_only=True)
class _PairSides:
    """How far the first of two tracks is to the right of the second, in their common frames."""

    first_s: float
    last_s: float
    n_frames: int = 0
    sides: _Ends = field(default_factory=_Ends)

    @property
    def changed(self) -> bool:
        """Whether the order at the end differs from that at the beginning."""
        n = min(_PLACE_ROWS, self.n_frames // 2)
        if not n:
            return False
        first, last = np.array(self.sides.first[:n]), np.array(self.sides.last)[-n:]
        return bool(first.mean() * last.mean() < 0)


class _SourceTracks:
    """The tracks of one source, part by part in order of its frames."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._n_frames = 0
        self._tracks: dict[int, _TrackSums] = {}
        self._pairs: dict[tuple[int, int], _PairSides] = {}

    def add(self, rows: pa.Table) -> None:
        """Adds whole frames after those of the last call."""
        frames, time_s, tracks = rows["frame"].to_numpy(), rows["time_s"].to_numpy(), track_numbers(rows)
        ordinal = np.cumsum(np.diff(frames, prepend=frames[0]) > 0)
        boxes = np.stack([column_numbers(rows[name]) for name in ("x0", "y0", "x1", "y1")], axis=1)
        centres = (boxes[:, 2:] + boxes[:, :2]) / 2
        sizes = np.column_stack([boxes[:, 2:] - boxes[:, :2], column_numbers(rows["confidence"])])
        persons = rows[PERSON_COLUMN.name] if PERSON_COLUMN.name in rows.schema.names else None
        order = np.argsort(tracks, kind="stable")
        members = {
            int(tracks[own[0]]): own
            for own in np.split(order, np.flatnonzero(np.diff(tracks[order])) + 1)
            if tracks[own[0]] >= 0
        }
        for track, own in members.items():
            places = [(int(frames[at]), self._n_frames + int(ordinal[at]), float(time_s[at])) for at in own[[0, -1]]]
            if track not in self._tracks:
                person = None if persons is None else persons[int(own[0])].as_py()
                self._tracks[track] = _TrackSums(person=person, first=places[0], last=places[0])
            sums = self._tracks[track]
            sums.last = places[1]
            sums.n_rows += len(own)
            sums.sums += np.ascontiguousarray(sizes[own].T).sum(axis=1)
            sums.places.add(centres[own])
        self._add_pairs(members, ordinal, time_s, centres[:, 0])
        self._n_frames += int(ordinal[-1]) + 1

    def tracks(self) -> Iterator[Track]:
        """Every track, by number."""
        for track_id, sums in sorted(self._tracks.items()):
            width_px, height_px, confidence = (sums.sums / sums.n_rows).tolist()
            yield Track(
                source=self._name,
                track_id=track_id,
                person=sums.person,
                first_frame=sums.first[0],
                last_frame=sums.last[0],
                first_s=sums.first[2],
                last_s=sums.last[2],
                n_rows=sums.n_rows,
                coverage=sums.n_rows / (sums.last[1] - sums.first[1] + 1),
                width_px=width_px,
                height_px=height_px,
                confidence=confidence,
                place_first_px=_place(np.array(sums.places.first)),
                place_last_px=_place(np.array(sums.places.last)),
            )

    def switches(self) -> Iterator[PossibleIdSwitch]:
        """The pairs that change sides, by their numbers."""
        for tracks, sides in sorted(self._pairs.items(), key=lambda pair: pair[0]):
            if sides.changed:
                yield PossibleIdSwitch(source=self._name, track_ids=tracks, first_s=sides.first_s, last_s=sides.last_s)

    def _add_pairs(self, members: dict[int, Indices], ordinal: Indices, time_s: Float64, middle: Float64) -> None:
        """Adds the common frames of every two tracks."""
        n_frames = int(ordinal[-1]) + 1
        here: dict[int, Bools] = {}
        place: dict[int, Float64] = {}
        for track, own in members.items():
            here[track], place[track] = np.zeros(n_frames, np.bool_), np.full(n_frames, np.nan)
            here[track][ordinal[own]], place[track][ordinal[own]] = True, middle[own]
        time_of_frame = np.empty(n_frames)
        time_of_frame[ordinal] = time_s
        for pair in combinations(sorted(members), 2):
            common = np.flatnonzero(here[pair[0]] & here[pair[1]])
            if not len(common):
                continue
            first_s, last_s = time_of_frame[common[[0, -1]]].tolist()
            sides = self._pairs.setdefault(pair, _PairSides(first_s=first_s, last_s=last_s))
            sides.last_s = last_s
            sides.n_frames += len(common)
            sides.sides.add(place[pair[0]][common] - place[pair[1]][common])


def _place(centres: Float64) -> tuple[float, float]:
    x, y = centres.mean(axis=0)
    return float(x), float(y)

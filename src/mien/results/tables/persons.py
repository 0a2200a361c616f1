# SPDX-License-Identifier: Apache-2.0
"""Tracks and persons of a table: list tracks, name persons, select rows of a face, find possible identity switches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mien.core import Bools, ConfigError, FaceSelector, Float64, Indices, Int64
from mien.results.tables import arrow_compute as pc
from mien.results.tables.schema import PERSON_COLUMN, column_numbers

_SHOWN = 5
_KEPT_WITHOUT_FACE = ("source", "frame", "time_s")


def name_persons(table: pa.Table, persons: Mapping[str, Sequence[int]], *, source: str | None = None) -> pa.Table:
    """The table with the column ``person``: tracks get names, and tracks of one name are one person.

    Rows, their order and ``track_id`` stay as they are. A track that is not named here keeps the name that it had.

    Args:
        table: Affect table.
        persons: Name -> numbers of the tracks of that person.
        source: Source of the tracks; needed where the table has several sources.

    Raises:
        ConfigError: A track is unknown or named twice, a name is empty, or a person would have two faces in one frame.
    """
    sources = pc.unique(table["source"]).to_pylist()
    if source is None and len(sources) > 1:
        raise ConfigError(f"the table has {len(sources)} sources with tracks of their own; say which: {_some(sources)}")
    if source is not None and source not in sources:
        raise ConfigError(f"the table has no source {source!r}; it has {_some(sources)}")
    here = np.ones(len(table), bool) if source is None else _mask(pc.equal(table["source"], source))
    tracks = track_numbers(table)
    known = np.unique(tracks[here & (tracks >= 0)]).tolist()
    names = np.array(_persons(table), dtype=object)
    named: dict[int, str] = {}
    for person, members in persons.items():
        if not person.strip():
            raise ConfigError("a person needs a name, such as patient")
        for track in members:
            if track not in known:
                raise ConfigError(f"there is no track {track} to call {person!r}; there are {_some(known)}")
            if track in named:
                raise ConfigError(f"track {track} cannot be both {named[track]!r} and {person!r}")
            named[track] = person
            names[here & (tracks == track)] = person
    _refuse_two_at_once(table, names)
    column = pa.array(names.tolist(), pa.string())
    if PERSON_COLUMN.name in table.schema.names:
        return table.set_column(table.schema.get_field_index(PERSON_COLUMN.name), PERSON_COLUMN.field, column)
    return table.add_column(table.schema.get_field_index("track_id") + 1, PERSON_COLUMN.field, column)


def choose_faces(table: pa.Table, choice: FaceSelector) -> pa.Table:
    """The rows of the chosen faces; a frame without any of them keeps one row without a face.

    Args:
        table: Affect table.
        choice: Choice of faces. ``"largest"`` is decided in each frame.

    Raises:
        ConfigError: No face in the table matches the choice.
    """
    if choice.rule == "all":
        return table
    wanted = _wanted(table, choice)
    keys = frame_keys(table)
    missed = np.flatnonzero(~np.isin(keys, keys[wanted]))
    blank = missed[np.unique(keys[missed], return_index=True)[1]]
    rows = np.sort(np.concatenate([np.flatnonzero(wanted), blank]))
    is_blank = pa.array(np.isin(rows, blank))
    chosen = table.take(pa.array(rows))
    columns = []
    for field, column in zip(chosen.schema, chosen.columns, strict=True):
        if field.name in _KEPT_WITHOUT_FACE:
            columns.append(column)
        else:
            replacement = pa.scalar(False if field.name == "success" else None, field.type)
            columns.append(pc.if_else(is_blank, replacement, column))
    return pa.Table.from_arrays(columns, schema=chosen.schema)


def track_numbers(table: pa.Table) -> Int64:
    """Track of each row, -1 for rows that belong to none."""
    return np.asarray(table["track_id"].fill_null(-1).to_numpy(), dtype=np.int64)


def frame_keys(table: pa.Table) -> Int64:
    """One number for each frame of each source, ascending with source (by first appearance) and frame."""
    sources = table["source"].combine_chunks()
    source = np.asarray(pc.index_in(sources, value_set=pc.unique(sources)), dtype=np.int64)
    pairs = np.stack([source, table["frame"].to_numpy()], axis=1)
    return np.asarray(np.unique(pairs, axis=0, return_inverse=True)[1]).reshape(-1)


def _wanted(table: pa.Table, choice: FaceSelector) -> Bools:
    if choice.rule == "largest":
        return _largest(table)
    if choice.rule == "track":
        tracks = track_numbers(table)
        wanted = np.asarray(tracks == choice.track_id)
        if not wanted.any():
            known = np.unique(tracks[tracks >= 0]).tolist()
            raise ConfigError(f"the table has no track {choice.track_id}; it has {_some(known)}")
        return wanted
    names = np.array(_persons(table), dtype=object)
    wanted = names == choice.person
    if not wanted.any():
        known = sorted({name for name in names if name is not None})
        raise ConfigError(f"the table has no person {choice.person!r}; it has {_some(known)}; name one by mien tracks")
    return np.asarray(wanted, dtype=bool)


def _largest(table: pa.Table) -> Bools:
    """The row with the largest box of each frame with a face; the first where no box is known."""
    x0, y0, x1, y1 = (np.nan_to_num(table[name].to_numpy()) for name in ("x0", "y0", "x1", "y1"))
    faces = np.flatnonzero(_mask(table["success"]))
    area, keys = ((x1 - x0) * (y1 - y0))[faces], frame_keys(table)[faces]
    order = np.lexsort((-area, keys))
    first = np.unique(keys[order], return_index=True)[1]
    wanted = np.zeros(len(table), dtype=bool)
    wanted[faces[order[first]]] = True
    return wanted


def _refuse_two_at_once(table: pa.Table, names: npt.NDArray[np.object_]) -> None:
    keys, tracks, frames = frame_keys(table), track_numbers(table), table["frame"].to_numpy()
    for person in sorted({name for name in names if name is not None}):
        rows = np.flatnonzero(names == person)
        _, first, counts = np.unique(keys[rows], return_index=True, return_counts=True)
        twice = np.sort(frames[rows[first[counts > 1]]]).tolist()
        if twice:
            members = np.unique(tracks[rows]).tolist()
            raise ConfigError(
                f"{person!r} cannot be tracks {_some(members)}: they are two faces in {len(twice)} frames"
                f" ({_some(twice)}); one person has one face in a frame"
            )


def _persons(table: pa.Table) -> list[str | None]:
    if PERSON_COLUMN.name not in table.schema.names:
        return [None] * len(table)
    names: list[str | None] = table[PERSON_COLUMN.name].to_pylist()
    return names


def _mask(column: pa.ChunkedArray) -> Bools:
    return np.asarray(column.to_numpy(), dtype=bool)


def _some(names: Sequence[object]) -> str:
    shown = ", ".join(map(str, names[:_SHOWN]))
    if not names:
        return "none"
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"


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
    keys = frame_keys(table)
    frame, time_s = table["frame"].to_numpy(), table["time_s"].to_numpy()
    boxes = _boxes(table)
    confidence = column_numbers(table["confidence"])
    persons = table[PERSON_COLUMN.name] if PERSON_COLUMN.name in table.schema.names else None
    tracks = []
    for source, track_id, rows in _members(table):
        first, last = rows[0], rows[-1]
        size, centres = boxes[rows, 2:] - boxes[rows, :2], (boxes[rows, 2:] + boxes[rows, :2]) / 2
        # Frames of a source are numbered without gaps: the difference counts the table's frames between.
        n_frames = int(keys[last] - keys[first]) + 1
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
                coverage=len(np.unique(keys[rows])) / n_frames,
                width_px=float(size[:, 0].mean()),
                height_px=float(size[:, 1].mean()),
                confidence=float(confidence[rows].mean()),
                place_first_px=_place(centres[:_PLACE_ROWS]),
                place_last_px=_place(centres[-_PLACE_ROWS:]),
            )
        )
    return tuple(tracks)


def list_possible_id_switches(table: pa.Table) -> tuple[PossibleIdSwitch, ...]:
    """Pairs of tracks that change sides while both are seen.

    Either two people have changed places, or the tracker has mistaken one for the other; the table does not show
    which. Nothing is corrected: check these tracks before you name persons.
    """
    keys, time_s, boxes = frame_keys(table), table["time_s"].to_numpy(), _boxes(table)
    middle = (boxes[:, 0] + boxes[:, 2]) / 2
    switches = []
    for (source, a, rows_a), (other, b, rows_b) in combinations(_members(table), 2):
        if source != other or keys[rows_a[-1]] < keys[rows_b[0]] or keys[rows_b[-1]] < keys[rows_a[0]]:
            continue
        _, at_a, at_b = np.intersect1d(keys[rows_a], keys[rows_b], return_indices=True)
        if len(at_a) < 2:
            continue
        side = middle[rows_a[at_a]] - middle[rows_b[at_b]]
        n = min(_PLACE_ROWS, len(side) // 2)
        if side[:n].mean() * side[-n:].mean() < 0:
            first, last = (float(time_s[rows_a[at_a[k]]]) for k in (0, -1))
            switches.append(PossibleIdSwitch(source=source, track_ids=(a, b), first_s=first, last_s=last))
    return tuple(switches)


def _members(table: pa.Table) -> Iterator[tuple[str, int, Indices]]:
    """Source, number and rows, by frame, of every track."""
    keys, tracks = frame_keys(table), track_numbers(table)
    for source in pc.unique(table["source"]).to_pylist():
        here = np.flatnonzero(np.asarray(pc.equal(table["source"], source).to_numpy()) & (tracks >= 0))
        for track_id in np.unique(tracks[here]).tolist():
            rows = here[tracks[here] == track_id]
            yield source, track_id, rows[np.argsort(keys[rows], kind="stable")]


def _boxes(table: pa.Table) -> Float64:
    return np.stack([column_numbers(table[name]) for name in ("x0", "y0", "x1", "y1")], axis=1)


def _place(centres: Float64) -> tuple[float, float]:
    x, y = centres.mean(axis=0)
    return float(x), float(y)

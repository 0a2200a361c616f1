# SPDX-License-Identifier: Apache-2.0
"""Persons of a table: tracks that are named, and the rows of the chosen faces, part by part."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from heapq import nsmallest

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mien.core import Bools, ConfigError, FaceSelector, Indices
from mien.results.tables import arrow_compute as pc
from mien.results.tables.recording import source_runs
from mien.results.tables.table_columns import PERSON_COLUMN
from mien.results.tables.table_stream import TableStream, track_numbers

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
    return _whole(table, lambda stream: named_parts(stream, persons, source=source))


def choose_faces(table: pa.Table, choice: FaceSelector) -> pa.Table:
    """The rows of the chosen faces; a frame without any of them keeps one row without a face.

    Args:
        table: Affect table.
        choice: Choice of faces. ``"largest"`` is decided in each frame.

    Raises:
        ConfigError: No face in the table matches the choice.
    """
    return _whole(table, lambda stream: chosen_parts(stream, choice))


def named_parts(
    stream: TableStream, persons: Mapping[str, Sequence[int]], *, source: str | None = None
) -> Iterator[pa.Table]:
    """The parts of a table with the column ``person``, as `name_persons` gives it.

    Raises:
        ConfigError: As for `name_persons`; that a person has two faces in a frame shows after the last part.
    """
    sources = list(stream.sources)
    if source is None and len(sources) > 1:
        raise ConfigError(f"the table has {len(sources)} sources with tracks of their own; say which: {_some(sources)}")
    if source is not None and source not in sources:
        raise ConfigError(f"the table has no source {source!r}; it has {_some(sources)}")
    named = _names_of_tracks(persons, sorted(_tracks_of(stream, sources if source is None else [source])))
    twice = _TwoAtOnce()
    for part in stream.parts():
        names = np.array(_persons(part), dtype=object)
        tracks = track_numbers(part)
        start = 0
        for name, rows in source_runs([part]):
            own = slice(start, start + len(rows))
            start += len(rows)
            for track in np.unique(tracks[own]).tolist() if source is None or name == source else ():
                if track in named:
                    names[own][tracks[own] == track] = named[track]
            twice.add(rows["frame"].to_numpy(), tracks[own], names[own])
        yield _with_persons(part, pa.array(names.tolist(), pa.string()))
    twice.refuse()


def chosen_parts(stream: TableStream, choice: FaceSelector) -> Iterator[pa.Table]:
    """The parts of a table with the rows that `choose_faces` gives.

    Raises:
        ConfigError: No face in the table matches the choice; this shows after the last part.
    """
    n_wanted = 0
    known: set[str] = set()
    for part in stream.parts():
        if choice.rule == "all":
            yield part
            continue
        names = _persons(part) if choice.rule == "person" else []
        known |= {name for name in names if name is not None}
        wanted = _wanted(part, names, choice)
        n_wanted += int(wanted.sum())
        yield _kept(part, wanted, (*_KEPT_WITHOUT_FACE, stream.row))
    if n_wanted:
        return
    if choice.rule == "track":
        tracks = sorted(_tracks_of(stream, stream.sources))
        raise ConfigError(f"the table has no track {choice.track_id}; it has {_some(tracks)}")
    if choice.rule == "person":
        shown = _some(sorted(known))
        raise ConfigError(f"the table has no person {choice.person!r}; it has {shown}; name one by mien tracks")


def parts_without(
    stream: TableStream, tracks: Collection[int], persons: Collection[str], *, source: str | None = None
) -> Iterator[pa.Table]:
    """The parts of a table without the rows of some tracks and persons; a frame that loses all faces keeps a blank row.

    Args:
        stream: Table.
        tracks: Numbers of the tracks to leave out.
        persons: Names of the persons to leave out.
        source: Source of the tracks; needed where the table has several sources.

    Raises:
        ConfigError: A track or person is not in the table, or the source of the tracks is not named; unknown persons
            show after the last part.
    """
    if tracks and source is None and len(stream.sources) > 1:
        raise ConfigError(f"the table has {len(stream.sources)} sources; name the one of the tracks with --source")
    if source is not None and source not in stream.sources:
        raise ConfigError(f"the table has no source {source!r}; it has {_some(sorted(stream.sources))}")
    own = [source] if source is not None else list(stream.sources)
    strange = sorted(set(tracks) - _tracks_of(stream, own))
    if strange:
        raise ConfigError(
            f"there is no track {strange[0]} to forget; there are {_some(sorted(_tracks_of(stream, own)))}"
        )
    known: set[str] = set()
    for part in stream.parts():
        names = np.array(_persons(part), dtype=object)
        known |= {name for name in names.tolist() if name is not None}
        gone = np.isin(names, sorted(persons)) if persons else np.zeros(len(part), np.bool_)
        start = 0
        for name, rows in source_runs([part]):
            if name in own:
                gone[start : start + len(rows)] |= np.isin(track_numbers(rows), sorted(tracks))
            start += len(rows)
        seen = np.asarray(part["success"].to_numpy(), np.bool_)
        yield _kept(part, seen & ~gone, (*_KEPT_WITHOUT_FACE, stream.row))
    absent = sorted(set(persons) - known)
    if absent:
        raise ConfigError(f"the table has no person {absent[0]!r}; it has {_some(sorted(known))}")


def _whole(table: pa.Table, parts: Callable[[TableStream], Iterator[pa.Table]]) -> pa.Table:
    stream = TableStream.of(lambda: iter([table]))
    return pa.concat_tables(list(stream.restored(parts(stream))))


def _names_of_tracks(persons: Mapping[str, Sequence[int]], known: Sequence[int]) -> dict[int, str]:
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
    return named


def _tracks_of(stream: TableStream, sources: Iterable[str]) -> set[int]:
    return {track for source in sources for track in stream.sources[source].last_row_of_track}


def _with_persons(part: pa.Table, column: pa.Array) -> pa.Table:
    if PERSON_COLUMN.name in part.schema.names:
        return part.set_column(part.schema.get_field_index(PERSON_COLUMN.name), PERSON_COLUMN.field, column)
    return part.add_column(part.schema.get_field_index("track_id") + 1, PERSON_COLUMN.field, column)


class _TwoAtOnce:
    """Collects the frames in which a person has two faces."""

    def __init__(self) -> None:
        self._n_frames: dict[str, int] = {}
        self._first: dict[str, list[int]] = {}
        self._members: dict[str, set[int]] = {}

    def add(self, frames: Indices, tracks: Indices, names: npt.NDArray[np.object_]) -> None:
        """Adds whole frames of one source."""
        for person in {name for name in names if name is not None}:
            rows = np.flatnonzero(names == person)
            found, counts = np.unique(frames[rows], return_counts=True)
            twice = found[counts > 1]
            self._members.setdefault(person, set()).update(np.unique(tracks[rows]).tolist())
            if len(twice):
                self._n_frames[person] = self._n_frames.get(person, 0) + len(twice)
                shown = [*self._first.get(person, ()), *twice[:_SHOWN].tolist()]
                self._first[person] = nsmallest(_SHOWN, shown)

    def refuse(self) -> None:
        """Refuses the first person, by name, with two faces in a frame.

        Raises:
            ConfigError: There is one.
        """
        for person, n_frames in sorted(self._n_frames.items()):
            members = sorted(self._members[person])
            raise ConfigError(
                f"{person!r} cannot be tracks {_some(members)}: they are two faces in {n_frames} frames"
                f" ({_some(self._first[person], n_frames)}); one person has one face in a frame"
            )


def _kept(part: pa.Table, wanted: Bools, kept: Sequence[str | None]) -> pa.Table:
    """The wanted rows, and of every other frame the first row with nothing but the columns to keep."""
    starts, frame_of_row = _frames(part)
    n_frames = len(starts)
    found = np.zeros(n_frames, np.bool_)
    found[frame_of_row[wanted]] = True
    blank = np.zeros(len(part), np.bool_)
    blank[starts[~found]] = True
    rows = np.flatnonzero(wanted | blank)
    chosen = part.take(pa.array(rows))
    is_blank = pa.array(blank[rows])
    columns = []
    for field, column in zip(chosen.schema, chosen.columns, strict=True):
        if field.name in kept:
            columns.append(column)
        else:
            replacement = pa.scalar(False if field.name == "success" else None, field.type)
            columns.append(pc.if_else(is_blank, replacement, column))
    return pa.Table.from_arrays(columns, schema=chosen.schema)


def _frames(part: pa.Table) -> tuple[Indices, Indices]:
    """The first row of every frame, and the place of every row's frame among them."""
    numbers = part["frame"].to_numpy()
    begins = np.diff(numbers, prepend=numbers[:1] - 1) != 0
    start = 0
    for _, rows in source_runs([part]):
        begins[start] = True
        start += len(rows)
    return np.flatnonzero(begins), np.cumsum(begins) - 1


def _wanted(part: pa.Table, names: Sequence[str | None], choice: FaceSelector) -> Bools:
    if choice.rule == "largest":
        return _largest(part)
    if choice.rule == "track":
        return np.asarray(track_numbers(part) == choice.track_id)
    return np.asarray(np.array(names, dtype=object) == choice.person, dtype=bool)


def _largest(part: pa.Table) -> Bools:
    """The row with the largest box of each frame with a face; the first where no box is known."""
    x0, y0, x1, y1 = (np.nan_to_num(part[name].to_numpy()) for name in ("x0", "y0", "x1", "y1"))
    faces = np.flatnonzero(part["success"].to_numpy())
    area, frame = ((x1 - x0) * (y1 - y0))[faces], _frames(part)[1][faces]
    order = np.lexsort((-area, frame))
    first = np.unique(frame[order], return_index=True)[1]
    wanted = np.zeros(len(part), dtype=bool)
    wanted[faces[order[first]]] = True
    return wanted


def _persons(part: pa.Table) -> list[str | None]:
    if PERSON_COLUMN.name not in part.schema.names:
        return [None] * len(part)
    names: list[str | None] = part[PERSON_COLUMN.name].to_pylist()
    return names


def _some(names: Sequence[object], n: int | None = None) -> str:
    """The first names, and how many more there are."""
    n_names = len(names) if n is None else n
    shown = ", ".join(map(str, names[:_SHOWN]))
    if not names:
        return "none"
    return shown if n_names <= _SHOWN else f"{shown} and {n_names - _SHOWN} more"

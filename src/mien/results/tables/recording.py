# SPDX-License-Identifier: Apache-2.0
"""The rows of one source on its own clock: the time that each frame stands for, and the rows of each face."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import pyarrow as pa

from mien.core import Bools, Float64, Indices, InputError, Int64
from mien.results.tables import arrow_compute as pc
from mien.results.tables.schema import column_numbers

MIN_GAP_S = 0.5
"""Shortest hole in the timestamps that can be a gap, in seconds."""

GAP_STEPS = 3.0
"""Number of typical steps between frames up to which a hole is no gap: with ``--every 30`` a step is a second."""


@dataclass(frozen=True)
class Subject:
    """The track or person that rows belong to.

    Attributes:
        track_id: Number of the track; None for a person and for untracked faces.
        person: Name that a user gave to one or more tracks; None without one.
    """

    track_id: int | None
    person: str | None = None

    @property
    def name(self) -> str:
        """The name for display: that of the person, ``track 3``, or ``untracked``.

        Examples:
            >>> Subject(3).name, Subject(None, "patient").name
            ('track 3', 'patient')
        """
        if self.person is not None:
            return self.person
        return "untracked" if self.track_id is None else f"track {self.track_id}"


UNTRACKED = Subject(None)


@dataclass(frozen=True, kw_only=True)
class Clock:
    """The steps of the frames of a source.

    Attributes:
        step_s: Typical (median) time from a frame to the next one in seconds; 0 for a lone frame.
        gap_s: Longest time that a frame can stand for, in seconds.
    """

    step_s: float
    gap_s: float

    @classmethod
    def of(cls, frame_time_s: Float64) -> Clock:
        """The clock of frames at these times, increasing, in seconds."""
        return cls.of_steps(np.diff(frame_time_s))

    @classmethod
    def of_steps(cls, steps_s: Float64, counts: Int64 | None = None) -> Clock:
        """The clock of frames with these times between them.

        Args:
            steps_s: (S,) times in seconds.
            counts: (S,) how often each of them occurs; once if None.
        """
        if not len(steps_s):
            return cls(step_s=0.0, gap_s=MIN_GAP_S)
        order = np.argsort(steps_s)
        n_up_to = np.arange(1, len(order) + 1) if counts is None else np.cumsum(counts[order])
        n_steps = int(n_up_to[-1])
        middle = np.searchsorted(n_up_to, [(n_steps - 1) // 2, n_steps // 2], side="right")
        step_s = float(steps_s[order[middle]].mean())
        return cls(step_s=step_s, gap_s=max(MIN_GAP_S, GAP_STEPS * step_s))


@dataclass(frozen=True, eq=False, kw_only=True)
class Recording:
    """One source of an affect table.

    A frame stands for the time until the next frame of the source, but at most for `gap_s`; the last frame stands for
    the typical step. Time beyond that is unknown. `gap_s` is the larger of `MIN_GAP_S` and
    `GAP_STEPS` typical (median) steps.

    Attributes:
        source: Name of the source.
        table: Rows of the source, in order of time.
        frame_time_s: (F,) seconds, the time of every frame, increasing.
        step_s: (F,) seconds to the next frame; the typical step for the last one.
        hold_s: (F,) seconds that each frame stands for; 0 for a lone frame such as a photo.
        gap_s: Longest time that a frame can stand for, in seconds.
        frame_of_row: (R,) index into ``frame_time_s``.
        has_face: (R,) whether the row holds a face.
        subjects: Tracks and persons, those with most rows first; untracked faces last.
        subject_of_row: (R,) index into ``subjects``; -1 for a frame without a face.
    """

    source: str
    table: pa.Table
    frame_time_s: Float64
    step_s: Float64
    hold_s: Float64
    gap_s: float
    frame_of_row: Indices
    has_face: Bools
    subjects: tuple[Subject, ...]
    subject_of_row: Indices

    @classmethod
    def from_table(
        cls, source: str, table: pa.Table, clock: Clock | None = None, next_s: float | None = None
    ) -> Recording:
        """Puts the rows of one source, or those of some of its frames, on its clock.

        Args:
            source: Name of the source.
            table: Rows of the source, at least one, with contract types.
            clock: Clock of the source; None where the rows are all of it.
            next_s: Time of the frame after the last one, in seconds; None where there is none.

        Raises:
            InputError: A row has no frame or no time, or one frame has two times.
        """
        for name in ("frame", "time_s", "success"):
            if table[name].null_count:
                raise InputError(f"{source}: {table[name].null_count} rows have no {name}; write the table again")
        frame, time_s = table["frame"].to_numpy(), table["time_s"].to_numpy()
        if not np.isfinite(time_s).all():
            raise InputError(f"{source}: some rows have a time_s that is no number; write the table again")
        order = np.lexsort((frame, time_s))
        if (np.diff(order) < 0).any():
            table, frame, time_s = table.take(pa.array(order)), frame[order], time_s[order]
        _, first, frame_of_row = np.unique(time_s, return_index=True, return_inverse=True)
        if (frame != frame[first][frame_of_row]).any() or len(np.unique(frame)) != len(first):
            raise InputError(
                f"{source}: a frame has two times, or two frames share one; give each recording a name of its own"
            )
        frame_time_s = time_s[first]
        if clock is None:
            clock = Clock.of(frame_time_s)
        steps = np.diff(frame_time_s, append=frame_time_s[-1] + clock.step_s if next_s is None else next_s)
        hold_s, gap_s = np.minimum(steps, clock.gap_s), clock.gap_s
        has_face = table["success"].to_numpy()
        subjects, subject_of_row = _subjects(table, has_face)
        return cls(
            source=source,
            table=table,
            frame_time_s=frame_time_s,
            step_s=steps,
            hold_s=hold_s,
            gap_s=gap_s,
            frame_of_row=frame_of_row.reshape(-1),
            has_face=has_face,
            subjects=subjects,
            subject_of_row=subject_of_row,
        )

    @property
    def end_s(self) -> float:
        """End of the last frame in seconds."""
        return float(self.frame_time_s[-1] + self.hold_s[-1])

    @cached_property
    def row_time_s(self) -> Float64:
        """(R,) seconds, the time of every row."""
        return self.frame_time_s[self.frame_of_row]

    @cached_property
    def row_hold_s(self) -> Float64:
        """(R,) seconds that every row stands for."""
        return self.hold_s[self.frame_of_row]

    def numbers(self, name: str) -> Float64:
        """(R,) a column as numbers, NaN where it is null; all NaN if the table has no such column."""
        if name not in self.table.schema.names:
            return np.full(len(self.table), np.nan)
        return column_numbers(self.table[name])

    def rows_of(self, subject: Subject) -> Indices:
        """Indices of a subject's rows, in order of time."""
        return np.flatnonzero(self.subject_of_row == self.subjects.index(subject))

    def followed(self) -> Iterator[Subject]:
        """The subjects whose rows follow one another in time: all but the untracked."""
        return (subject for subject in self.subjects if subject != UNTRACKED)

    def pieces(self, rows: Indices) -> list[Indices]:
        """The rows of one subject, cut where the next row comes more than `gap_s` later."""
        if not len(rows):
            return []
        cuts = np.flatnonzero(np.diff(self.row_time_s[rows]) > self.gap_s) + 1
        return np.split(rows, cuts)


def _subjects(table: pa.Table, has_face: Bools) -> tuple[tuple[Subject, ...], Indices]:
    tracks = np.asarray(table["track_id"].fill_null(-1).to_numpy(), dtype=np.int64)
    names: list[str] = []
    keys = np.maximum(tracks, _NO_TRACK)
    if "person" in table.schema.names:
        persons = table["person"].combine_chunks().dictionary_encode()
        names = persons.dictionary.to_pylist()
        codes = np.asarray(persons.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
        named = np.array([bool(name) for name in names] + [False])[codes]
        keys = np.where(named, _NO_TRACK - 1 - codes, keys)
    found, first, position, counts = np.unique(
        keys[has_face], return_index=True, return_inverse=True, return_counts=True
    )
    order = np.lexsort((first, -counts, found == _NO_TRACK))
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    subject_of_row = np.full(len(table), -1, dtype=np.intp)
    subject_of_row[has_face] = place[position.reshape(-1)]
    return tuple(_subject(int(key), names) for key in found[order]), subject_of_row


_NO_TRACK = -1


def _subject(key: int, names: list[str]) -> Subject:
    if key < _NO_TRACK:
        return Subject(None, names[_NO_TRACK - 1 - key])
    return UNTRACKED if key == _NO_TRACK else Subject(key)


def source_runs(pieces: Iterable[pa.Table]) -> Iterator[tuple[str, pa.Table]]:
    """Rows that follow one another and are of one source, with that source."""
    for piece in pieces:
        column = piece["source"].combine_chunks()
        if column.null_count:
            raise InputError("the table has rows without a source; every row must name the input that it comes from")
        names = pc.unique(column)
        codes = np.asarray(pc.index_in(column, value_set=names))
        edges = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)] if len(codes) else []
        for start, stop in pairwise(edges):
            yield names[int(codes[start])].as_py(), piece.slice(start, stop - start)

# SPDX-License-Identifier: Apache-2.0
"""The summary of one source, gathered part by part so that memory hardly grows with its length."""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mien.core import DEFAULT_THRESHOLD, DIMENSIONS, Bools, ConfigError, Float64, Indices, Int64
from mien.results.summaries.distribution import distribution
from mien.results.summaries.episodes import Event, EventFinder, expression_states
from mien.results.tables.recording import UNTRACKED, Recording, Subject
from mien.results.tables.schema import action_unit_columns, presence_thresholds

_MAX_WINDOWS = 1_000_000
_MEANS = ("confidence", "quality")
_EVERYONE = None  # stands for all faces of a source


@dataclass(kw_only=True)
class _Share:
    """The time in which a signal is on, and the time in which it is known, weighted and by rows."""

    on_s: float = 0.0
    known_s: float = 0.0
    n_on: int = 0
    n_known: int = 0


@dataclass(kw_only=True)
class _Cell:
    """What is known of one face, or of everyone, in one window."""

    n_face_frames: int = 0
    n_faces: int = 0
    face_s: float = 0.0
    sums: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    counts: Counter[str] = field(default_factory=Counter)
    values: dict[str, array[float]] = field(default_factory=lambda: defaultdict(lambda: array("f")))
    shares: dict[str, _Share] = field(default_factory=lambda: defaultdict(_Share))


class SourceSummary:
    """The summary of one source.

    Args:
        source: Name of the source.
        schema: Schema of the table.
        expressions: Columns of the expressions that the bundle has, those with a value in the table.
        window_s: Length of the time windows in seconds; None for one window over everything.
        thresholds: Thresholds of the bundle, for a table that keeps none.

    Attributes:
        thresholds: Action unit -> probability from which it counts as present.
    """

    def __init__(
        self,
        source: str,
        schema: pa.Schema,
        expressions: list[str],
        window_s: float | None,
        thresholds: Mapping[str, float],
    ) -> None:
        self._source = source
        self._window_s = window_s
        self._units = action_unit_columns(schema)
        self.thresholds = presence_thresholds(schema, thresholds)
        # Classes that the bundle does not have are null throughout: they have no share, not a share of 0.
        self._expressions = expressions
        self._kinds = dict.fromkeys(expressions, "expression") | dict.fromkeys(self._units, "action_unit")
        self._cells: dict[tuple[Subject | None, int], _Cell] = defaultdict(_Cell)
        self._n_frames: Counter[int] = Counter()
        self._unseen_s: dict[int, float] = defaultdict(float)
        self._begin_s = 0.0
        self._end_s = 0.0
        self._n_parts = 0
        self._windows: tuple[int, int] | None = None
        self._rows: Counter[Subject] = Counter()
        self._spans: dict[Subject, tuple[int, int]] = {}
        self._finders: dict[tuple[Subject, str], EventFinder] = {}
        self._held: dict[Subject, tuple[float, int]] = {}
        self._changes: Counter[tuple[Subject, int, str, str]] = Counter()

    def add(self, recording: Recording) -> None:
        """Adds the next frames, in order of time."""
        first, last = (int(self._window_of(recording.frame_time_s[[at]])[0]) for at in (0, -1))
        if self._windows is None:
            self._windows, self._begin_s = (first, last), float(recording.frame_time_s[0])
        self._windows = self._windows[0], last
        if last - self._windows[0] >= _MAX_WINDOWS:
            raise ConfigError(
                f"{self._source}: windows of {self._window_s} s are more than {_MAX_WINDOWS:,}; choose longer ones"
            )
        self._n_parts += 1
        if self._n_parts == 2:  # from here on, everyone's values are those of all faces
            for (subject, _), cell in self._cells.items():
                if subject is _EVERYONE:
                    cell.values.clear()
        self._end_s = recording.end_s
        self._add_frames(recording)
        columns = {name: recording.numbers(name) for name in (*_MEANS, *DIMENSIONS, *self._expressions, *self._units)}
        top = np.array(recording.table["expression"].to_pylist(), dtype=object)
        window = self._window_of(recording.frame_time_s)[recording.frame_of_row]
        probabilities = np.stack([columns[name] for name in self._expressions] or [np.full(len(top), np.nan)], axis=1)
        self._add_cells(recording, _EVERYONE, np.flatnonzero(recording.has_face), window, columns, top)
        for subject in recording.subjects:
            rows = recording.rows_of(subject)
            begin = self._spans[subject][0] if subject in self._spans else int(window[rows[0]])
            self._spans[subject] = begin, int(window[rows[-1]])
            self._rows[subject] += len(rows)
            self._add_cells(recording, subject, rows, window, columns, top)
            if subject == UNTRACKED:
                continue  # rows that do not follow one another have no events
            for column, kind in self._kinds.items():
                key = subject, column
                if key not in self._finders:
                    threshold = self.thresholds.get(column, DEFAULT_THRESHOLD)
                    self._finders[key] = EventFinder(self._source, subject, column, kind, threshold)
                self._finders[key].add(recording, rows, columns[column])
            self._add_changes(recording, subject, rows, window, probabilities)

    def events(self) -> Iterator[Event]:
        """Every event of every followed face, once all frames are added; `windows` must be taken before.

        They are given once: what is held of those of a signal is freed with its last one.
        """
        for subject in self.subjects:
            for column in self._kinds:
                finder = self._finders.pop((subject, column), None)
                if finder is not None:
                    yield from finder.finish()

    def windows(self) -> Iterator[dict[str, Any]]:
        """One row per window of the whole source, then of each face from its first to its last window.

        They are given once: the values of valence and arousal, the most of what is held, are freed at the end.
        """
        if self._windows is None:
            return
        yield from self._rows_of("source", _EVERYONE, self._windows)
        for subject in self.subjects:
            if subject == UNTRACKED and len(self.subjects) == 1:
                continue  # the rows of the whole source say the same
            yield from self._rows_of(_scope(subject), subject, self._spans[subject])
        self._cells.clear()

    def transitions(self) -> Iterator[dict[str, Any]]:
        """One row per face, window and pair of expressions."""
        place = {subject: index for index, subject in enumerate(self.subjects)}
        changes = sorted(self._changes.items(), key=lambda change: (place[change[0][0]], *change[0][1:]))
        for (subject, window, before, after), n in changes:
            yield {
                "source": self._source,
                **vars(subject),
                "window": window,
                "from_expression": before,
                "to_expression": after,
                "n": n,
            }

    @cached_property
    def subjects(self) -> list[Subject]:
        """The faces, once all frames are added: those with most rows first, untracked ones last."""
        return sorted(self._rows, key=lambda subject: (subject == UNTRACKED, -self._rows[subject]))

    def _add_frames(self, recording: Recording) -> None:
        windows = self._window_of(recording.frame_time_s)
        unseen_s = np.maximum(recording.step_s - recording.hold_s, 0)
        edges = [0, *(np.flatnonzero(np.diff(windows)) + 1).tolist(), len(windows)]
        for start, stop in pairwise(edges):
            self._n_frames[int(windows[start])] += stop - start
            self._unseen_s[int(windows[start])] += float(unseen_s[start:stop].sum())

    def _add_cells(
        self,
        recording: Recording,
        subject: Subject | None,
        rows: Indices,
        window: Int64,
        columns: Mapping[str, Float64],
        top: npt.NDArray[np.object_],
    ) -> None:
        """Adds the rows of one face, or of everyone, to the cells of their windows."""
        own = window[rows]
        edges = [0, *(np.flatnonzero(np.diff(own)) + 1).tolist(), len(own)] if len(own) else []
        for start, stop in pairwise(edges):
            piece = rows[start:stop]
            cell = self._cells[subject, int(own[start])]
            weights = recording.row_hold_s[piece]
            cell.n_face_frames += len(np.unique(recording.frame_of_row[piece]))
            cell.n_faces += len(piece)
            cell.face_s += float(weights.sum())
            for name in _MEANS:
                values = columns[name][piece]
                known = values[np.isfinite(values)]
                cell.sums[name] += float(known.sum())
                cell.counts[name] += len(known)
            for name in DIMENSIONS:
                values = columns[name][piece]
                if subject is not _EVERYONE or self._n_parts == 1:
                    cell.values[name].frombytes(values[np.isfinite(values)].astype(np.float32).tobytes())
            labels = top[piece]
            has_top = np.array([label is not None for label in labels], dtype=np.bool_)
            for name in self._expressions:
                _add_share(cell.shares[name], labels == name.removeprefix("expression_"), weights, has_top)
            for name in self._units:
                values = columns[name][piece]
                _add_share(cell.shares[name], values >= self.thresholds[name], weights, np.isfinite(values))

    def _add_changes(
        self, recording: Recording, subject: Subject, rows: Indices, window: Int64, probabilities: Float64
    ) -> None:
        labels = [name.removeprefix("expression_") for name in self._expressions]
        known = np.isfinite(probabilities[rows]).any(axis=1)
        for piece in recording.pieces(rows[known]):
            last_s, held = self._held.get(subject, (-math.inf, -1))
            continues = recording.row_time_s[piece[0]] - last_s <= recording.gap_s
            states = expression_states(probabilities[piece], held if continues else None)
            before = np.concatenate([[held if continues else states[0]], states[:-1]])
            for at in np.flatnonzero(states != before):
                self._changes[subject, int(window[piece[at]]), labels[before[at]], labels[states[at]]] += 1
            self._held[subject] = float(recording.row_time_s[piece[-1]]), int(states[-1])

    @cached_property
    def _durations(self) -> dict[tuple[Subject | None, int, str], tuple[int, float]]:
        """Number of events and their seconds by face (and for everyone), window of the onset, and signal."""
        durations: dict[tuple[Subject | None, int, str], tuple[int, float]] = {}
        for event in (event for finder in self._finders.values() for event in finder.finish()):
            window = int(self._window_of(np.array([event.onset_s]))[0])
            for whose in (event.subject, _EVERYONE):
                n, total_s = durations.get((whose, window, event.signal), (0, 0.0))
                durations[whose, window, event.signal] = n + 1, total_s + event.duration_s
        return durations

    @cached_property
    def _n_changes(self) -> Counter[tuple[Subject | None, int]]:
        """Number of changes of the current expression by face (and for everyone) and window."""
        counts: Counter[tuple[Subject | None, int]] = Counter()
        for (subject, window, _, _), n in self._changes.items():
            counts[subject, window] += n
            counts[_EVERYONE, window] += n
        return counts

    def _window_of(self, time_s: Float64) -> Int64:
        if self._window_s is None:
            return np.zeros(len(time_s), dtype=np.int64)
        window: Int64 = np.floor(np.clip(time_s / self._window_s, -_FAR, _FAR)).astype(np.int64)
        return window

    def _rows_of(self, scope: str, subject: Subject | None, span: tuple[int, int]) -> Iterator[dict[str, Any]]:
        """One row per window of a span, windows without the face included."""
        who = vars(subject) if subject is not None else vars(UNTRACKED)
        for window in range(span[0], span[1] + 1):
            cell = self._cells.get((subject, window)) or _Cell()
            yield {
                "source": self._source,
                "scope": scope,
                **who,
                "window": window,
                **self._coverage(window, cell),
                **self._means(window, subject, cell),
                **self._counts(window, subject),
            }

    def _coverage(self, window: int, cell: _Cell) -> dict[str, Any]:
        n_frames = self._n_frames[window]
        start_s, end_s = self._begin_s, self._end_s
        if self._window_s is not None:
            start_s, end_s = window * self._window_s, min((window + 1) * self._window_s, self._end_s)
        return {
            "start_s": start_s,
            "end_s": end_s,
            "n_frames": n_frames,
            "n_face_frames": cell.n_face_frames,
            "coverage": cell.n_face_frames / n_frames if n_frames else None,
            "n_faces": cell.n_faces,
            "face_s": cell.face_s,
            "unseen_s": self._unseen_s.get(window, 0.0),
        }

    def _means(self, window: int, subject: Subject | None, cell: _Cell) -> dict[str, Any]:
        values_of: dict[str, Any] = {
            f"{name}_mean": cell.sums[name] / cell.counts[name] if cell.counts[name] else None for name in _MEANS
        }
        cells = [cell]
        if subject is _EVERYONE and self._n_parts > 1:
            cells = [found for each in self.subjects if (found := self._cells.get((each, window))) is not None]
        for name in DIMENSIONS:
            values_of |= distribution(name, [np.frombuffer(each.values[name], np.float32) for each in cells])
        # Photos have no duration: each face counts alike.
        timed = cell.face_s > 0
        for names, ending in ((self._expressions, "share"), (self._units, "rate")):
            for name in names:
                share = cell.shares[name]
                on, known = (share.on_s, share.known_s) if timed else (share.n_on, share.n_known)
                values_of[f"{name}_{ending}"] = on / known if known else None
        return values_of

    def _counts(self, window: int, subject: Subject | None) -> dict[str, Any]:
        if subject == UNTRACKED or not any(each != UNTRACKED for each in self.subjects):
            return {}  # rows that do not follow one another have no events
        counts: dict[str, Any] = {"n_transitions": self._n_changes[subject, window]}
        for name in self._kinds:
            n, total_s = self._durations.get((subject, window, name.removeprefix("expression_")), (0, 0.0))
            counts[f"{name}_events"] = n
            counts[f"{name}_event_s"] = total_s / n if n else None
        return counts


_FAR = 1e15  # a window of a number that still is one


def _scope(subject: Subject) -> str:
    if subject.person is not None:
        return "person"
    return "untracked" if subject == UNTRACKED else "track"


def _add_share(share: _Share, on: Bools, weights: Float64, known: Bools) -> None:
    share.on_s += float(weights[known & on].sum())
    share.known_s += float(weights[known].sum())
    share.n_on += int((known & on).sum())
    share.n_known += int(known.sum())

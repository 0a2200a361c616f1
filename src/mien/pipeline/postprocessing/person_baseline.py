# SPDX-License-Identifier: Apache-2.0
"""Affect tables with action units, valence and arousal relative to each person's own face at rest."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mien.affect import MIN_NEUTRAL_ROWS, NEUTRAL_FROM, Smoothing, resting_level, subtract_levels
from mien.core import DIMENSIONS, Bools, Float32, Float64, Indices, InputError, PathName
from mien.jobs import batched
from mien.pipeline.postprocessing.smooth import smoothed_parts
from mien.results import (
    PERSON_COLUMN,
    TableStream,
    action_unit_columns,
    check_output,
    column_numbers,
    format_of,
    open_stream,
    save_pieces,
    source_runs,
    table_metadata,
    track_numbers,
    with_table_metadata,
)

_METADATA_KEY = "baseline"
_VALUES_AT_ONCE = 24_000_000  # numbers of four bytes in memory for medians

_Subject = tuple[str, str]  # source; person or "track 3"


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The outcome for each person, and for each track that has no person.

    Attributes:
        calibrated: ``(source, name)`` of persons and tracks with a known face at rest.
        untouched: ``(source, name, n_neutral)`` of the others, whose values stay as they were, with their number of
            neutral-looking rows.
    """

    calibrated: tuple[tuple[str, str], ...]
    untouched: tuple[tuple[str, str, int], ...]


def calibrate_file(path: PathName, out: PathName, settings: Smoothing | None = None) -> Calibration:
    """Reads a table, smooths it if settings are given, subtracts resting levels and writes it.

    The table is read part by part: once for the check, once for the subjects, once or more often for their medians, and
    once for the result.

    Args:
        path: Path of the table.
        out: Path of the new table; its ending chooses the format.
        settings: Smoothing over time; None, or half-widths of 0, for none.

    Raises:
        ConfigError: An ending is unknown, or the new table would replace the old one or another table.
        InputError: The table cannot be read, is calibrated already, or lacks a column that is needed.
        OutputError: The new table cannot be written.
    """
    settings = settings or Smoothing()
    format_of(Path(out))  # refuse an unknown ending before the work
    check_output("--out", out, {"TABLE": path})
    stream = open_stream(path)
    try:
        # Rest is judged on unsmoothed values: smoothing would carry expressions into the frames around them.
        rest = _Rest.of(stream)
        smooths = settings.expr or settings.va or settings.au
        parts = smoothed_parts(stream, settings) if smooths else stream.parts()
        save_pieces(Path(out), stream.restored(rest.subtracted(parts)))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return rest.calibration


def calibrate_table(table: pa.Table, *, measured: pa.Table | None = None) -> tuple[pa.Table, Calibration]:
    """The table with resting levels subtracted from action units, valence and arousal.

    The level is the median over the neutral-looking frames of a person (or of a track that has no person) within one
    source. Action units are limited to 0 to 1 and valence and arousal to -1 to 1 afterwards. Expressions stay.

    Args:
        table: Affect table to change.
        measured: Table of the same rows before smoothing, from which the levels are taken; ``table`` itself if None.

    Raises:
        InputError: The table is calibrated already, has no tracks, or has no probability of neutral.
    """
    stream = open_stream(table)
    rest = _Rest.of(stream if measured is None else open_stream(measured))
    return pa.concat_tables(list(stream.restored(rest.subtracted(stream.parts())))), rest.calibration


class _Rest:
    """The faces at rest of a table.

    Attributes:
        limits: Column -> lowest and highest value.
        subjects: Persons and tracks -> their numbers, in the order of first appearance.
        n_neutral: (G,) number of neutral-looking rows of each.
        levels: (G, D) resting levels; NaN where too few rows look neutral.
    """

    def __init__(self, stream: TableStream) -> None:
        if _METADATA_KEY in table_metadata(stream.schema):
            raise InputError("the baseline is subtracted already; begin with the original table")
        units = [name for name in action_unit_columns(stream.schema) if name in stream.filled]
        self.limits = dict.fromkeys(units, (0.0, 1.0)) | dict.fromkeys(DIMENSIONS, (-1.0, 1.0))
        self._stream = stream
        self.subjects: dict[_Subject, int] = {}
        self.n_neutral: Indices = np.empty(0, np.intp)
        self.levels: Float64 = np.empty((0, len(self.limits)))

    @classmethod
    def of(cls, stream: TableStream) -> _Rest:
        """Measures the faces at rest of a table.

        Raises:
            InputError: The table is calibrated already, has no tracks, or has no probability of neutral.
        """
        rest = cls(stream)
        counts: Counter[int] = Counter()
        first_rows: dict[_Subject, int] = {}
        n_rows = 0
        for part in stream.parts():
            groups = rest._groups(part)
            places = np.arange(n_rows, n_rows + len(part)) if stream.row is None else part[stream.row].to_numpy()
            n_rows += len(part)
            known = groups >= 0
            names = list(rest.subjects)
            for group in np.unique(groups[known]).tolist():
                first = int(places[groups == group].min())
                first_rows[names[group]] = min(first, first_rows.get(names[group], first))
            for group, n in zip(*np.unique(groups[rest._is_neutral(part) & known], return_counts=True), strict=True):
                counts[int(group)] += int(n)
        if not rest.subjects:
            raise InputError("the table has no tracks, which baselines need; photos have none")
        if "expression_neutral" not in stream.filled:
            raise InputError("the table has no probability of neutral, without which a face at rest is not known")
        order = sorted(rest.subjects, key=first_rows.__getitem__)
        rest.n_neutral = np.array([counts[rest.subjects[subject]] for subject in order], np.intp)
        rest.subjects = {subject: number for number, subject in enumerate(order)}
        rest._measure()
        return rest

    @property
    def calibration(self) -> Calibration:
        """The outcome for each person and track."""
        known = [bool(np.isfinite(levels).any()) for levels in self.levels]
        subjects = list(zip(self.subjects, known, self.n_neutral.tolist(), strict=True))
        return Calibration(
            calibrated=tuple(subject for subject, is_known, _ in subjects if is_known),
            untouched=tuple((*subject, n) for subject, is_known, n in subjects if not is_known),
        )

    def subtracted(self, parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Parts of the table with the levels subtracted."""
        facts = {_METADATA_KEY: json.dumps(self._notes())}
        for part in parts:
            groups = self._groups(part)
            result = part
            for index, (name, (low, high)) in enumerate(self.limits.items()):
                levels = self.levels[:, index : index + 1]
                values = subtract_levels(groups, column_numbers(part[name])[:, None], levels, low, high)[:, 0]
                place = result.schema.get_field_index(name)
                column = pa.array(values.astype(np.float32), from_pandas=True)
                result = result.set_column(place, result.schema.field(name), column)
            yield result.cast(with_table_metadata(result.schema, facts))

    def _measure(self) -> None:
        """Takes the medians, of as many columns in one pass over the table as memory allows."""
        self.levels = np.full((len(self.subjects), len(self.limits)), np.nan)
        n_at_once = max(1, _VALUES_AT_ONCE // max(1, int(self.n_neutral.sum())))
        for columns in batched(enumerate(self.limits), n_at_once):
            found: dict[tuple[int, int], list[Float32]] = defaultdict(list)
            for part in self._stream.parts():
                groups = np.where(self._is_neutral(part), self._groups(part), -1)
                for group in np.unique(groups[groups >= 0]).tolist():
                    rows = pa.array(np.flatnonzero(groups == group))
                    for index, name in columns:
                        values = column_numbers(part[name].take(rows)).astype(np.float32)
                        found[group, index].append(values)
            for (group, index), values_of_parts in found.items():
                if self.n_neutral[group] >= MIN_NEUTRAL_ROWS:
                    self.levels[group, index] = resting_level(np.concatenate(values_of_parts))

    def _is_neutral(self, part: pa.Table) -> Bools:
        """Whether each row looks neutral and has a value."""
        neutral = column_numbers(part["expression_neutral"]) >= NEUTRAL_FROM
        known = [np.isfinite(column_numbers(part[name])) for name in self.limits]
        return np.asarray(neutral & np.any(known, axis=0))

    def _groups(self, part: pa.Table) -> Indices:
        """The number of each row's person or track, -1 for none; new ones are added."""
        groups = np.full(len(part), -1, np.intp)
        start = 0
        for source, rows in source_runs([part]):
            keys = track_numbers(rows)
            names: list[str] = []
            if PERSON_COLUMN.name in rows.schema.names:
                persons = rows[PERSON_COLUMN.name].combine_chunks().dictionary_encode()
                names = persons.dictionary.to_pylist()
                codes = np.asarray(persons.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
                named = np.array([bool(name) for name in names] + [False])[codes]
                keys = np.where(named, -2 - codes, keys)
            found, place = np.unique(keys, return_inverse=True)
            numbers = [-1] * len(found)
            for index, key in enumerate(found.tolist()):
                if key != -1:
                    name = f"track {key}" if key >= 0 else names[-2 - key]
                    numbers[index] = self.subjects.setdefault((source, name), len(self.subjects))
            groups[start : start + len(rows)] = np.array(numbers)[place.reshape(-1)]
            start += len(rows)
        return groups

    def _notes(self) -> dict[str, Any]:
        return {
            "by": "person",
            "neutral_from": NEUTRAL_FROM,
            "min_neutral_rows": MIN_NEUTRAL_ROWS,
            "subjects": [
                {
                    "source": source,
                    "name": name,
                    "n_neutral": int(self.n_neutral[row]),
                    "levels": {
                        column: None if np.isnan(level) else round(float(level), 6)
                        for column, level in zip(self.limits, self.levels[row], strict=True)
                    },
                }
                for (source, name), row in self.subjects.items()
            ],
        }

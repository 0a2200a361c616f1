# SPDX-License-Identifier: Apache-2.0
"""Affect tables with action units, valence and arousal relative to each person's own face at rest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from mien.affect import MIN_NEUTRAL_ROWS, NEUTRAL_FROM, Smoothing, resting_levels, subtract_levels
from mien.core import DIMENSIONS, Float64, Indices, InputError, PathName
from mien.pipeline.postprocessing.smooth import smooth_table
from mien.results import (
    PERSON_COLUMN,
    action_unit_columns,
    check_output,
    column_numbers,
    format_of,
    read_table,
    save_table,
    table_metadata,
    with_table_metadata,
)

_METADATA_KEY = "baseline"

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
    table = read_table(path)
    try:
        # Rest is judged on unsmoothed values: smoothing would carry expressions into the frames around them.
        smoothed = smooth_table(table, settings)[0] if settings.expr or settings.va or settings.au else table
        result, calibration = calibrate_table(smoothed, measured=table)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    save_table(Path(out), result)
    return calibration


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
    reference = table if measured is None else measured
    if _METADATA_KEY in table_metadata(table.schema):
        raise InputError("the baseline is subtracted already; begin with the original table")
    groups, subjects = _subjects(table)
    neutral = column_numbers(reference["expression_neutral"])
    if not subjects:
        raise InputError("the table has no tracks, which baselines need; photos have none")
    if np.isnan(neutral).all():
        raise InputError("the table has no probability of neutral, without which a face at rest is not known")
    units = [name for name in action_unit_columns(table.schema) if table[name].null_count < len(table)]
    limits = dict.fromkeys(units, (0.0, 1.0)) | dict.fromkeys(DIMENSIONS, (-1.0, 1.0))
    baseline = resting_levels(groups, neutral, _matrix(reference, list(limits)), len(subjects))
    result = table
    for index, (name, (low, high)) in enumerate(limits.items()):
        levels = baseline.levels[:, index : index + 1]
        values = subtract_levels(groups, _matrix(table, [name]), levels, low, high)[:, 0].astype(np.float32)
        place = result.schema.get_field_index(name)
        result = result.set_column(place, result.schema.field(name), pa.array(values, from_pandas=True))
    known = [bool(np.isfinite(levels).any()) for levels in baseline.levels]
    notes = {
        "by": "person",
        "neutral_from": NEUTRAL_FROM,
        "min_neutral_rows": MIN_NEUTRAL_ROWS,
        "subjects": [
            {
                "source": source,
                "name": name,
                "n_neutral": int(baseline.n_neutral[row]),
                "levels": {
                    column: None if np.isnan(level) else round(float(level), 6)
                    for column, level in zip(limits, baseline.levels[row], strict=True)
                },
            }
            for row, (source, name) in enumerate(subjects)
        ],
    }
    return (
        result.cast(with_table_metadata(result.schema, {_METADATA_KEY: json.dumps(notes)})),
        Calibration(
            calibrated=tuple(subject for subject, is_known in zip(subjects, known, strict=True) if is_known),
            untouched=tuple(
                (*subjects[row], int(baseline.n_neutral[row])) for row in np.flatnonzero(np.logical_not(known)).tolist()
            ),
        ),
    )


def _subjects(table: pa.Table) -> tuple[Indices, list[_Subject]]:
    """The number of each row's person or track, -1 for none, and the persons and tracks by first appearance."""
    tracks = table["track_id"].fill_null(-1).to_pylist()
    names = table[PERSON_COLUMN.name].to_pylist() if PERSON_COLUMN.name in table.schema.names else [None] * len(table)
    numbers: dict[_Subject, int] = {}
    groups = []
    for source, person, track in zip(table["source"].to_pylist(), names, tracks, strict=True):
        name = person or (f"track {track}" if track >= 0 else None)
        groups.append(-1 if name is None else numbers.setdefault((source, name), len(numbers)))
    return np.array(groups, dtype=np.intp), list(numbers)


def _matrix(table: pa.Table, names: list[str]) -> Float64:
    return np.stack([column_numbers(table[name]) for name in names], axis=1)

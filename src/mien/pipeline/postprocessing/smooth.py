# SPDX-License-Identifier: Apache-2.0
"""Affect tables smoothed over time: each track on its own, on probabilities, before the top expression is decided."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mien.affect import Smoothing, smooth_tracks
from mien.core import DIMENSIONS, ConfigError, Float64, InputError, Int64, PathName
from mien.pipeline.media_run import SMOOTHING_KEY
from mien.results import (
    action_unit_columns,
    check_output,
    column_numbers,
    expression_columns,
    format_of,
    intensity_columns,
    read_table,
    save_table,
    table_metadata,
    with_table_metadata,
)


def smooth_file(path: PathName, out: PathName, settings: Smoothing) -> int:
    """Reads an affect table, smooths it and writes it, possibly in another format.

    The rows stay the same, one for one. A frame in which a face was lost has no row of that track: it counts in the
    filter, interpolated, but no row is added for it.

    Args:
        path: Path of the table.
        out: Path of the new table; its ending chooses the format.
        settings: Half-widths in frames, and the kernel.

    Returns:
        Number of tracks that were smoothed.

    Raises:
        ConfigError: An ending is unknown, every half-width is 0, or the new table would replace the old one or another.
        InputError: The table cannot be read, or is smoothed already.
        OutputError: The new table cannot be written.
    """
    format_of(Path(out))  # refuse an unknown ending before the work
    check_output("--out", out, {"TABLE": path})
    table = read_table(path)
    try:
        smoothed, n_tracks = smooth_table(table, settings)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    save_table(Path(out), smoothed)
    return n_tracks


def smooth_table(table: pa.Table, settings: Smoothing) -> tuple[pa.Table, int]:
    """The table with smoothed probabilities, values and top expression, and the number of tracks.

    Args:
        table: Affect table.
        settings: Half-widths in frames, and the kernel.

    Raises:
        ConfigError: Every half-width is 0.
        InputError: A track has two rows of one frame, or the table is smoothed already.
    """
    Smoothing.of(settings)  # refuses settings that would change nothing
    about = table_metadata(table.schema)
    if SMOOTHING_KEY in about:
        raise InputError(f"the table is smoothed already ({about[SMOOTHING_KEY]}); smooth the original")
    names = table.schema.names
    tasks = (
        (settings.expr, expression_columns(table.schema)),
        (settings.va, list(DIMENSIONS)),
        (settings.au, action_unit_columns(table.schema)),
        (settings.au, intensity_columns(table.schema)),
    )
    tracks, n_tracks = _track_numbers(table)
    frames = table["frame"].to_numpy()
    columns = {name: table[name] for name in names}
    for half_width, group in tasks:
        # Classes that the bundle does not have are null in every row and stay null.
        measured = [name for name in group if table[name].null_count < len(table)]
        if not half_width or not measured:
            continue
        values = np.stack([column_numbers(table[name]) for name in measured], axis=1)
        try:
            smoothed = smooth_tracks(tracks, frames, values, half_width, settings)
        except ConfigError as error:
            raise InputError(str(error)) from error
        for column, name in enumerate(measured):
            columns[name] = pa.array(smoothed[:, column].astype(np.float32), from_pandas=True)
        if group is tasks[0][1]:
            columns["expression"] = _top(measured, smoothed)
    schema = with_table_metadata(table.schema, {SMOOTHING_KEY: str(settings)})
    return pa.Table.from_arrays([columns[name] for name in names], schema=schema), n_tracks


def _track_numbers(table: pa.Table) -> tuple[Int64, int]:
    """One number per track over all sources, -1 for rows without a track, and the number of tracks."""
    sources = table["source"].combine_chunks()
    source = np.asarray(pc.index_in(sources, value_set=pc.unique(sources)), dtype=np.int64)
    track = table["track_id"].fill_null(-1).to_numpy()
    followed = track >= 0
    n_ids = int(track.max(initial=-1)) + 1
    pairs, numbers = np.unique(source[followed] * n_ids + track[followed], return_inverse=True)
    result = np.full(len(table), -1, dtype=np.int64)
    result[followed] = numbers
    return result, len(pairs)


def _top(names: Sequence[str], probabilities: Float64) -> pa.Array:
    """The most probable expression of each row, null where no probability is known."""
    labels = pa.array([name.removeprefix("expression_") for name in names])
    unknown = np.isnan(probabilities).all(axis=1)
    best = np.where(np.isnan(probabilities), -np.inf, probabilities).argmax(axis=1)
    return labels.take(pa.array(best, mask=unknown))

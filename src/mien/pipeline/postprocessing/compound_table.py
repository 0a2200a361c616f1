# SPDX-License-Identifier: Apache-2.0
"""Compound expressions of an affect table: one row per frame of each source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mien.affect import CompoundMean, compound_timeline
from mien.core import COMPOUND_EXPRESSIONS, DEFAULT_THRESHOLD, EXPRESSIONS, ConfigError, InputError, PathName, printable
from mien.pipeline.media_run import SMOOTHING_KEY
from mien.results import check_output, format_of, read_table, save_table, table_metadata

_MAX_FRAMES = 20_000_000

NONE_OF_THESE = "none of these"
"""Value of ``compound_or_none`` where no compound expression stands out."""


def compound_file(
    path: PathName, out: PathName, *, half_width: int = 50, mean: CompoundMean = "arithmetic"
) -> tuple[int, int]:
    """Reads an affect table and writes the compound expression of each of its frames.

    Args:
        path: Path of the table.
        out: Path of the new table; its ending chooses the format.
        half_width: Half-width of the box mean over time, in frames; 0 for none.
        mean: Mean of the probabilities of the two basic expressions.

    Returns:
        Number of frames written, and how many of them belong to sources in which no face was found.

    Raises:
        ConfigError: An ending is unknown, or the new table would replace the old one or another table.
        InputError: The table cannot be read, is smoothed already, or lacks a basic expression.
        OutputError: The new table cannot be written.
    """
    format_of(Path(out))  # refuse an unknown ending before the work
    check_output("--out", out, {"TABLE": path})
    table = read_table(path)
    try:
        found = compound_table(table, half_width=half_width, mean=mean)
    except (ConfigError, InputError) as error:
        raise InputError(f"{path}: {error}") from error
    save_table(Path(out), found)
    return len(found), found["compound"].null_count


def compound_table(table: pa.Table, *, half_width: int = 50, mean: CompoundMean = "arithmetic") -> pa.Table:
    """``source, frame, time_s, compound, compound_<name>, compound_or_none`` for every frame of every source.

    The last column is `NONE_OF_THESE` where the two basic expressions of the best compound together have less than half
    of the probability.

    A score is the mean of two probabilities, in [0, 0.5]; see `mien.affect.compound_timeline`. Frames without a face
    are interpolated; in a source without any face everything is null.

    Args:
        table: Affect table.
        half_width: Half-width of the box mean over time, in frames; 0 for none.
        mean: Mean of the probabilities of the two basic expressions.

    Raises:
        ConfigError: A basic expression is missing in the bundle.
        InputError: The table is smoothed already and would be smoothed again.
    """
    if half_width and SMOOTHING_KEY in table_metadata(table.schema):
        raise InputError("the table is smoothed already; choose half-width 0, or take the original")
    labels = [label for label in EXPRESSIONS if table[f"expression_{label}"].null_count < len(table)]
    parts = [
        _of_source(table.filter(pc.equal(table["source"], name)), labels, half_width, mean) for name in _sources(table)
    ]
    schema = pa.schema(
        [
            *(table.schema.field(name) for name in ("source", "frame", "time_s")),
            ("compound", pa.string()),
            *((f"compound_{name}", pa.float32()) for name in map(_column, COMPOUND_EXPRESSIONS)),
            ("compound_or_none", pa.string()),
        ]
    )
    return pa.concat_tables([part.cast(schema) for part in parts]) if parts else schema.empty_table()


def _sources(table: pa.Table) -> list[str]:
    names: list[str] = pc.unique(table["source"]).to_pylist()
    return names


def _of_source(table: pa.Table, labels: list[str], half_width: int, mean: CompoundMean) -> pa.Table:
    numbers = table["frame"].to_numpy()
    frames, first = np.unique(numbers, return_index=True)
    columns = {name: table[name].take(pa.array(first)) for name in ("source", "frame", "time_s")}
    probabilities = np.stack(
        [table[f"expression_{label}"].cast(pa.float64()).to_numpy() for label in labels] or [[]], axis=1
    )
    seen = ~np.isnan(probabilities).any(axis=1) if labels else np.zeros(len(table), dtype=bool)
    names = [_column(name) for name in COMPOUND_EXPRESSIONS]
    if not seen.any():
        columns["compound"] = pa.nulls(len(frames), pa.string())
        columns |= {f"compound_{name}": pa.nulls(len(frames), pa.float32()) for name in names}
        columns["compound_or_none"] = pa.nulls(len(frames), pa.string())
        return pa.table(columns)
    if int(frames[-1]) - int(frames[0]) >= _MAX_FRAMES:
        name = printable(table["source"][0].as_py(), limit=100)
        raise InputError(f"{name}: frames {frames[0]} to {frames[-1]} are longer than any video; check them")
    timeline = np.arange(frames[0], frames[-1] + 1)
    scores = compound_timeline(numbers[seen], probabilities[seen], labels, timeline, half_width=half_width, mean=mean)
    scores = scores[frames - frames[0]]
    columns["compound"] = pa.array([COMPOUND_EXPRESSIONS[best] for best in scores.argmax(axis=1)])
    columns |= {f"compound_{name}": pa.array(scores[:, k].astype(np.float32)) for k, name in enumerate(names)}
    # A score is the mean of two probabilities: below half the threshold, both together are less likely than not.
    stands_out = scores.max(axis=1) >= DEFAULT_THRESHOLD / 2
    found = (COMPOUND_EXPRESSIONS[best] for best in scores.argmax(axis=1))
    columns["compound_or_none"] = pa.array(
        [name if clear else NONE_OF_THESE for name, clear in zip(found, stands_out, strict=True)], pa.string()
    )
    return pa.table(columns)


def _column(name: str) -> str:
    return name.replace(" ", "_")

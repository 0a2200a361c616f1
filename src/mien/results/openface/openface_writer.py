# SPDX-License-Identifier: Apache-2.0
"""An affect table in OpenFace 2.2's columns, for scripts that were written for OpenFace."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import pyarrow as pa

from mien._version import __version__
from mien.core import ConfigError
from mien.results.files import atomic_write, output_errors
from mien.results.openface.openface_columns import (
    ABOUT_SUFFIX,
    N_LANDMARKS,
    openface_header,
    to_intensity,
    to_openface_pose,
)
from mien.results.tables import arrow_compute as pc
from mien.results.tables.recording import source_runs
from mien.results.tables.schema import column_numbers, presence_thresholds, table_metadata
from mien.results.tables.table_columns import INTENSITY_SUFFIX
from mien.results.tables.table_formats import write_batches

_MEANINGS = MappingProxyType(
    {
        "frame": "from 1; mien counts from 0",
        "face": "from 0, in the order of the table",
        "face_id": "mien's track_id; 0 in frames without a face, -1 for a face that no track follows",
        "timestamp": "seconds by the file's own timestamps, not frame / fps",
        "confidence": "of the face detector; 0 in frames without a face",
        "success": "1 where there is a face",
        "AUxx_r": "intensity from 0 to 5 of the units in intensities; of others the probability stretched to 0 to 5: "
        "0 to 0, its threshold to 1, 1 to 5. It grows with the probability and is no calibrated intensity: compare it "
        "within mien's files only",
        "AUxx_c": "1 where the probability reaches the action unit's threshold",
        "pose_Rx, pose_Ry, pose_Rz": "radians, R = Rx Ry Rz: + lowers the nose, + turns it to the image's left, "
        "+ tilts the crown to the image's right",
        "x_0 ... y_67": "pixels of the upright image",
    }
)
_NOT_IN_THIS_FORMAT = "valence, arousal, expressions, face boxes, quality, persons, and action units without a column"


def write_openface(
    table: pa.Table, path: Path, *, groups: Collection[str] = (), thresholds: Mapping[str, float] | None = None
) -> None:
    """Writes one source of an affect table as OpenFace 2.2 would, and beside it a description of the columns.

    A table whose rows are all untracked faces of one photo takes the columns of OpenFace's FaceLandmarkImg, any other
    those of its FeatureExtraction. Columns that mien has no values for stay empty, and columns that the table has
    under OpenFace's names (because it was read from such a file) are passed on as they are.

    Args:
        table: Affect table of one source.
        path: Path of the CSV; its folder is created. ``<path>.about.json`` tells how each column is derived and which
            stay empty.
        groups: Names from `GROUPS`; none means all, as with OpenFace's flags.
        thresholds: Thresholds of the bundle, for a table that keeps none, see `mien.results.presence_thresholds`.

    Raises:
        ConfigError: The table has several sources, a group is unknown, or a threshold is not between 0 and 1.
        OutputError: The place cannot be written.
    """
    plan = OpenFacePlan.of([table])
    if (n_sources := len(plan.sources)) > 1:
        raise ConfigError(f"an OpenFace CSV holds one source, this table has {n_sources}; write one file for each")
    (source,) = plan.sources or (None,)
    _OpenFaceFile(path, plan, source).write([table], groups, thresholds or {})


def write_openface_files(
    plan: OpenFacePlan,
    pieces: Iterable[pa.Table],
    paths: Mapping[str, Path],
    *,
    groups: Collection[str] = (),
    thresholds: Mapping[str, float] | None = None,
) -> None:
    """Writes an affect table in OpenFace's columns, one file for each source, with few rows in memory at a time.

    A table in which rows of several sources alternate is held in memory.

    Args:
        plan: Plan of the same pieces.
        pieces: Rows of the table, such as `mien.results.iter_pieces` gives them.
        paths: Source -> path of its CSV.
        groups: As for `write_openface`.
        thresholds: As for `write_openface`.

    Raises:
        ConfigError: A group is unknown, or a threshold is not between 0 and 1.
        OutputError: A place cannot be written.
    """
    runs = source_runs(pieces) if plan.contiguous else _sorted_runs(pieces, plan.sources)
    for source, run in groupby(runs, key=itemgetter(0)):
        _OpenFaceFile(paths[source], plan, source).write((rows for _, rows in run), groups, thresholds or {})


@dataclass(frozen=True, kw_only=True)
class OpenFacePlan:
    """The facts about a table that must be known before its first row is written.

    Attributes:
        schema: Schema of the table.
        sources: Sources in the order of their first row.
        photos: Those of the sources whose rows are untracked faces of one photo.
        contiguous: Whether the rows of each source follow one another.
    """

    schema: pa.Schema
    sources: tuple[str, ...]
    photos: frozenset[str]
    contiguous: bool

    @classmethod
    def of(cls, pieces: Iterable[pa.Table]) -> Self:
        """Reads through the pieces of a table.

        Args:
            pieces: At least one piece.

        Raises:
            InputError: A row has no source.
        """
        is_photo: dict[str, bool] = {}
        contiguous, previous, schema = True, None, None
        for piece in pieces:
            schema = piece.schema
            for source, rows in source_runs([piece]):
                contiguous &= source not in is_photo or source == previous
                is_photo[source] = is_photo.get(source, True) and _is_photo(rows)
                previous = source
        photos = frozenset(source for source, photo in is_photo.items() if photo)
        return cls(schema=schema, sources=tuple(is_photo), photos=photos, contiguous=contiguous)


def _sorted_runs(pieces: Iterable[pa.Table], sources: Iterable[str]) -> Iterator[tuple[str, pa.Table]]:
    table = pa.concat_tables(list(pieces))
    for source in sources:
        yield source, table.filter(pc.equal(table["source"], source))


def _is_photo(rows: pa.Table) -> bool:
    at_once = pc.all(pc.and_(pc.equal(rows["frame"], 0), pc.equal(rows["time_s"], 0.0))).as_py()
    return bool(at_once) and rows["track_id"].null_count == len(rows)


class _OpenFaceFile:
    """One CSV in OpenFace's columns and the description beside it.

    Args:
        path: Path of the CSV.
        plan: Plan of the affect table.
        source: Source of the rows; None for a table without rows.
    """

    def __init__(self, path: Path, plan: OpenFacePlan, source: str | None) -> None:
        self._path = path
        self._schema = plan.schema
        self._source = source
        self._photo = source in plan.photos
        self._n_rows = 0

    def write(self, pieces: Iterable[pa.Table], groups: Collection[str], thresholds: Mapping[str, float]) -> None:
        """Writes the rows; see `write_openface`."""
        header = openface_header("image" if self._photo else "sequence", groups)
        decided = presence_thresholds(self._schema, thresholds)
        used = {name: decided[name] for name in _action_units(self._schema, header)}
        schema = self._convert(self._schema.empty_table(), header, used).schema
        filled: set[str] = set()

        def batches() -> Iterator[pa.RecordBatch]:
            for piece in pieces:
                result = self._convert(piece, header, used)
                columns = zip(header, result.columns, strict=True)
                filled.update(name for name, column in columns if column.null_count < len(column))
                yield from result.cast(schema).to_batches()

        about_path = self._path.with_name(self._path.name + ABOUT_SUFFIX)
        with output_errors(self._path, "choose a folder with room that you may write"):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._path) as file:
                write_batches(file, "csv", schema, batches())
                text = json.dumps(self._about(header, used, filled), indent=1, ensure_ascii=False)
                with atomic_write(about_path) as about:
                    about.write(text.encode("utf-8", "backslashreplace") + b"\n")

    def _convert(self, rows: pa.Table, header: Sequence[str], thresholds: Mapping[str, float]) -> pa.Table:
        """The rows that follow those of the last call, in OpenFace's columns."""
        values = _head(rows, self._n_rows) | _derived(rows, thresholds)
        self._n_rows += len(rows)
        if self._photo:  # OpenFace has no row for a photo without a face
            found = rows["success"].combine_chunks()
            values = {name: column.filter(found) for name, column in values.items()}
            rows = rows.filter(found)
        nothing = pa.nulls(len(rows), pa.float64())
        columns = [values.get(name, _own(rows, name)) for name in header]
        return pa.table([nothing if column is None else column for column in columns], names=list(header))

    def _about(self, header: Sequence[str], thresholds: Mapping[str, float], filled: Collection[str]) -> dict[str, Any]:
        facts = table_metadata(self._schema)
        return {
            "format": "OpenFace 2.2 CSV, " + ("FaceLandmarkImg" if self._photo else "FeatureExtraction"),
            "written_by": f"mien {__version__}",
            "source": self._source,
            "bundle": {key: facts.get(f"bundle_{key}") for key in ("name", "sha256")},
            "columns": dict(_MEANINGS),
            "action_unit_thresholds": dict(thresholds),
            "intensities": [name for name in thresholds if f"{name}{INTENSITY_SUFFIX}" in self._schema.names],
            "empty": [name for name in header if name not in filled],
            "not_in_this_format": _NOT_IN_THIS_FORMAT,
        }


def _head(table: pa.Table, n_before: int) -> dict[str, pa.Array]:
    found = table["success"].combine_chunks()
    n_nobody = pc.if_else(found, pa.scalar(-1, pa.int64()), pa.scalar(0, pa.int64()))
    confidence = table["confidence"].combine_chunks().cast(pa.float64())
    return {
        "frame": pc.add(table["frame"].combine_chunks(), 1),
        "face": pa.array(np.arange(n_before, n_before + len(table))),
        "face_id": pc.coalesce(table["track_id"].combine_chunks(), n_nobody),
        "timestamp": table["time_s"].combine_chunks(),
        "confidence": pc.if_else(found, confidence, pa.scalar(0.0, pa.float64())),
        "success": found.cast(pa.int64()),
    }


def _action_units(schema: pa.Schema, header: Collection[str]) -> list[str]:
    return [name for name in schema.names if f"{name}_r" in header or f"{name}_c" in header]


def _derived(table: pa.Table, thresholds: Mapping[str, float]) -> dict[str, pa.Array]:
    """Columns that follow from mien's own; a null or NaN is null."""
    columns: dict[str, pa.Array] = {}
    for name, threshold in thresholds.items():
        probability = column_numbers(table[name])
        own = f"{name}{INTENSITY_SUFFIX}"
        intensity = column_numbers(table[own]) if own in table.schema.names else to_intensity(probability, threshold)
        columns[f"{name}_r"] = pa.array(intensity, from_pandas=True)
        if f"{name}_c" not in table.schema.names:
            # Only what is NaN is null: a comparison with NaN would say "absent".
            columns[f"{name}_c"] = pa.array((probability >= threshold).astype(np.int64), mask=np.isnan(probability))
    angles = [column_numbers(table[name]) for name in ("pitch_rad", "yaw_rad", "roll_rad")]
    for axis, values in zip("xyz", to_openface_pose(np.stack(angles, axis=-1)).T, strict=True):
        columns[f"pose_R{axis}"] = pa.array(values, from_pandas=True)
    if f"lm_x{N_LANDMARKS - 1:02d}" in table.schema.names:
        for axis in "xy":
            columns |= {f"{axis}_{k}": table[f"lm_{axis}{k:02d}"].combine_chunks() for k in range(N_LANDMARKS)}
    return columns


def _own(table: pa.Table, name: str) -> pa.Array | None:
    return table[name].combine_chunks() if name in table.schema.names else None

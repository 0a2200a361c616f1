# SPDX-License-Identifier: Apache-2.0
"""An affect table in OpenFace 2.2's columns, for scripts that were written for OpenFace."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from mien._version import __version__
from mien.core import ConfigError
from mien.results.files import atomic_write, output_errors
from mien.results.openface.openface_columns import (
    ABOUT_SUFFIX,
    N_POINTS,
    openface_header,
    to_intensity,
    to_openface_pose,
)
from mien.results.tables import arrow_compute as pc
from mien.results.tables.schema import column_numbers, presence_thresholds, table_metadata
from mien.results.tables.table_formats import write_batches

_MEANINGS = MappingProxyType(
    {
        "frame": "from 1; mien counts from 0",
        "face": "from 0, in the order of the table",
        "face_id": "mien's track_id; 0 in frames without a face, -1 for a face that no track follows",
        "timestamp": "seconds by the file's own timestamps, not frame / fps",
        "confidence": "of the face detector; 0 in frames without a face",
        "success": "1 where there is a face",
        "AUxx_r": "probability of the action unit stretched to 0 to 5: 0 to 0, its threshold to 1, 1 to 5. It grows "
        "with the probability and is no calibrated intensity: compare it within mien's files only",
        "AUxx_c": "1 where the probability reaches the action unit's threshold",
        "pose_Rx, pose_Ry, pose_Rz": "radians, R = Rx Ry Rz: + lowers the nose, + turns it to the image's left, "
        "+ tilts the crown to the image's right",
        "x_0 ... y_67": "pixels of the upright picture",
    }
)
_NOT_IN_THIS_FORMAT = "valence, arousal, expressions, face boxes, quality, persons, and action units without a column"


def write_openface(
    table: pa.Table, path: Path, *, groups: Collection[str] = (), thresholds: Mapping[str, float] | None = None
) -> None:
    """Writes one source of an affect table as OpenFace 2.2 would, and beside it what the columns hold.

    A table whose rows are all untracked faces of one picture takes the columns of OpenFace's FaceLandmarkImg, any other
    those of its FeatureExtraction. What mien does not measure stays empty, and columns that the table has under
    OpenFace's names (because it was read from such a file) are passed on as they are.

    Args:
        table: the affect table, of one source.
        path: the CSV; its folder is created. ``<path>.about.json`` tells what is derived how and what stays empty.
        groups: some of `GROUPS`; none means all, as with OpenFace's flags.
        thresholds: Thresholds of the bundle, for a table that keeps none, see `mien.results.presence_thresholds`.

    Raises:
        ConfigError: the table has several sources, a group is unknown, or a threshold is not between 0 and 1.
        OutputError: the place cannot be written.
    """
    sources = pc.unique(table["source"]).to_pylist()
    if len(sources) > 1:
        raise ConfigError(f"an OpenFace CSV holds one source, this table has {len(sources)}; write one file for each")
    is_image = _is_image(table)
    header = openface_header("image" if is_image else "sequence", groups)
    decided = presence_thresholds(table.schema, thresholds or {})
    used = {name: decided[name] for name in _action_units(table, header)}
    values = _head(table) | _derived(table, used)
    if is_image:  # OpenFace has no row for a picture without a face
        rows = table["success"].combine_chunks()
        values = {name: column.filter(rows) for name, column in values.items()}
        table = table.filter(rows)
    nothing = pa.nulls(len(table), pa.float64())
    columns = {name: values.get(name, _own(table, name)) for name in header}
    arrays = [nothing if column is None else column for column in columns.values()]
    result = pa.table(arrays, names=list(header))
    about = {
        "format": "OpenFace 2.2 CSV, FaceLandmarkImg" if is_image else "OpenFace 2.2 CSV, FeatureExtraction",
        "written_by": f"mien {__version__}",
        "source": sources[0] if sources else None,
        "bundle": {key: table_metadata(table.schema).get(f"bundle_{key}") for key in ("name", "sha256")},
        "columns": dict(_MEANINGS),
        "action_unit_thresholds": used,
        "empty": [name for name, column in zip(header, arrays, strict=True) if column.null_count == len(column)],
        "not_in_this_format": _NOT_IN_THIS_FORMAT,
    }
    about_path = path.with_name(path.name + ABOUT_SUFFIX)
    with output_errors(path, "choose a folder with room that you may write"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(about_path) as file:
            file.write(json.dumps(about, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
        with atomic_write(path) as file:
            write_batches(file, "csv", result.schema, result.to_batches())


def _is_image(table: pa.Table) -> bool:
    at_once = pc.all(pc.and_(pc.equal(table["frame"], 0), pc.equal(table["time_s"], 0.0))).as_py()
    return len(table) > 0 and bool(at_once) and table["track_id"].null_count == len(table)


def _head(table: pa.Table) -> dict[str, pa.Array]:
    found = table["success"].combine_chunks()
    n_nobody = pc.if_else(found, pa.scalar(-1, pa.int64()), pa.scalar(0, pa.int64()))
    confidence = table["confidence"].combine_chunks().cast(pa.float64())
    return {
        "frame": pc.add(table["frame"].combine_chunks(), 1),
        "face": pa.array(np.arange(len(table))),
        "face_id": pc.coalesce(table["track_id"].combine_chunks(), n_nobody),
        "timestamp": table["time_s"].combine_chunks(),
        "confidence": pc.if_else(found, confidence, pa.scalar(0.0, pa.float64())),
        "success": found.cast(pa.int64()),
    }


def _action_units(table: pa.Table, header: Collection[str]) -> list[str]:
    return [name for name in table.schema.names if f"{name}_r" in header or f"{name}_c" in header]


def _derived(table: pa.Table, thresholds: Mapping[str, float]) -> dict[str, pa.Array]:
    """What follows from mien's own columns; a null or NaN is null."""
    columns: dict[str, pa.Array] = {}
    for name, threshold in thresholds.items():
        probability = column_numbers(table[name])
        columns[f"{name}_r"] = pa.array(to_intensity(probability, threshold), from_pandas=True)
        if f"{name}_c" not in table.schema.names:
            # Only what is NaN is null: a comparison with NaN would say "absent".
            columns[f"{name}_c"] = pa.array((probability >= threshold).astype(np.int64), mask=np.isnan(probability))
    angles = [column_numbers(table[name]) for name in ("pitch_rad", "yaw_rad", "roll_rad")]
    for axis, values in zip("xyz", to_openface_pose(np.stack(angles, axis=-1)).T, strict=True):
        columns[f"pose_R{axis}"] = pa.array(values, from_pandas=True)
    if f"lm_x{N_POINTS - 1:02d}" in table.schema.names:
        for axis in "xy":
            columns |= {f"{axis}_{k}": table[f"lm_{axis}{k:02d}"].combine_chunks() for k in range(N_POINTS)}
    return columns


def _own(table: pa.Table, name: str) -> pa.Array | None:
    return table[name].combine_chunks() if name in table.schema.names else None

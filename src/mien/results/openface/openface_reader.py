# SPDX-License-Identifier: Apache-2.0
"""OpenFace CSVs (2.0 to 2.2, and those that mien writes) as affect tables."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from mien.core import (
    DEFAULT_THRESHOLD,
    MAX_INTENSITY,
    Bools,
    Float64,
    Indices,
    InputError,
    is_regular_file,
    open_regular,
)
from mien.results.openface.openface_columns import (
    ABOUT_SUFFIX,
    N_LANDMARKS,
    from_intensity,
    from_openface_pose,
)
from mien.results.tables.schema import table_schema, thresholds_metadata
from mien.results.tables.table_check import (
    MAX_NUMBER,
    MAX_PX,
    MAX_TIME_S,
    NotATableError,
    RowCheck,
    cell_error,
    is_thresholds,
    shown,
)
from mien.results.tables.table_columns import INTENSITY_SUFFIX
from mien.results.tables.table_decoder import reading_errors

Columns = dict[str, Float64]

# What C and C++ libraries print for a number that is none; OpenFace pads its values with blanks.
_NOT_A_NUMBER = [
    pad + text for pad in ("", " ") for text in ("", "nan", "-nan", "-nan(ind)", "nan(ind)", "inf", "-inf")
]
_SLACK = 0.01  # OpenFace rounds to two digits
_POSE = ("pose_Rx", "pose_Ry", "pose_Rz")


def is_openface_header(line: str) -> bool:
    """Whether the first line of a CSV is that of an OpenFace file, with any groups of columns.

    Examples:
        >>> is_openface_header("frame, face_id, timestamp, confidence, success")
        True
        >>> is_openface_header("source,frame,time_s")
        False
    """
    names = _names(line)
    return {"frame", "timestamp", "confidence", "success"} <= set(names) or names[:2] == ["face", "confidence"]


def read_openface(path: str | Path) -> pa.Table:
    """Reads an OpenFace CSV as an affect table.

    Frames count from 0, angles turn to mien's signs, 2-D landmarks become ``lm_x00 ...`` and their extent the box.
    ``AU12_r`` becomes ``AU12`` on mien's scale by `from_intensity`: 1 (a trace) becomes the threshold (0.5 unless
    mien wrote the file) and 5 becomes 1; it is a scale, not a calibrated probability. It is ``AU12_intensity``, too,
    unless mien stretched a probability to it. ``AU28``, for which OpenFace
    gives presence alone, is 0 or 1. Every other column that holds a number keeps OpenFace's name, ``AU12_c``
    among them. Rows without success are null, whatever OpenFace wrote there; a frame without any face has
    one such row. Expressions, valence and arousal are null.

    Args:
        path: Path of the file. Blanks in the header and missing columns are accepted.

    Returns:
        The table; its source is the file's stem, or the source that mien noted beside the file.

    Raises:
        InputError: The file cannot be read, is damaged or is no OpenFace CSV.
    """
    path = Path(path)
    with reading_errors(path), open_regular(path) as file:
        names = _names(file.readline().decode("utf-8-sig"))
        if not is_openface_header(",".join(names)):
            raise NotATableError("is no OpenFace CSV: it lacks frame, timestamp, confidence or success")
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise NotATableError(f"is damaged: it has several columns {', '.join(map(shown, repeated))}")
        content = _decode(file.read(), names)
        _check(content)
        about = _about(path)
        source, thresholds = about.get("source") or path.stem, about.get("action_unit_thresholds") or {}
        # Files that mien wrote name the units whose intensities are no stretched probabilities.
        stretched = set(thresholds) - set(about.get("intensities") or ()) if "written_by" in about else set()
        table, rows = _affect_table(content, _valid_text(source), thresholds, stretched)
        RowCheck().check(table, rows)
        return table


def _valid_text(text: str) -> str:
    """The name as valid UTF-8: bytes of a file name that are not UTF-8 become escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _names(line: str) -> list[str]:
    return [name.strip() for name in line.strip().split(",")]


def _decode(content: bytes, names: Sequence[str]) -> Columns:
    if not content.strip():
        return {name: np.empty(0) for name in names}
    try:
        table = pacsv.read_csv(
            pa.BufferReader(content),
            read_options=pacsv.ReadOptions(column_names=list(names)),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.float64()), null_values=_NOT_A_NUMBER
            ),
        )
    except pa.ArrowException as error:
        raise _defect(content, names) or error from error
    return {name: np.array(table[name].to_numpy()) for name in names}


def _defect(content: bytes, names: Sequence[str]) -> NotATableError | None:
    """The first row that cannot be decoded; None where it is not found."""
    lines = content.decode("utf-8", "backslashreplace").splitlines()
    for row, cells in enumerate(csv.reader(line for line in lines if line.strip())):
        if len(cells) != len(names):
            return NotATableError(
                f"cannot be used: row {row + 1} has {len(cells)} cells, the header has {len(names)}; is it cut off?"
            )
        for name, cell in zip(names, cells, strict=True):
            if cell not in _NOT_A_NUMBER and not _is_number(cell):
                return cell_error(row, name, f"{shown(cell)} is no number")
    return None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _check(content: Columns) -> None:
    """Refuses values that OpenFace cannot have written, which later steps would turn into other ones."""
    found = np.nan_to_num(content.get("success", np.ones(len(content["confidence"])))) > 0
    for name, values in content.items():
        limits = _LIMITS.get(re.sub(r"\d+", "", name))
        if limits is None:
            continue
        low, high, whole = limits
        # Rows without a face hold whatever the tracker had left, but their place in the video counts.
        used = np.ones(len(values), bool) if name in ("frame", "timestamp", "success") else found
        fits = (values >= low) & (values <= high)
        if whole:
            fits &= np.rint(values) == values
        wrong = used & ~fits
        if name not in ("frame", "timestamp"):
            wrong &= ~np.isnan(values)
        if wrong.any():
            row = int(wrong.argmax())
            kind = "a whole number " if whole else ""
            raise cell_error(row, name, f"{values[row]:.10g} is not {kind}in {low:.10g} to {high:.10g}")


# Column without its number -> lowest and highest value, and whether it is a whole number.
_LIMITS = {
    "frame": (0, MAX_NUMBER, True),
    "face": (0, MAX_NUMBER, True),
    "face_id": (-1, MAX_NUMBER - 1, True),
    "timestamp": (-MAX_TIME_S, MAX_TIME_S, False),
    "confidence": (0, 1, False),
    "success": (0, 1, True),
    "AU_r": (-_SLACK, MAX_INTENSITY + _SLACK, False),
    "AU_c": (0, 1, True),
    "x_": (-MAX_PX, MAX_PX, False),
    "y_": (-MAX_PX, MAX_PX, False),
}


def _about(path: Path) -> Mapping[str, Any]:
    """The notes that mien wrote beside its own file; empty for a file of OpenFace."""
    about_path = path.with_name(path.name + ABOUT_SUFFIX)
    if not is_regular_file(about_path):
        return {}
    try:
        about = json.loads(about_path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{about_path} cannot be read ({error}); without it the scale of its action units is unknown"
        ) from error
    if not isinstance(about, dict):
        raise InputError(f"{about_path} is damaged: it is no JSON object; write the CSV again")
    if not isinstance(about.get("source") or "", str):
        raise InputError(f"{about_path} is damaged: source is {shown(about['source'])}, not a name")
    named = about.get("intensities") or []
    if not (isinstance(named, list) and all(isinstance(name, str) for name in named)):
        raise InputError(f"{about_path} is damaged: intensities is {shown(named)}, not a list of action units")
    if not is_thresholds(about.get("action_unit_thresholds") or {}):
        raise InputError(f"{about_path} is damaged: action_unit_thresholds are not numbers between 0 and 1")
    return about


def _affect_table(
    content: Columns, source: str, thresholds: Mapping[str, float], stretched: Collection[str]
) -> tuple[pa.Table, Indices]:
    """The table, and the row of the file that each of its rows is from."""
    is_image = "frame" not in content
    if is_image and not len(content["face"]):
        content = {name: np.full(1, np.nan) for name in content} | {"success": np.zeros(1)}  # a photo without a face
    frame = np.zeros(len(content["confidence"])) if is_image else content["frame"]
    success = np.nan_to_num(content.get("success", np.ones(len(frame)))) > 0
    kept = _one_row_without_face(frame, success)
    frame, success = frame[kept], success[kept]
    time_s = np.zeros(len(frame)) if is_image else content["timestamp"][kept]
    content = {name: np.where(success, values[kept], np.nan) for name, values in content.items()}
    units = _action_units(content, thresholds)
    intensities = {
        f"{label}{INTENSITY_SUFFIX}": np.clip(content[f"{label}_r"], 0.0, MAX_INTENSITY)
        for label in units
        if f"{label}_r" in content and label not in stretched and not np.isnan(content[f"{label}_r"]).all()
    }
    values = units | _geometry(content) | {"confidence": content["confidence"]} | intensities
    track = content.get("face_id", np.full(len(frame), np.nan if is_image else 0.0))
    schema = table_schema(
        expression_labels=(),
        action_unit_labels=tuple(units),
        n_landmarks=N_LANDMARKS if "lm_x00" in values else 0,
        intensity_labels=tuple(name.removesuffix(INTENSITY_SUFFIX) for name in intensities),
        metadata={"read_from": "OpenFace CSV", **thresholds_metadata(thresholds)},
    )
    arrays: dict[str, pa.Array] = {
        "source": pa.array([source] * len(frame), pa.string()),
        # A file whose frames already count from 0 would otherwise begin before the video.
        "frame": pa.array((frame - (0 if is_image or frame.min(initial=1) < 1 else 1)).astype(np.int64)),
        "time_s": pa.array(time_s, from_pandas=True),
        "track_id": pa.array(np.nan_to_num(track, nan=-1).astype(np.int64), mask=~(success & (track >= 0))),
        "success": pa.array(success),
    }
    for field in schema:
        if field.name not in arrays:
            column = values.get(field.name)
            empty = pa.nulls(len(frame), field.type)
            arrays[field.name] = empty if column is None else pa.array(column, from_pandas=True).cast(field.type)
    for name in _further(content, units):
        schema = schema.append(pa.field(name, pa.float64()))
        arrays[name] = pa.array(content[name], from_pandas=True)
    return pa.table(arrays, schema=schema), kept


def _geometry(content: Columns) -> Columns:
    """Pose, landmarks and box under mien's names, where the file has them."""
    values: Columns = {}
    if set(_POSE) <= content.keys():
        pose = from_openface_pose(np.stack([content[name] for name in _POSE], axis=-1))
        values |= {f"{name}_rad": pose[:, i] for i, name in enumerate(("pitch", "yaw", "roll"))}
    names = {axis: [f"{axis}_{k}" for k in range(N_LANDMARKS)] for axis in "xy"}
    if {*names["x"], *names["y"]} <= content.keys() and not np.isnan(content["x_0"]).all():
        for axis in "xy":
            landmarks = np.stack([content[name] for name in names[axis]])
            values |= {f"lm_{axis}{k:02d}": landmarks[k] for k in range(N_LANDMARKS)}
            values |= {f"{axis}0": landmarks.min(axis=0), f"{axis}1": landmarks.max(axis=0)}
    return values


def _one_row_without_face(frame: Float64, success: Bools) -> Indices:
    """Rows to keep, in order: every face, and the first row of each frame in which none was found."""
    failed = np.flatnonzero(~success & ~np.isin(frame, frame[success]))
    first = failed[np.unique(frame[failed], return_index=True)[1]]
    return np.sort(np.concatenate([np.flatnonzero(success), first]))


def _action_units(content: Columns, thresholds: Mapping[str, float]) -> Columns:
    """Action units on mien's scale, in the order of the file; columns without any number are left out."""
    labels = dict.fromkeys(match[1] for name in content if (match := re.fullmatch(r"(AU\d+)_[rc]", name)))
    units = {}
    for label in labels:
        intensity, presence = content.get(f"{label}_r"), content.get(f"{label}_c")
        if intensity is not None and not np.isnan(intensity).all():
            units[label] = from_intensity(intensity, thresholds.get(label, DEFAULT_THRESHOLD))
        elif presence is not None and not np.isnan(presence).all():
            units[label] = np.clip(presence, 0.0, 1.0)
    return units


def _further(content: Columns, units: Columns) -> list[str]:
    """Columns that keep OpenFace's names because mien has no columns for them."""
    landmarks = {f"{axis}_{k}" for axis in "xy" for k in range(N_LANDMARKS)}
    known = {"frame", "face", "face_id", "timestamp", "confidence", "success", *_POSE, *landmarks}
    known |= {f"{label}_r" for label in units}
    return [name for name, values in content.items() if name not in known and not np.isnan(values).all()]

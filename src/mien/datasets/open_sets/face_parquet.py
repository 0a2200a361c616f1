# SPDX-License-Identifier: Apache-2.0
"""Readers of face sets kept as Parquet: encoded pictures, votes, ratings, and the answers of a landmark teacher."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mien.core import EXPRESSIONS, DatasetError

Floats = npt.NDArray[np.float32]

VOTES = (*EXPRESSIONS, "unknown", "not_a_face")
"""Vote columns of FER+, in file order."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Encoded pictures and their names."""

    names: tuple[str, ...]
    images: tuple[bytes, ...]


@dataclass(frozen=True, eq=False)
class TeacherOutputs:
    """What a landmark and blendshape model said about pictures.

    Attributes:
        found: (N,) whether it saw a face; rows without one are NaN below.
        blendshapes: (N, 52) activations in [0, 1].
        blendshape_names: 52 ARKit names.
        landmarks: (N, 68, 2) in 300-W order, fractions of the picture's width and height, may leave 0..1.
    """

    found: npt.NDArray[np.bool_]
    blendshapes: Floats
    blendshape_names: tuple[str, ...]
    landmarks: Floats


def load_pictures(path: str | Path) -> Pictures:
    """Names and encoded pictures of any of the sets.

    Raises:
        DatasetError: the file is missing, is not Parquet or lacks a column.
    """
    path = Path(path)
    table = _read(path, ("name", "image"))
    return Pictures(tuple(table["name"].to_pylist()), tuple(table["image"].to_pylist()))


def load_votes(path: str | Path) -> npt.NDArray[np.int64]:
    """FER+ votes (N, 10) in the order of `VOTES`, about ten people a face."""
    path = Path(path)
    return _matrix(_read(path, VOTES), VOTES).astype(np.int64)


def load_ratings(path: str | Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Votes (N, 8), mean valence and arousal (N, 2) in [-1, 1], and the image set (N,) of a set with many raters."""
    path = Path(path)
    dimensions = ("valence_mean", "arousal_mean")
    table = _read(path, (*EXPRESSIONS, *dimensions, "image_set"))
    return _matrix(table, EXPRESSIONS), _matrix(table, dimensions), table["image_set"].to_numpy().astype(np.int64)


def load_emotions(path: str | Path) -> tuple[str, ...]:
    """The single expression label of each picture, in canonical spelling."""
    path = Path(path)
    labels = tuple(_read(path, ("emotion",))["emotion"].to_pylist())
    unknown = sorted(set(labels) - set(EXPRESSIONS))
    if unknown:
        raise DatasetError(f"{path}: unknown emotions {unknown}; expected a subset of {EXPRESSIONS}")
    return labels


def load_traits(path: str | Path, names: tuple[str, ...]) -> dict[str, npt.NDArray[np.str_]]:
    """What annotators wrote of the people on the pictures: column name -> (N,) text, such as age or gender.

    Raises:
        DatasetError: the file is missing or lacks a column, or a picture has no entry.
    """
    path = Path(path)
    table = _read(path, names)
    empty = [name for name in names if table[name].null_count]
    if empty:
        raise DatasetError(f"{path}: columns {empty} have empty entries")
    return {name: np.array(table[name].to_pylist(), dtype=np.str_) for name in names}


def load_teacher(path: str | Path, names: tuple[str, ...]) -> TeacherOutputs:
    """The teacher's answers for exactly these pictures, joined by name.

    Raises:
        DatasetError: a picture has no row, or the file does not name its blendshapes.
    """
    path = Path(path)
    table = _read(path, ("name", "found", "blendshapes", "points"))
    metadata = table.schema.metadata or {}
    if b"blendshapes" not in metadata:
        raise DatasetError(f"{path}: the file's metadata does not name its blendshapes")
    rows = _rows_of(names, table, path)
    blendshape_names = tuple(json.loads(metadata[b"blendshapes"]))
    return TeacherOutputs(
        found=np.asarray(table["found"].to_numpy()).astype(bool)[rows],
        blendshapes=_lists(table["blendshapes"], len(blendshape_names))[rows],
        blendshape_names=blendshape_names,
        landmarks=_lists(table["points"], 136)[rows].reshape(-1, 68, 2),
    )


def load_poses(path: Path, names: tuple[str, ...]) -> Floats:
    """The teacher's head rotations (N, 3, 3) for exactly these pictures, NaN where it found no face.

    Its axes are x to the image's right, y up, z towards the viewer: those of `mien.core.rotation_matrices`.

    Raises:
        DatasetError: a picture has no row.
    """
    table = _read(path, ("name", "matrix"))
    return _lists(table["matrix"], 16)[_rows_of(names, table, path)].reshape(-1, 4, 4)[:, :3, :3]


def _rows_of(names: tuple[str, ...], table: pa.Table, path: Path) -> npt.NDArray[np.intp]:
    """Where each picture's row is."""
    row_of = {name: row for row, name in enumerate(table["name"].to_pylist())}
    missing = [name for name in names if name not in row_of]
    if missing:
        raise DatasetError(f"{path}: no answer for {len(missing)} pictures, the first is {missing[0]}")
    return np.array([row_of[name] for name in names], dtype=np.intp)


def _read(path: Path, columns: tuple[str, ...]) -> pa.Table:
    try:
        schema = pq.read_schema(path)
        missing = [name for name in columns if name not in schema.names]
        if missing:
            raise DatasetError(f"{path}: columns {missing} are missing; found {schema.names}")
        return pq.read_table(path, columns=list(columns))
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file") from error
    except pa.ArrowInvalid as error:
        raise DatasetError(f"{path}: not a Parquet file ({error})") from error


def _matrix(table: pa.Table, columns: tuple[str, ...]) -> npt.NDArray[np.float64]:
    return np.stack([table[name].to_numpy() for name in columns], axis=1).astype(np.float64)


def _lists(column: pa.ChunkedArray, width: int) -> Floats:
    """A column of lists of one length as (N, width), NaN where the list is missing."""
    values = np.full((len(column), width), np.nan, dtype=np.float32)
    present = column.is_valid().to_numpy()
    flat = column.drop_null().combine_chunks().flatten()
    values[present] = np.asarray(flat.to_numpy(zero_copy_only=False), dtype=np.float32).reshape(-1, width)
    return values

# SPDX-License-Identifier: Apache-2.0
"""The one reader of the open face sets: where their Parquet files are, and the columns of each file.

Everything else in this package that needs pictures, votes, ratings, labels, traits or a teacher's outputs calls it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mien.core import EXPRESSIONS, Bools, Float32, Float64, Indices, Int64
from mien.datasets.text_files import AnnotationError

VOTES = (*EXPRESSIONS, "unknown", "not_a_face")
"""Vote columns of FER+, in file order."""

_RATINGS = ("valence_mean", "arousal_mean")

# LFW has one file for both splits; `mien.datasets.open_sets.face_sets.is_test_person` divides it by person.
_FILES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "ferplus": {"train": "ferplus/train", "valid": "ferplus/valid"},
        "fairface": {"train": "fairface/train", "valid": "fairface/val", "more": "fairface/more"},
        "lfw": {"train": "lfw_expression/photos", "test": "lfw_expression/photos"},
        "affectnet_c25": {"train": "affectnet_c25/ratings"},
    }
)


@dataclass(frozen=True, eq=False)
class Pictures:
    """Encoded pictures and their names.

    Attributes:
        names: N names, unique within a file.
        images: N encoded images (PNG or JPEG bytes).
    """

    names: tuple[str, ...]
    images: tuple[bytes, ...]


@dataclass(frozen=True, eq=False)
class TeacherOutputs:
    """Outputs of a landmark and blendshape model (the teacher) for N pictures.

    Attributes:
        found: (N,) whether the teacher found a face; rows without one are NaN below.
        blendshapes: (N, 52) activations in [0, 1].
        blendshape_names: 52 ARKit names.
        landmarks: (N, 68, 2) in 300-W order, fractions of the picture's width and height; values may leave [0, 1].
    """

    found: Bools
    blendshapes: Float32
    blendshape_names: tuple[str, ...]
    landmarks: Float32


def picture_file(folder: str | Path, name: str, split: str) -> Path:
    """Path of the file that holds a split of an open set.

    Args:
        folder: Folder that holds all open sets (layout: docs/how-to/training.md).
        name: ``"ferplus"``, ``"fairface"``, ``"lfw"`` or ``"affectnet_c25"``.
        split: ``"train"``, ``"valid"`` or ``"test"``, as far as the set has it.

    Raises:
        AnnotationError: The set has no such split.

    Examples:
        >>> picture_file("data", "fairface", "valid").as_posix()
        'data/fairface/val.parquet'
    """
    files = _FILES[name]
    if split not in files:
        raise AnnotationError(Path(folder), f"{name} has the splits {', '.join(files)}, not {split!r}")
    return Path(folder) / f"{files[split]}.parquet"


def teacher_file(folder: str | Path, name: str, split: str) -> Path:
    """Path of the file with the teacher's outputs for a split of an open set; arguments as for `picture_file`.

    Examples:
        >>> teacher_file("data", "fairface", "valid").as_posix()
        'data/teacher/fairface_val.parquet'
        >>> teacher_file("data", "lfw", "test").as_posix()
        'data/teacher/lfw_expression.parquet'
    """
    pictures = picture_file(folder, name, split)
    stem = pictures.parent.name if name == "lfw" else f"{pictures.parent.name}_{pictures.stem}"
    return Path(folder) / f"teacher/{stem}.parquet"


def load_names(path: str | Path) -> tuple[str, ...]:
    """Names of the pictures of a file, without the pictures.

    Raises:
        AnnotationError: The file is missing, is not Parquet or lacks the column.
    """
    return tuple(_read(Path(path), ("name",))["name"].to_pylist())


def load_pictures(path: str | Path) -> Pictures:
    """Names and encoded pictures of any of the sets.

    Raises:
        AnnotationError: The file is missing, is not Parquet or lacks a column.
    """
    table = _read(Path(path), ("name", "image"))
    return Pictures(tuple(table["name"].to_pylist()), tuple(table["image"].to_pylist()))


def load_votes(path: str | Path) -> Int64:
    """FER+ votes (N, 10) in the order of `VOTES`, about ten votes per face."""
    return _matrix(_read(Path(path), VOTES), VOTES).astype(np.int64)


def load_ratings(path: str | Path) -> tuple[Int64, Float64, Int64]:
    """Votes (N, 8), mean valence and arousal (N, 2) in [-1, 1], and the image set (N,) of a set with many raters.

    Raises:
        AnnotationError: The file is missing, is not Parquet, lacks a column or has a rating outside [-1, 1].
    """
    path = Path(path)
    table = _read(path, (*EXPRESSIONS, *_RATINGS, "image_set"))
    ratings = _matrix(table, _RATINGS)
    outside = ~(np.abs(ratings) <= 1).all(axis=1)
    if outside.any():
        raise AnnotationError(path, f"row {int(outside.argmax())} has a rating outside [-1, 1]")
    votes = _matrix(table, EXPRESSIONS).astype(np.int64)
    return votes, ratings, table["image_set"].to_numpy().astype(np.int64)


def load_emotions(path: str | Path) -> tuple[str, ...]:
    """Single expression label of each picture, in canonical spelling.

    Raises:
        AnnotationError: The file is missing, is not Parquet, lacks the column or has an unknown label.
    """
    path = Path(path)
    labels = tuple(_read(path, ("emotion",))["emotion"].to_pylist())
    unknown = sorted(set(labels) - set(EXPRESSIONS))
    if unknown:
        raise AnnotationError(path, f"unknown emotions {unknown}; expected a subset of {EXPRESSIONS}")
    return labels


def load_traits(path: str | Path, names: tuple[str, ...]) -> dict[str, npt.NDArray[np.str_]]:
    """Annotated traits of the persons in the pictures, such as age or gender: column name -> (N,) text.

    Raises:
        AnnotationError: The file is missing or lacks a column, or a column has an empty entry.
    """
    path = Path(path)
    table = _read(path, names)
    empty = [name for name in names if table[name].null_count]
    if empty:
        raise AnnotationError(path, f"columns {empty} have empty entries")
    return {name: np.array(table[name].to_pylist(), dtype=np.str_) for name in names}


def load_teacher(path: str | Path, names: tuple[str, ...]) -> TeacherOutputs:
    """The teacher's outputs for exactly these pictures, joined by name.

    Raises:
        AnnotationError: A picture has no row, or the file does not name its blendshapes.
    """
    path = Path(path)
    table = _read(path, ("name", "found", "blendshapes", "points"))
    metadata = table.schema.metadata or {}
    if b"blendshapes" not in metadata:
        raise AnnotationError(path, "the file's metadata does not name its blendshapes")
    rows = _rows_of(names, table, path)
    blendshape_names = tuple(json.loads(metadata[b"blendshapes"]))
    return TeacherOutputs(
        found=np.asarray(table["found"].to_numpy()).astype(bool)[rows],
        blendshapes=_lists(table["blendshapes"], len(blendshape_names))[rows],
        blendshape_names=blendshape_names,
        landmarks=_lists(table["points"], 136)[rows].reshape(-1, 68, 2),
    )


def load_poses(path: str | Path, names: tuple[str, ...]) -> Float32:
    """The teacher's head rotations (N, 3, 3) for exactly these pictures, NaN where it found no face.

    The axes are x to the image's right, y up and z towards the viewer, as in `mien.core.rotation_matrices`.

    Raises:
        AnnotationError: A picture has no row.
    """
    path = Path(path)
    table = _read(path, ("name", "matrix"))
    return _lists(table["matrix"], 16)[_rows_of(names, table, path)].reshape(-1, 4, 4)[:, :3, :3]


def _rows_of(names: tuple[str, ...], table: pa.Table, path: Path) -> Indices:
    """Row number of each picture."""
    row_of = {name: row for row, name in enumerate(table["name"].to_pylist())}
    missing = [name for name in names if name not in row_of]
    if missing:
        raise AnnotationError(path, f"no row for {len(missing)} pictures, the first is {missing[0]}")
    return np.array([row_of[name] for name in names], dtype=np.intp)


def _read(path: Path, columns: tuple[str, ...]) -> pa.Table:
    try:
        schema = pq.read_schema(path)
        missing = [name for name in columns if name not in schema.names]
        if missing:
            raise AnnotationError(path, f"columns {missing} are missing; found {schema.names}")
        return pq.read_table(path, columns=list(columns))
    except FileNotFoundError:
        raise AnnotationError(path, "no such file") from None
    except pa.ArrowInvalid as error:
        raise AnnotationError(path, f"not a Parquet file ({error})") from error


def _matrix(table: pa.Table, columns: tuple[str, ...]) -> Float64:
    return np.stack([table[name].to_numpy() for name in columns], axis=1).astype(np.float64)


def _lists(column: pa.ChunkedArray, width: int) -> Float32:
    """Convert a column of lists of one length to (N, width), with NaN where the list is missing."""
    values = np.full((len(column), width), np.nan, dtype=np.float32)
    present = column.is_valid().to_numpy()
    flat = column.drop_null().combine_chunks().flatten()
    values[present] = np.asarray(flat.to_numpy(zero_copy_only=False), dtype=np.float32).reshape(-1, width)
    return values

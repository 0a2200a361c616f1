# SPDX-License-Identifier: Apache-2.0
"""The one reader of the open face sets: where their Parquet files are, and the columns of each file.

Everything else in this package that needs pictures, votes, ratings, labels, traits or a teacher's outputs calls it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mien.core import EXPRESSIONS, Bools, Float32, Float64, Indices, Int64, open_regular
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
    return tuple(read_columns(Path(path), ("name",))["name"].to_pylist())


def load_pictures(path: str | Path) -> Pictures:
    """Names and encoded pictures of any of the sets.

    Raises:
        AnnotationError: The file is missing, is not Parquet or lacks a column.
    """
    table = read_columns(Path(path), ("name", "image"))
    return Pictures(tuple(table["name"].to_pylist()), tuple(table["image"].to_pylist()))


def load_votes(path: str | Path) -> Int64:
    """FER+ votes (N, 10) in the order of `VOTES`, about ten votes per face."""
    return _votes(read_columns(Path(path), VOTES), VOTES, Path(path))


def load_ratings(path: str | Path) -> tuple[Int64, Float64, Int64]:
    """Votes (N, 8), mean valence and arousal (N, 2) in [-1, 1], and the image set (N,) of a set with many raters.

    Raises:
        AnnotationError: The file is missing, is not Parquet, lacks a column or has a rating outside [-1, 1].
    """
    path = Path(path)
    table = read_columns(path, (*EXPRESSIONS, *_RATINGS, "image_set"))
    ratings = _matrix(table, _RATINGS)
    outside = ~(np.abs(ratings) <= 1).all(axis=1)
    if outside.any():
        raise AnnotationError(path, f"row {int(outside.argmax())} has a rating outside [-1, 1]")
    votes = _votes(table, EXPRESSIONS, path)
    return votes, ratings, table["image_set"].to_numpy().astype(np.int64)


def load_emotions(path: str | Path) -> tuple[str, ...]:
    """Single expression label of each picture, in canonical spelling.

    Raises:
        AnnotationError: The file is missing, is not Parquet, lacks the column or has an unknown label.
    """
    path = Path(path)
    labels = tuple(read_columns(path, ("emotion",))["emotion"].to_pylist())
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
    table = read_columns(path, names)
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
    table = read_columns(path, ("name", "found", "blendshapes", "points"))
    metadata = table.schema.metadata or {}
    if b"blendshapes" not in metadata:
        raise AnnotationError(path, "the file's metadata does not name its blendshapes")
    rows = _rows_of(names, table, path)
    blendshape_names = _names(metadata[b"blendshapes"], path)
    return TeacherOutputs(
        found=np.asarray(table["found"].to_numpy()).astype(bool)[rows],
        blendshapes=_lists(table, "blendshapes", len(blendshape_names), path)[rows],
        blendshape_names=blendshape_names,
        landmarks=_lists(table, "points", 136, path)[rows].reshape(-1, 68, 2),
    )


def load_poses(path: str | Path, names: tuple[str, ...]) -> Float32:
    """The teacher's head rotations (N, 3, 3) for exactly these pictures, NaN where it found no face.

    The axes are x to the image's right, y up and z towards the viewer, as in `mien.core.rotation_matrices`.

    Raises:
        AnnotationError: A picture has no row.
    """
    path = Path(path)
    table = read_columns(path, ("name", "matrix"))
    return _lists(table, "matrix", 16, path)[_rows_of(names, table, path)].reshape(-1, 4, 4)[:, :3, :3]


def _names(text: bytes, path: Path) -> tuple[str, ...]:
    """The names in a JSON list."""
    try:
        names = json.loads(text)
    except (RecursionError, ValueError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise AnnotationError(path, "the blendshapes of the file's metadata are no list of names")
    return tuple(names)


def _rows_of(names: tuple[str, ...], table: pa.Table, path: Path) -> Indices:
    """Row number of each picture."""
    row_of = {name: row for row, name in enumerate(table["name"].to_pylist())}
    missing = [name for name in names if name not in row_of]
    if missing:
        raise AnnotationError(path, f"no row for {len(missing)} pictures, the first is {missing[0]}")
    return np.array([row_of[name] for name in names], dtype=np.intp)


def read_columns(path: Path, columns: tuple[str, ...], nested: tuple[str, ...] = ()) -> pa.Table:
    """Some columns of a Parquet file.

    Args:
        path: Path of the file.
        columns: Names of the columns.
        nested: Columns among them whose rows are lists of lists of numbers.

    Raises:
        AnnotationError: The file is missing, is not Parquet or lacks a column.
    """
    try:
        with open_regular(path) as file:
            names = pq.read_schema(file).names
            missing = [name for name in columns if names.count(name) != 1]
            if missing:
                raise AnnotationError(path, f"columns {missing} are missing or given twice; found {names}")
            table = pq.read_table(file, columns=list(columns))
    except FileNotFoundError:
        raise AnnotationError(path, f"no such file{_instead(path)}") from None
    except pa.ArrowException as error:
        raise AnnotationError(path, f"not a Parquet file ({error})") from error
    except OSError as error:
        raise AnnotationError(path, f"cannot be read ({error.strerror or error})") from error
    for name in columns:
        expected = _NESTED if name in nested else _EXPECTED.get(name, "text")
        column = table[name]
        if not _HOLDS[expected](column.type) or (column.null_count and name in _NEVER_EMPTY):
            raise AnnotationError(
                path, f"column {name!r} holds {column.type}, or is empty in a row; expected {expected}"
            )
    return table


def _instead(path: Path) -> str:
    """What to do about a missing file of the open sets, which are not the official releases of the same names."""
    official = path.parent.parent / "fer2013new.csv"
    if path.parent.name == "ferplus" and official.is_file():
        return f"; it is of the open face sets, and the official {official.name} here is read as ferplus-csv"
    return "; docs/how-to/training.md lists the files of the open face sets"


_EXPECTED = {
    **dict.fromkeys((*VOTES, *EXPRESSIONS, *_RATINGS, "image_set", "found"), "numbers"),
    **dict.fromkeys(("blendshapes", "points", "matrix", "scores"), "lists of numbers"),
    "image": "encoded pictures",
}
_NEVER_EMPTY = frozenset({"name", "emotion", "image", *_EXPECTED} - {"blendshapes", "points", "matrix", "scores"})
_NESTED = "lists of lists of numbers"


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _is_list(kind: pa.DataType) -> bool:
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(lists and _is_number(kind.value_type))


_HOLDS: dict[str, Callable[[pa.DataType], bool]] = {
    "numbers": _is_number,
    "lists of numbers": _is_list,
    _NESTED: lambda kind: bool(pa.types.is_list(kind) and _is_list(kind.value_type)),
    "encoded pictures": lambda kind: bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind)),
    "text": lambda kind: bool(pa.types.is_string(kind) or pa.types.is_large_string(kind)),
}


def _votes(table: pa.Table, columns: tuple[str, ...], path: Path) -> Int64:
    """Whole numbers of at least 0 (N, len(columns))."""
    votes = _matrix(table, columns)
    wrong = ~((votes >= 0) & (votes < _MAX_VOTES) & (votes == np.floor(votes))).all(axis=1)
    if wrong.any():
        raise AnnotationError(path, f"row {int(wrong.argmax())} has a number of votes that is no whole number from 0")
    return votes.astype(np.int64)


_MAX_VOTES = 1e9


def _matrix(table: pa.Table, columns: tuple[str, ...]) -> Float64:
    return np.stack([table[name].to_numpy() for name in columns], axis=1).astype(np.float64)


def _lists(table: pa.Table, name: str, width: int, path: Path) -> Float32:
    """Convert a column of lists of one length to (N, width), with NaN where the list is missing."""
    column = table[name]
    values = np.full((len(column), width), np.nan, dtype=np.float32)
    present = column.is_valid().to_numpy()
    flat = column.drop_null().combine_chunks().flatten()
    if len(flat) != width * int(present.sum()):
        raise AnnotationError(path, f"column {name!r} needs {width} numbers in each row")
    values[present] = np.asarray(flat.to_numpy(zero_copy_only=False), dtype=np.float32).reshape(-1, width)
    return values

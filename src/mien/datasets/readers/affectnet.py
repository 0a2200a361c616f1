# SPDX-License-Identifier: Apache-2.0
"""Readers of AffectNet: the classic release with CSV files and the later one with three small arrays per image."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from mien.core import EXPRESSION_ORDERS, Float32, read_regular
from mien.datasets.crop_folders import find_file, find_folder
from mien.datasets.image_samples import ImageSamples, match_images
from mien.datasets.label_columns import read_ratings
from mien.datasets.samples import UNKNOWN
from mien.datasets.text_files import (
    AnnotationError,
    Document,
    Field,
    OnProblem,
    Table,
    is_stray,
    load_document,
    read_named,
    read_rows,
    refuse,
    split_line,
)

NOT_RATED = -2.0
"""Value of valence and arousal in an image that is not rated (none, uncertain, no face)."""

_LABELS = EXPRESSION_ORDERS["affectnet"]
_LAST_CLASS = 10  # 8 none, 9 uncertain, 10 no face

_CSV_FILES = {"train": "training.csv", "valid": "validation.csv"}
_BOX = tuple(Field(name, "blank_or_number") for name in ("face_x", "face_y", "face_width", "face_height"))
_CSV_FIELDS = (
    Field("subDirectory_filePath", "text"),
    *_BOX,
    *(Field(name) for name in ("expression", "valence", "arousal")),
)
_CSV_LAYOUT = (*_CSV_FIELDS[:5], Field("facial_landmarks", "ignored"), *_CSV_FIELDS[5:])
_CLASS_FIELD = 6
_CSV_IMAGES = (
    "Manually_Annotated_Images",
    "Manually_Annotated/Manually_Annotated_Images",
    "Manually_Annotated_compressed/Manually_Annotated_Images",
    "Manually_Annotated_compressed",
    "Manually_Annotated",
    "images",
)
_NPY_FOLDERS = {"train": "train_set", "valid": "val_set"}


def load_affectnet(folder: str | Path, split: str) -> ImageSamples:
    """The classic release: ``training.csv``, ``validation.csv`` and ``Manually_Annotated_Images``.

    Rows without an expression (none, uncertain, no face) are kept with an unknown label, rows without a face box with
    a NaN box; HSEmotion's selection is ``samples.valid_expression & ~np.isnan(samples.boxes[:, 0])``.

    Args:
        folder: Folder that holds the CSV files and the images.
        split: ``"train"`` or ``"valid"``.

    Raises:
        AnnotationError: The file is missing or malformed.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from mien.datasets import create_example
        >>> with TemporaryDirectory() as folder:
        ...     create_example("affectnet", folder)
        ...     samples = load_affectnet(folder, "train")
        >>> samples.expression.tolist(), samples.valid_valence_arousal.tolist()
        ([1, 7, -1, 6], [True, True, False, True])
    """
    folder = Path(folder)
    if split not in _CSV_FILES:
        raise AnnotationError(folder, f"AffectNet has the splits {', '.join(_CSV_FILES)}, not {split!r}")
    table = _read_csv(load_document(find_file(folder, _CSV_FILES[split]) or folder / _CSV_FILES[split]))
    names = tuple(pc.replace_substring(table.texts("subDirectory_filePath"), "\\", "/").to_pylist())
    images = find_folder(folder, *_CSV_IMAGES)
    classes = table.classes("expression", low=0, high=_LAST_CLASS)
    return ImageSamples(
        dataset="affectnet",
        split=split,
        folder=images,
        names=names,
        expression=np.where(classes < len(_LABELS), classes, UNKNOWN).astype(np.int8),
        expression_labels=_LABELS,
        valence_arousal=read_ratings(table, not_rated=NOT_RATED),
        boxes=_boxes(table),
        has_image=match_images(images, names),
    )


def load_affectnet_npy(folder: str | Path, split: str, *, on_problem: OnProblem = refuse) -> ImageSamples:
    """The later release: ``train_set`` and ``val_set``, each ``images/<id>.jpg`` and ``annotations/<id>_exp.npy`` ...

    Args:
        folder: Folder that holds both.
        split: ``"train"`` or ``"valid"``.
        on_problem: Callback for images whose annotations cannot be read and which are left out; by default the first
            one ends the reading.

    Raises:
        AnnotationError: The split is missing or, without ``on_problem``, an annotation is malformed.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from mien.datasets import create_example
        >>> with TemporaryDirectory() as folder:
        ...     create_example("affectnet-npy", folder)
        ...     samples = load_affectnet_npy(folder, "train")
        >>> samples.names, samples.expression.tolist()
        (('0.jpg', '12.jpg'), [1, 7])
    """
    folder = Path(folder)
    if split not in _NPY_FOLDERS:
        raise AnnotationError(folder, f"AffectNet has the splits {', '.join(_NPY_FOLDERS)}, not {split!r}")
    place = find_folder(folder, _NPY_FOLDERS[split]) or folder / _NPY_FOLDERS[split]
    files = [path.name for path in (place / "annotations").glob("*_exp.npy") if not is_stray(path.name)]
    ids = sorted(name.removesuffix("_exp.npy") for name in files)
    images = {path.stem: path.name for path in sorted((place / "images").glob("*")) if not is_stray(path.name)}
    if not ids:
        raise AnnotationError(place / "annotations", "holds no annotations (<id>_exp.npy)")
    names, rows = [], []
    for name in ids:
        try:
            rows.append(_read_arrays(place / "annotations" / name))
        except AnnotationError as problem:
            on_problem(problem)
            continue
        names.append(images.get(name, f"{name}.jpg"))
    values = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return ImageSamples(
        dataset="affectnet-npy",
        split=split,
        folder=place / "images",
        names=tuple(names),
        expression=np.where(values[:, 0] < len(_LABELS), values[:, 0], UNKNOWN).astype(np.int8),
        expression_labels=_LABELS,
        valence_arousal=np.where((values[:, 1:] == NOT_RATED).any(axis=1, keepdims=True), np.nan, values[:, 1:]),
        has_image=match_images(place / "images", names),
    )


def _read_csv(document: Document) -> Table:
    """The table of a CSV file; ``validation.csv`` of some copies has no header, and its columns are the same."""
    first = split_line(document.line(1), delimiter=",", quoted=True)
    if len(first) == len(_CSV_LAYOUT) and first[_CLASS_FIELD].strip().isdecimal():
        return read_rows(document, _CSV_LAYOUT, skip_lines=0, quoted=True)
    return read_named(document, _CSV_FIELDS)


def _boxes(table: Table) -> Float32:
    """Boxes xyxy from x, y, width and height; NaN where there is none (a width of -1 or 0, or NULL)."""
    boxes = table.numbers([field.name for field in _BOX])
    boxes[~((boxes[:, 2:] > 0).all(axis=1) & np.isfinite(boxes).all(axis=1))] = np.nan
    boxes[:, 2:] += boxes[:, :2]
    return boxes.astype(np.float32)


def _read_arrays(stem: Path) -> tuple[float, float, float]:
    """Read expression, valence and arousal of one image."""
    expression, valence, arousal = (
        _read_scalar(stem.with_name(f"{stem.name}_{ending}.npy")) for ending in ("exp", "val", "aro")
    )
    if expression not in range(_LAST_CLASS + 1):
        reason = f"expression {expression:g} is not in 0 to {_LAST_CLASS}"
        raise AnnotationError(stem.with_name(f"{stem.name}_exp.npy"), reason)
    for value, ending in ((valence, "val"), (arousal, "aro")):
        if not (abs(value) <= 1 or value == NOT_RATED):
            reason = f"{value:g} is neither in [-1, 1] nor {NOT_RATED:g} (not rated)"
            raise AnnotationError(stem.with_name(f"{stem.name}_{ending}.npy"), reason)
    return expression, valence, arousal


def _read_scalar(path: Path) -> float:
    """Read the number in a ``.npy`` file, which the owners saved as text of various lengths or as a number.

    `numpy.load` spends most of its time on a header that hundreds of thousands of files share; here it is parsed once.
    """
    try:
        content = read_regular(path)
    except OSError as error:
        raise AnnotationError(path, f"cannot be read ({error.strerror})") from error
    try:
        if content[:6] != b"\x93NUMPY" or content[6] != 1:
            raise ValueError("no array file of version 1")
        start = 10 + int.from_bytes(content[8:10], "little")
        value = float(np.frombuffer(content, _dtype_of(content[10:start]), offset=start)[()].item())
    except (IndexError, KeyError, SyntaxError, TypeError, ValueError) as error:
        raise AnnotationError(path, f"does not hold one number ({error})") from error
    return value


@cache
def _dtype_of(header: bytes) -> np.dtype[np.str_ | np.number]:
    """Item type in the header of an array file; Python objects are refused, never unpickled."""
    dtype: np.dtype[np.str_ | np.number] = np.dtype(ast.literal_eval(header.decode("latin-1").strip())["descr"])
    if dtype.kind not in "Uifu":
        raise ValueError(f"items of type {dtype}")
    return dtype

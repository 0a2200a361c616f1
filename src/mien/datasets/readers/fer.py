# SPDX-License-Identifier: Apache-2.0
"""Readers of FER2013 (faces as text in one CSV file) and FER+ (ten votes per face in another)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mien.core import EXPRESSION_ORDERS, EXPRESSIONS
from mien.datasets.crop_folders import find_file, find_folder
from mien.datasets.image_samples import FER_SIZE_PX, ImageSamples, match_images
from mien.datasets.label_columns import plurality
from mien.datasets.text_files import AnnotationError, Field, Table, load_document, read_named

_USAGES = {"train": "Training", "valid": "PublicTest", "test": "PrivateTest"}
_VOTE_COLUMNS = (*EXPRESSIONS, "unknown", "NF")
_VOTES = (*EXPRESSIONS, "unknown", "not_a_face")
_PLUS_FOLDERS = {"train": "FER2013Train", "valid": "FER2013Valid", "test": "FER2013Test"}
_PLUS_PARENTS = ("images/", "data/", "")

_FER2013_FILES = ("fer2013.csv", "icml_face_data.csv")

_N_SPACES = FER_SIZE_PX**2 - 1


def load_fer2013(folder: str | Path, split: str) -> ImageSamples:
    """FER2013 from ``fer2013.csv`` (or ``icml_face_data.csv``); faces stay text until `ImageSamples.gray_image`.

    Args:
        folder: Folder that holds the file.
        split: ``"train"`` (Training), ``"valid"`` (PublicTest) or ``"test"`` (PrivateTest).

    Raises:
        AnnotationError: The file is missing, a row is malformed or a face is not 48 x 48 values from 0 to 255.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from mien.datasets import create_example
        >>> with TemporaryDirectory() as folder:
        ...     create_example("fer2013", folder)
        ...     samples = load_fer2013(folder, "train")
        >>> samples.names, samples.gray_image(0).shape
        (('fer0000000.png', 'fer0000001.png'), (48, 48))
    """
    return _fer2013_split(_read_fer2013(Path(folder)), split)


def load_fer2013_splits(folder: str | Path) -> dict[str, ImageSamples]:
    """All splits of FER2013, read in one pass over the 300 MB file that they share.

    Raises:
        AnnotationError: As for `load_fer2013`.
    """
    table = _read_fer2013(Path(folder))
    return {split: _fer2013_split(table, split) for split in _USAGES}


def _read_fer2013(folder: Path) -> Table:
    path = find_file(folder, *_FER2013_FILES)
    fields = (Field("emotion"), Field("pixels", "text"), Field("Usage", "text"))
    table = read_named(load_document(path or folder / "fer2013.csv"), fields)
    table.classes("emotion", low=0, high=len(EXPRESSION_ORDERS["fer2013"]) - 1)
    _check_faces(table)
    return table


def _fer2013_split(table: Table, split: str) -> ImageSamples:
    rows = _rows_of(table, split)
    return ImageSamples(
        dataset="fer2013",
        split=split,
        folder=None,
        names=tuple(f"fer{row:07d}.png" for row in rows),
        expression=table.columns["emotion"][rows].astype(np.int8),
        expression_labels=EXPRESSION_ORDERS["fer2013"],
        pixels=pc.take(table.texts("pixels"), pa.array(rows)),
    )


def load_ferplus_csv(folder: str | Path, split: str, *, faces: bool = False) -> ImageSamples:
    """FER+ from ``fer2013new.csv``, with images where they were written out as files.

    The expression is the column with most votes (ties: the first of the ten) and unknown where that column is no
    expression; other rules start from ``votes``. Rows without an image name were withdrawn by the authors and are left
    out.

    Args:
        folder: Folder that holds the file and, for example, ``images/FER2013Train/fer0000000.png``.
        split: ``"train"``, ``"valid"`` or ``"test"``.
        faces: Whether the faces are taken from ``fer2013.csv`` in the same folder where there are no image files; its
            rows have the same order.

    Raises:
        AnnotationError: The file is missing or a row is malformed; or faces are asked for and there are neither image
            files nor a ``fer2013.csv`` with the same rows.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from mien.datasets import create_example
        >>> with TemporaryDirectory() as folder:
        ...     create_example("ferplus", folder)
        ...     samples = load_ferplus_csv(folder, "train")
        >>> samples.expression.tolist(), samples.votes.sum(axis=1).tolist()
        ([0, -1], [10, 10])
    """
    folder = Path(folder)
    fields = (Field("Usage", "text"), Field("Image name", "text"), *(Field(name) for name in _VOTE_COLUMNS))
    table = read_named(load_document(find_file(folder, "fer2013new.csv") or folder / "fer2013new.csv"), fields)
    votes = np.stack([table.classes(name, low=0, high=10) for name in _VOTE_COLUMNS], axis=1)
    table.refuse(votes.sum(axis=1) == 0, "neutral", "begins a row without any vote")
    names = np.asarray(table.texts("Image name").to_pylist(), dtype=object)
    rows = _rows_of(table, split)
    rows = rows[names[rows] != ""]
    kept = tuple(names[rows])
    images = _ferplus_images(folder, split)
    pixels = _faces_beside(table, folder, rows) if faces and images is None else None
    return ImageSamples(
        dataset="ferplus",
        split=split,
        folder=images,
        names=kept,
        expression=plurality(votes[rows]),
        expression_labels=EXPRESSION_ORDERS["ferplus"],
        votes=votes[rows],
        vote_labels=_VOTES,
        pixels=pixels,
        has_image=match_images(images, kept),
    )


def _faces_beside(votes: Table, folder: Path, rows: npt.NDArray[np.intp]) -> pa.Array:
    """Faces of some rows of the votes, from the FER2013 file in the same folder."""
    path = votes.document.path
    if find_file(folder, *_FER2013_FILES) is None:
        raise AnnotationError(
            path, f"has no faces beside it: neither {_PLUS_FOLDERS['test']} and the like nor {_FER2013_FILES[0]}"
        )
    table = _read_fer2013(folder)
    usages, own = table.texts("Usage"), votes.texts("Usage")
    if len(usages) != len(own):
        raise AnnotationError(path, f"has {len(own)} rows, and {table.document.path.name} has {len(usages)}")
    votes.refuse(
        np.asarray(pc.not_equal(usages, own)), "Usage", f"differs from that of the row in {table.document.path.name}"
    )
    return pc.take(table.texts("pixels"), pa.array(rows))


def _rows_of(table: Table, split: str) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Row numbers of a split, from the column ``Usage``."""
    usage = pc.utf8_lower(table.texts("Usage"))
    known = pc.is_in(usage, pa.array([name.lower() for name in _USAGES.values()]))
    table.refuse(~np.asarray(known), "Usage", f"is none of {', '.join(_USAGES.values())}")
    if split not in _USAGES:
        raise AnnotationError(table.document.path, f"the splits are {', '.join(_USAGES)}, not {split!r}")
    return np.flatnonzero(np.asarray(pc.equal(usage, _USAGES[split].lower())))


def _check_faces(table: Table) -> None:
    """Refuse a face that is not 48 x 48 values from 0 to 255, without parsing all 80 million numbers."""
    pixels = table.texts("pixels")
    spaces = np.asarray(pc.count_substring(pixels, " "))
    table.refuse(spaces != _N_SPACES, "pixels", f"are not {_N_SPACES + 1} values with one space between them")
    strange = pc.match_substring_regex(pixels, r"[^0-9 ]|[3-9][0-9]{2}|2[6-9][0-9]|25[6-9]|[0-9]{4}|  ")
    table.refuse(np.asarray(strange), "pixels", "hold something other than values from 0 to 255")


def _ferplus_images(folder: Path, split: str) -> Path | None:
    return find_folder(folder, *(f"{parent}{_PLUS_FOLDERS[split]}" for parent in _PLUS_PARENTS))

# SPDX-License-Identifier: Apache-2.0
"""Reader of RAF-DB, basic emotions: one list for both splits, with labels that start at 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from mien.core import EXPRESSION_ORDERS
from mien.datasets.crop_folders import find_file, find_folder
from mien.datasets.image_samples import ImageSamples, match_images
from mien.datasets.text_files import AnnotationError, Field, first_rows, load_document, read_rows

# The owners' spelling first; copies of the set often lack the folders about it.
_LISTS = ("list_patition_label.txt", "list_partition_label.txt")
_PREFIXES = {"train": "train_", "test": "test_"}
_SUFFIXES = {"aligned": "_aligned.jpg", "original": ".jpg"}


def load_rafdb(folder: str | Path, split: str, *, images: str = "aligned") -> ImageSamples:
    """The basic-emotion part of RAF-DB.

    Args:
        folder: Folder that holds ``EmoLabel`` and ``Image``, or ``basic`` with both; the list and the folder of images
            may also be directly in it.
        split: ``"train"`` or ``"test"``.
        images: ``"aligned"`` (crops of 100 x 100 px) or ``"original"``.

    Raises:
        AnnotationError: The list is missing or malformed, or ``images`` or ``split`` is unknown.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from mien.datasets import create_example
        >>> with TemporaryDirectory() as folder:
        ...     create_example("rafdb", folder)
        ...     samples = load_rafdb(folder, "train")
        >>> [samples.expression_labels[index] for index in samples.expression]
        ['sadness', 'surprise']
    """
    folder = Path(folder)
    root = find_folder(folder, "basic", "RAF-DB/basic") or folder
    if split not in _PREFIXES or images not in _SUFFIXES:
        reason = f"choose the split from {', '.join(_PREFIXES)} and the images from {', '.join(_SUFFIXES)}"
        raise AnnotationError(folder, f"{reason}, not {split!r} and {images!r}")
    labels = EXPRESSION_ORDERS["raf_basic"]
    fields = (Field("image", "text"), Field("label"))
    path = find_file(root, *_LISTS)
    if path is None and find_folder(folder, "compound") is not None:
        raise AnnotationError(folder, "holds the compound part of RAF-DB; the basic part is read")
    document = load_document(path or root / "EmoLabel" / _LISTS[0])
    table, _ = first_rows(read_rows(document, fields, skip_lines=0, delimiter=" "))
    classes = table.classes("label", low=1, high=len(labels))
    listed = table.texts("image")
    bad = np.asarray(pc.invert(pc.match_substring_regex(listed, r"^(train|test)_[0-9]+\.jpg$")))
    table.refuse(bad, "image", "is not of the form train_00001.jpg or test_0001.jpg")
    rows = np.flatnonzero(np.asarray(pc.starts_with(listed, _PREFIXES[split])))
    names = tuple(listed[row].as_py().removesuffix(".jpg") + _SUFFIXES[images] for row in rows.tolist())
    place = find_folder(root, f"Image/{images}", f"Images/{images}", images) or root / "Image" / images
    return ImageSamples(
        dataset="rafdb",
        split=split,
        folder=place,
        names=names,
        expression=(classes[rows] - 1).astype(np.int8),
        expression_labels=labels,
        has_image=match_images(place, names),
    )

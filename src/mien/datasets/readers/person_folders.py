# SPDX-License-Identifier: Apache-2.0
"""Reader of photos in one folder a person, as VGGFace2 and LFW have them, with face boxes where a list gives them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from mien.core import Bools, Float32
from mien.datasets.crop_folders import IMAGE_SUFFIXES, find_file, find_folder, images_in, subfolders
from mien.datasets.image_samples import ImageSamples
from mien.datasets.samples import name_share
from mien.datasets.text_files import AnnotationError, Field, load_document, read_named, spelled

_SPLITS = ("train", "valid")
_VALID_SHARE = 0.1
_VGGFACE2 = ("NAME_ID", "X", "Y", "W", "H")
_LISTS = ("boxes.csv", "bb_landmark/loose_bb_train.csv", "loose_bb_train.csv")


def load_person_folders(folder: str | Path, split: str, *, least_photos: int = 1) -> ImageSamples:
    """Photos of persons, 90 % of them for training and 10 % for validation; every person is in both as far as possible.

    Args:
        folder: Folder with a folder of photos for each person, or with those in ``train``. A list of face boxes may be
            beside them: ``boxes.csv`` (columns ``source, x0, y0, x1, y1``, such as a table of ``mien analyze``) or
            VGGFace2's ``bb_landmark/loose_bb_train.csv``.
        split: ``"train"`` or ``"valid"``; the photos of a person are divided by a hash of their names.
        least_photos: Least number of photos of a person; those with fewer are left out.

    Raises:
        AnnotationError: There are fewer than two persons with photos, or the list of boxes is malformed.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from mien.datasets import create_example
        >>> with TemporaryDirectory() as folder:
        ...     create_example("person-folders", folder)
        ...     samples = load_person_folders(folder, "train")
        >>> samples.person_labels, len(samples)
        (('n000002', 'n000003'), 19)
    """
    folder = Path(folder)
    if split not in _SPLITS:
        raise AnnotationError(folder, f"folders of persons have the splits {', '.join(_SPLITS)}, not {split!r}")
    root = find_folder(folder, "train") or folder
    photos = {place.name: found for place in subfolders(root) if len(found := images_in(place)) >= max(least_photos, 1)}
    if len(photos) < 2:
        least = f", at least {least_photos}" if least_photos > 1 else ""
        raise AnnotationError(
            root, f"holds {len(photos)} folders with photos{least}; give one folder a person, at least two"
        )
    labels = tuple(sorted(photos))
    names = [f"{person}/{name}" for person in labels for name in photos[person]]
    persons = np.repeat(np.arange(len(labels), dtype=np.int32), [len(photos[person]) for person in labels])
    in_valid = validation_photos(names, [labels[person] for person in persons])
    rows = np.flatnonzero(in_valid if split == "valid" else ~in_valid)
    chosen = tuple(names[row] for row in rows)
    return ImageSamples(
        dataset="person-folders",
        split=split,
        folder=root,
        names=chosen,
        person=persons[rows],
        person_labels=labels,
        boxes=_boxes(folder, root, chosen),
        has_image=np.ones(len(rows), dtype=bool),
    )


def validation_photos(names: Sequence[str], persons: Iterable[str]) -> Bools:
    """(N,) photos for validation: 10 % by a hash of their names, but never the last photo of a person.

    Args:
        names: N names of photos.
        persons: N names of their persons.

    Examples:
        >>> bool(validation_photos([f"a/{number}.jpg" for number in range(40)], ["a"] * 40).any())
        True
        >>> validation_photos(["a/1.jpg"], ["a"]).tolist()
        [False]
    """
    order = np.array([name_share(name) for name in names])
    valid = np.asarray(order < _VALID_SHARE)
    _, number = np.unique(np.array(list(persons)), return_inverse=True)
    n_trained = np.bincount(number, weights=~valid)
    for person in np.flatnonzero(n_trained == 0):
        own = np.flatnonzero(number == person)
        valid[own[order[own].argmax()]] = False
    return valid


def _boxes(folder: Path, root: Path, names: Sequence[str]) -> Float32:
    """(N, 4) face boxes xyxy in pixels, NaN where no list gives one."""
    boxes = np.full((len(names), 4), np.nan, dtype=np.float32)
    path = find_file(folder, *_LISTS) or find_file(root, *_LISTS)
    if path is None:
        return boxes
    document = load_document(path)
    of_vggface2 = spelled(_VGGFACE2[0]) in {spelled(name) for name in document.header()}
    columns = _VGGFACE2 if of_vggface2 else ("source", "x0", "y0", "x1", "y1")
    table = read_named(document, [Field(columns[0], "text"), *(Field(name, "blank_or_number") for name in columns[1:])])
    values = table.numbers(columns[1:])
    if of_vggface2:
        values = np.concatenate([values[:, :2], values[:, :2] + values[:, 2:]], axis=1)
    listed = [_key(name) for name in table.texts(columns[0]).to_pylist()]
    places = {name: row for row, name in reversed(list(enumerate(listed)))}  # the first row of a photo counts
    for row, name in enumerate(names):
        place = places.get(_key(name))
        if place is not None:
            boxes[row] = values[place]
    return boxes


def _key(name: str) -> tuple[str, ...]:
    """Person and photo of a path, without the suffix, which VGGFace2's list leaves out."""
    person, _, photo = name.replace("\\", "/").rpartition("/")
    stem, dot, suffix = photo.rpartition(".")
    return person.rpartition("/")[2], stem if dot and f".{suffix.lower()}" in IMAGE_SUFFIXES else photo

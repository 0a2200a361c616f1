# SPDX-License-Identifier: Apache-2.0
"""Reader of MorphSet: one CSV file of landmarks with arousal, valence and intensity, split by person."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from mien.core import Bools
from mien.datasets.crop_folders import find_file
from mien.datasets.point_samples import PointSamples
from mien.datasets.text_files import AnnotationError, Field, Table, load_document, read_named

_FILE = "MorphSet.csv"
_RATINGS = ("Arousal", "Valence", "Intensity")
_TEXTS = ("Filename", "Subject", "Emotion Label")
# Intensity is the root of the squared sum of the two dimensions.
_HIGHEST = {"Arousal": 1.0, "Valence": 1.0, "Intensity": 2.0**0.5}
_ROUNDING = 1e-3
_SHARES = {"train": 0.7, "valid": 0.2, "test": 0.1}
_SEED = 1


def load_morphset(folder: str | Path, split: str) -> PointSamples:
    """One split of MorphSet, see `load_morphset_splits`.

    Args:
        folder: Folder that holds ``MorphSet.csv``.
        split: ``"train"``, ``"valid"`` or ``"test"``.

    Raises:
        AnnotationError: The file is missing or malformed, or the split is unknown.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from mien.datasets import create_example
        >>> with TemporaryDirectory() as folder:
        ...     create_example("morphset", folder)
        ...     samples = load_morphset(folder, "train")
        >>> len(samples), samples.landmarks.shape, samples.ratings.shape
        (14, (14, 68, 2), (14, 3))
    """
    if split not in _SHARES:
        raise AnnotationError(Path(folder), f"MorphSet has the splits {', '.join(_SHARES)}, not {split!r}")
    return load_morphset_splits(folder)[split]


def load_morphset_splits(folder: str | Path) -> dict[str, PointSamples]:
    """All splits of MorphSet: 70, 20 and 10 % of the persons, drawn with seed 1 from their sorted names.

    Every person is in one split. (The public code leaves the last one out, and draws with another generator.)

    Args:
        folder: Folder that holds ``MorphSet.csv``.

    Returns:
        Split -> samples.

    Raises:
        AnnotationError: The file is missing or malformed: a column is missing, a number is not finite, a rating is out
            of range, a person is blank, all landmarks of a row are in one place, or a split has no person.
    """
    path = find_file(Path(folder), _FILE) or Path(folder) / _FILE
    places = [f"{axis}{number}" for axis in "xy" for number in range(68)]
    fields = [*(Field(name, "text") for name in _TEXTS), *map(Field, _RATINGS), *map(Field, places)]
    table = read_named(load_document(path), fields)
    for name in _RATINGS:
        values, highest = table.columns[name], _HIGHEST[name]
        lowest = 0.0 if name == "Intensity" else -highest
        outside = (values < lowest - _ROUNDING) | (values > highest + _ROUNDING)
        table.refuse(outside, name, f"is not in [{lowest:g}, {highest:.3g}]")
    subjects = _persons(table)
    landmarks = table.numbers(places).reshape(-1, 2, 68).transpose(0, 2, 1)
    table.refuse(np.ptp(landmarks, axis=1).max(axis=1) == 0, "x0", "is where all other landmarks of its row are, too")
    split_of = _split_of(sorted(set(subjects)))
    chosen = np.array([split_of[subject] for subject in subjects])
    whole = PointSamples(
        dataset="morphset",
        split="train",
        names=tuple(table.texts("Filename").to_pylist()),
        subjects=subjects,
        emotions=tuple(table.texts("Emotion Label").to_pylist()),
        landmarks=landmarks.astype(np.float32),
        ratings=table.numbers(_RATINGS).astype(np.float32),
    )
    found = {split: _of_split(whole, chosen == split, split) for split in _SHARES}
    empty = [split for split, samples in found.items() if not len(samples)]
    if empty:
        raise AnnotationError(
            path, f"{len(split_of)} persons are too few for three splits; {', '.join(empty)} is empty"
        )
    return found


def _persons(table: Table) -> tuple[str, ...]:
    texts: list[str] = table.texts("Subject").to_pylist()
    table.refuse(np.array([not text for text in texts]), "Subject", "is blank")
    return tuple(texts)


def _split_of(persons: list[str]) -> dict[str, str]:
    """Person -> split."""
    order = np.random.default_rng(_SEED).permutation(len(persons))
    ends = np.round(np.cumsum(list(_SHARES.values())) * len(persons)).astype(int)
    place = {persons[person]: rank for rank, person in enumerate(order)}
    splits = list(_SHARES)
    return {person: splits[int(np.searchsorted(ends, rank, side="right"))] for person, rank in place.items()}


def _of_split(whole: PointSamples, rows: Bools, split: str) -> PointSamples:
    return replace(whole.take(rows), split=split)

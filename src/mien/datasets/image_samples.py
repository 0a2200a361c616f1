# SPDX-License-Identifier: Apache-2.0
"""`ImageSamples`: annotated still images, as columns; pixels stay on disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mien.core import Bools, ConfigError, Float32, Int64
from mien.datasets.samples import (
    NOT_GIVEN,
    UNKNOWN,
    Column,
    RowColumns,
    SplitCounts,
    class_counts,
    freeze_columns,
)

FER_SIZE_PX = 48
"""Side of a FER2013 face in pixels."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageSamples(RowColumns):
    """N annotated images. Labels that are not given are unknown.

    Attributes:
        dataset: Name in `DATASETS`.
        split: ``"train"``, ``"valid"`` or ``"test"``.
        folder: Folder that the names are relative to; None where the set has no image files.
        names: N file names, as the data set writes them.
        expression: (N,) int8 indices into ``expression_labels``; `UNKNOWN` where the set has no such label.
        expression_labels: Names in the data set's order, in canonical spelling.
        person: (N,) int32 indices into ``person_labels``; `UNKNOWN` where the set does not name persons.
        person_labels: Names of the persons of all splits.
        valence_arousal: (N, 2) float32 in [-1, 1]; both NaN where not rated.
        boxes: (N, 4) float32 face boxes xyxy in pixels of the image; NaN where the set gives none.
        votes: (N, V) int64 number of annotators who chose each of ``vote_labels``.
        vote_labels: V names.
        pixels: N texts of space-separated gray values, for a set that keeps faces inside its table; else None.
        has_image: (N,) whether the image file exists.

    Examples:
        >>> samples = ImageSamples(
        ...     dataset="rafdb", split="train", folder=Path("images"), names=("a.jpg", "b.jpg"),
        ...     expression=[1, -1], expression_labels=("surprise", "fear"), has_image=[True, False]
        ... )
        >>> samples.take(samples.valid_expression).names
        ('a.jpg',)
        >>> samples.counts().classes, [path.name for path in samples.absent()]
        ({'surprise': 0, 'fear': 1}, ['b.jpg'])
    """

    row_columns = ("names", "expression", "person", "valence_arousal", "boxes", "votes", "pixels", "has_image")

    dataset: str
    split: str
    folder: Path | None
    names: tuple[str, ...]
    expression: npt.NDArray[np.int8] = NOT_GIVEN
    expression_labels: tuple[str, ...] = ()
    person: npt.NDArray[np.int32] = NOT_GIVEN
    person_labels: tuple[str, ...] = ()
    valence_arousal: Float32 = NOT_GIVEN
    boxes: Float32 = NOT_GIVEN
    votes: Int64 = NOT_GIVEN
    vote_labels: tuple[str, ...] = ()
    pixels: pa.Array | None = None
    has_image: Bools = NOT_GIVEN

    def __post_init__(self) -> None:
        n = len(self.names)
        columns: dict[str, Column] = {
            "expression": ((n,), np.int8, UNKNOWN),
            "person": ((n,), np.int32, UNKNOWN),
            "valence_arousal": ((n, 2), np.float32, np.nan),
            "boxes": ((n, 4), np.float32, np.nan),
            "votes": ((n, len(self.vote_labels)), np.int64, 0),
            "has_image": ((n,), np.bool_, False),
        }
        freeze_columns(self, columns)

    @property
    def valid_expression(self) -> Bools:
        """(N,) images with one of ``expression_labels``."""
        valid: Bools = self.expression != UNKNOWN
        return valid

    @property
    def valid_valence_arousal(self) -> Bools:
        """(N,) images with valence and arousal."""
        valid: Bools = ~np.isnan(self.valence_arousal.sum(axis=1))
        return valid

    def image_path(self, row: int) -> Path:
        """Path of the image of a row; the file exists where `has_image` is True.

        Raises:
            ConfigError: The set was read without image files.
        """
        if self.folder is None:
            raise ConfigError(f"{self.dataset} was read without image files; its docs page says where they belong")
        return self.folder / self.names[row]

    def gray_image(self, row: int) -> npt.NDArray[np.uint8]:
        """The (48, 48) gray face of a row of a set that keeps faces inside its table.

        Raises:
            ConfigError: The set has image files instead.
        """
        if self.pixels is None:
            raise ConfigError(f"{self.dataset} keeps images in files; use image_path")
        values = np.array(self.pixels[row].as_py().split(), dtype=np.uint8)
        return values.reshape(FER_SIZE_PX, FER_SIZE_PX)

    def counts(self) -> SplitCounts:
        """Counts of rows, images, valid labels and classes."""
        valid = {"expression": int(self.valid_expression.sum())}
        if self.valid_valence_arousal.any():
            valid["valence_arousal"] = int(self.valid_valence_arousal.sum())
        if self.person_labels:
            valid["person"] = int((self.person != UNKNOWN).sum())
        return SplitCounts(
            n_rows=len(self),
            n_tracks=len(self),
            n_media=None if self.folder is None else int(self.has_image.sum()),
            valid=valid,
            classes=class_counts(self.expression_labels, self.expression),
        )

    def groups(self) -> frozenset[str]:
        """Names of the images; where a set names persons, they are in every split."""
        return frozenset(self.names)

    def absent(self) -> tuple[Path, ...]:
        """Paths of images that the annotations name and the folder lacks."""
        if self.folder is None:
            return ()
        return tuple(self.folder / self.names[row] for row in np.flatnonzero(~self.has_image))

    def notes(self) -> tuple[str, ...]:
        """Notes on names that occur twice and on images that were not searched for."""
        notes = []
        n_twice = len(self) - len(set(self.names))
        if n_twice:
            notes.append(f"{self.split}: {n_twice} names repeat an earlier one; every row is kept")
        if self.folder is None and self.pixels is None:
            notes.append(f"{self.split}: image files were not searched for")
        return tuple(notes)


def match_images(folder: Path | None, names: Sequence[str]) -> Bools:
    """(N,) whether each file exists below the folder; every directory is listed once, no file is opened.

    Examples:
        >>> match_images(None, ["a.jpg", "b.jpg"]).tolist()
        [False, False]
    """
    if folder is None:
        return np.zeros(len(names), dtype=bool)
    listed: dict[str, frozenset[str]] = {}
    found = np.zeros(len(names), dtype=bool)
    for row, name in enumerate(names):
        parent, _, file = name.rpartition("/")
        if parent not in listed:
            listed[parent] = _names_in(folder / parent)
        found[row] = file in listed[parent]
    return found


def _names_in(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208 - a Path per file takes ten times as long
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()

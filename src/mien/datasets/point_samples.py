# SPDX-License-Identifier: Apache-2.0
"""`PointSamples`: faces as landmarks with ratings, without pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.core import Float32
from mien.datasets.samples import Column, RowColumns, SplitCounts, check_length, class_counts, freeze_columns


@dataclass(frozen=True, eq=False, kw_only=True)
class PointSamples(RowColumns):
    """N faces of known persons: 68 landmarks, arousal, valence and intensity.

    Attributes:
        dataset: Name in `DATASETS`.
        split: ``"train"``, ``"valid"`` or ``"test"``.
        names: N names of the pictures that the landmarks come from.
        subjects: N names of persons; no person is in two splits.
        emotions: N emotion labels as the set writes them.
        landmarks: (N, 68, 2) float32 in 300-W order, in pixels of the pictures.
        ratings: (N, 3) float32 arousal and valence in [-1, 1] and intensity in [0, 1.5].

    Examples:
        >>> faces = PointSamples(dataset="morphset", split="train", names=("a", "b"), subjects=("1", "2"),
        ...     emotions=("Happy", "Sad"), landmarks=np.zeros((2, 68, 2)), ratings=np.zeros((2, 3)))
        >>> faces.take([1]).subjects, faces.counts().classes
        (('2',), {'Happy': 1, 'Sad': 1})
    """

    row_columns = ("names", "subjects", "emotions", "landmarks", "ratings")

    dataset: str
    split: str
    names: tuple[str, ...]
    subjects: tuple[str, ...]
    emotions: tuple[str, ...]
    landmarks: Float32
    ratings: Float32

    def __post_init__(self) -> None:
        n = len(self.names)
        check_length("subjects", self.subjects, n)
        check_length("emotions", self.emotions, n)
        columns: dict[str, Column] = {
            "landmarks": ((n, 68, 2), np.float32, np.nan),
            "ratings": ((n, 3), np.float32, np.nan),
        }
        freeze_columns(self, columns)

    def counts(self) -> SplitCounts:
        """Counts of rows, persons and emotion labels."""
        labels = sorted(set(self.emotions))
        index = {label: number for number, label in enumerate(labels)}
        return SplitCounts(
            n_rows=len(self),
            n_tracks=len(set(self.subjects)),
            n_media=None,
            valid={"valence_arousal": len(self)},
            classes=class_counts(labels, np.array([index[label] for label in self.emotions], np.int64)),
        )

    def groups(self) -> frozenset[str]:
        """Names of the persons."""
        return frozenset(self.subjects)

    def absent(self) -> tuple[Path, ...]:
        """No path: the set has no pictures."""
        return ()

    def notes(self) -> tuple[str, ...]:
        """No note."""
        return ()

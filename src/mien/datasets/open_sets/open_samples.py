# SPDX-License-Identifier: Apache-2.0
"""Readers of the open sets as `ImageSamples`, without their pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mien.core import EXPRESSIONS
from mien.datasets.image_samples import ImageSamples
from mien.datasets.label_columns import plurality
from mien.datasets.open_sets.face_parquet import (
    VOTES,
    load_emotions,
    load_names,
    load_ratings,
    load_votes,
    picture_file,
)
from mien.datasets.open_sets.face_sets import is_test_person


def load_open_ferplus(folder: str | Path, split: str) -> ImageSamples:
    """FER+ votes of a split; the expression is the one with most votes, as in the FER+ CSV file.

    Args:
        folder: Folder that holds ``ferplus/train.parquet`` and ``ferplus/valid.parquet``.
        split: ``"train"`` or ``"valid"``.

    Raises:
        AnnotationError: The file is missing, is not Parquet or lacks a column.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from mien.datasets import create_example
        >>> with TemporaryDirectory() as folder:
        ...     create_example("open-ferplus", folder)
        ...     samples = load_open_ferplus(folder, "train")
        >>> samples.votes.shape, samples.valid_expression.tolist()
        ((3, 10), [True, True, False])
    """
    path = picture_file(folder, "ferplus", split)
    votes = load_votes(path)
    return _samples("open-ferplus", split, path, expression=plurality(votes), votes=votes, vote_labels=VOTES)


def load_open_fairface(folder: str | Path, split: str) -> ImageSamples:
    """FairFace faces of a split, which have no expression labels.

    Args:
        folder: Folder that holds ``fairface/train.parquet`` and ``fairface/val.parquet``.
        split: ``"train"`` or ``"valid"``.

    Raises:
        AnnotationError: The file is missing, is not Parquet or lacks a column.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from mien.datasets import create_example
        >>> with TemporaryDirectory() as folder:
        ...     create_example("open-fairface", folder)
        ...     samples = load_open_fairface(folder, "valid")
        >>> samples.names, samples.counts().valid
        (('val/1.jpg',), {'expression': 0})
    """
    return _samples("open-fairface", split, picture_file(folder, "fairface", split))


def load_open_lfw(folder: str | Path, split: str) -> ImageSamples:
    """LFW photos with one expression label each, divided by person.

    Args:
        folder: Folder that holds ``lfw_expression/photos.parquet``.
        split: ``"train"``, or ``"test"`` for the photos of the persons held out by `load_lfw`.

    Raises:
        AnnotationError: The file is missing, is not Parquet, lacks a column or has an unknown label.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from mien.datasets import create_example
        >>> with TemporaryDirectory() as folder:
        ...     create_example("open-lfw", folder)
        ...     load_open_lfw(folder, "test").names
        ('Bo_Orr_0001.jpg',)
    """
    path = picture_file(folder, "lfw", split)
    expression = np.array([EXPRESSIONS.index(label) for label in load_emotions(path)], dtype=np.int8)
    samples = _samples("open-lfw", split, path, expression=expression)
    in_test = np.array([is_test_person(name) for name in samples.names], dtype=bool)
    return samples.take(in_test == (split == "test"))


def load_affectnet_c25(folder: str | Path, split: str) -> ImageSamples:
    """Votes and mean ratings of 25 annotators per image; the set has neither pixels nor names.

    Args:
        folder: Folder that holds ``affectnet_c25/ratings.parquet``.
        split: ``"train"``.

    Raises:
        AnnotationError: The file is missing, is not Parquet, lacks a column or has a rating outside [-1, 1].

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from mien.datasets import create_example
        >>> with TemporaryDirectory() as folder:
        ...     create_example("affectnet-c25", folder)
        ...     samples = load_affectnet_c25(folder, "train")
        >>> print(samples.valence_arousal)
        [[0.1 0.7]]
    """
    votes, ratings, _ = load_ratings(picture_file(folder, "affectnet_c25", split))
    return ImageSamples(
        dataset="affectnet-c25",
        split=split,
        folder=None,
        names=tuple(f"row {row}" for row in range(len(votes))),
        expression=plurality(votes),
        expression_labels=EXPRESSIONS,
        valence_arousal=ratings.astype(np.float32),
        votes=votes,
        vote_labels=EXPRESSIONS,
    )


def _samples(dataset: str, split: str, path: Path, **columns: Any) -> ImageSamples:
    return ImageSamples(
        dataset=dataset, split=split, folder=None, names=load_names(path), expression_labels=EXPRESSIONS, **columns
    )

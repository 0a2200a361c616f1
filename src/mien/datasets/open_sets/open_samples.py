# SPDX-License-Identifier: Apache-2.0
"""The open sets behind the default bundle, kept as Parquet, seen as samples without their pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mien.core import EXPRESSIONS
from mien.datasets.image_samples import ImageSamples
from mien.datasets.open_sets.face_parquet import VOTES
from mien.datasets.text_files import AnnotationError, plurality

_DIMENSIONS = ("valence_mean", "arousal_mean")


def load_open_ferplus(folder: str | Path, split: str) -> ImageSamples:
    """FER+ votes of ``ferplus/train.parquet`` or ``valid.parquet``; the expression is the most voted, as in FER+ files.

    Raises:
        AnnotationError: the file is missing, is no Parquet or lacks a column.
    """
    folder = Path(folder)
    table = _read(folder / "ferplus", {"train": "train.parquet", "valid": "valid.parquet"}, split, ("name", *VOTES))
    votes = np.stack([table[name].to_numpy() for name in VOTES], axis=1).astype(np.int64)
    return _samples("open-ferplus", split, table, expression=plurality(votes), votes=votes, vote_labels=VOTES)


def load_open_fairface(folder: str | Path, split: str) -> ImageSamples:
    """FairFace of ``fairface/train.parquet`` or ``val.parquet``: faces without expression labels.

    Raises:
        AnnotationError: the file is missing, is no Parquet or lacks a column.
    """
    folder = Path(folder)
    files = {"train": "train.parquet", "valid": "val.parquet"}
    return _samples("open-fairface", split, _read(folder / "fairface", files, split, ("name",)))


def load_open_lfw(folder: str | Path, split: str) -> ImageSamples:
    """LFW expressions of ``lfw_expression/photos.parquet``, all as ``"train"``; people must be kept apart by the user.

    Raises:
        AnnotationError: the file is missing, is no Parquet, lacks a column or names an unknown expression.
    """
    folder = Path(folder)
    place = folder / "lfw_expression"
    table = _read(place, {"train": "photos.parquet"}, split, ("name", "emotion"))
    labels = table["emotion"].to_pylist()
    unknown = sorted(set(labels) - set(EXPRESSIONS))
    if unknown:
        raise AnnotationError(place / "photos.parquet", f"unknown emotions {unknown}")
    expression = np.array([EXPRESSIONS.index(label) for label in labels], dtype=np.int8)
    return _samples("open-lfw", split, table, expression=expression)


def load_affectnet_c25(folder: str | Path, split: str) -> ImageSamples:
    """Votes and mean ratings of 25 people, ``affectnet_c25/ratings.parquet``, all as ``"train"``; no pixels, no names.

    Raises:
        AnnotationError: the file is missing, is no Parquet, lacks a column or has a rating outside [-1, 1].
    """
    folder = Path(folder)
    place = folder / "affectnet_c25"
    table = _read(place, {"train": "ratings.parquet"}, split, (*EXPRESSIONS, *_DIMENSIONS))
    votes = np.stack([table[name].to_numpy() for name in EXPRESSIONS], axis=1).astype(np.int64)
    ratings = np.stack([table[name].to_numpy() for name in _DIMENSIONS], axis=1)
    outside = ~(np.abs(ratings) <= 1).all(axis=1)
    if outside.any():
        raise AnnotationError(place / "ratings.parquet", f"row {int(outside.argmax())} is rated outside [-1, 1]")
    return ImageSamples(
        dataset="affectnet-c25",
        split=split,
        folder=None,
        names=tuple(f"row {row}" for row in range(len(table))),
        expression=plurality(votes),
        expression_labels=EXPRESSIONS,
        valence_arousal=ratings.astype(np.float32),
        votes=votes,
        vote_labels=EXPRESSIONS,
    )


def _samples(dataset: str, split: str, table: pa.Table, **columns: Any) -> ImageSamples:
    names = tuple(table["name"].to_pylist())
    return ImageSamples(
        dataset=dataset, split=split, folder=None, names=names, expression_labels=EXPRESSIONS, **columns
    )


def _read(folder: Path, files: dict[str, str], split: str, columns: tuple[str, ...]) -> pa.Table:
    """The columns of a split's file, without the pictures."""
    if split not in files:
        raise AnnotationError(folder, f"has the splits {', '.join(files)}, not {split!r}")
    path = folder / files[split]
    try:
        found = pq.read_schema(path).names
        missing = [name for name in columns if name not in found]
        if missing:
            raise AnnotationError(path, f"columns {missing} are missing; found {found}")
        return pq.read_table(path, columns=list(columns))
    except FileNotFoundError:
        raise AnnotationError(path, "no such file") from None
    except pa.ArrowInvalid as error:
        raise AnnotationError(path, f"is no Parquet file ({error})") from error

# SPDX-License-Identifier: Apache-2.0
"""Samples as columns: labelled faces, faces with landmarks, whole clips, and the base that all sample types share."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mien.core import Bools, ConfigError, DatasetError, Float32, Indices, Integers

NOT_GIVEN: Any = None
"""Default of a column; `freeze_columns` replaces it before a caller can see it."""

UNKNOWN = -1
"""Value of an unknown label in integer label columns."""

Column = tuple[tuple[int, ...], type, float]
"""Shape, dtype and fill value of a column that is not given."""


def name_share(name: str) -> float:
    """A stable number in [0, 1) for a name, so that a split does not depend on the order or number of rows.

    Examples:
        >>> round(name_share("n000002/0001_01.jpg"), 3) == round(name_share("n000002/0001_01.jpg"), 3)
        True
    """
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / 2**48


@dataclass(frozen=True, eq=False, kw_only=True)
class RowColumns:
    """Base of the sample types: N rows, kept as columns of one length.

    A subclass names its columns in ``row_columns``: tuples, arrays whose first axis is N, or Arrow arrays.
    """

    row_columns: ClassVar[tuple[str, ...]] = ()

    def __len__(self) -> int:
        return len(getattr(self, self.row_columns[0]))

    def take(self, rows: npt.ArrayLike) -> Self:
        """The chosen rows, in that order; what does not belong to a row stays as it is.

        Args:
            rows: (N,) boolean mask, or indices.
        """
        chosen = np.arange(len(self))[np.asarray(rows)]
        return replace(self, **{name: _take(getattr(self, name), chosen) for name in self.row_columns})


def _take(column: Any, chosen: Indices) -> Any:
    if column is None:
        return None
    if isinstance(column, tuple):
        return tuple(column[row] for row in chosen) if column else ()
    return column.take(pa.array(chosen)) if isinstance(column, pa.Array) else column[chosen]


def freeze_columns(samples: object, columns: Mapping[str, Column]) -> None:
    """Turn the named fields of a frozen dataclass into read-only arrays.

    Raises:
        ConfigError: A column has another shape.
    """
    for name, (shape, dtype, fill) in columns.items():
        value = getattr(samples, name)
        array: npt.NDArray[Any] = np.full(shape, fill, dtype) if value is NOT_GIVEN else np.asarray(value, dtype)
        if array.shape != shape:
            raise ConfigError(f"{name} must have shape {shape}, got {array.shape}")
        view = array.view()
        view.flags.writeable = False
        object.__setattr__(samples, name, view)


def check_length(name: str, column: Sequence[object], n: int) -> None:
    """Refuse a column of another length.

    Raises:
        ConfigError: The column does not have n entries.
    """
    if len(column) != n:
        raise ConfigError(f"{name} must have {n} entries, got {len(column)}")


@dataclass(frozen=True, kw_only=True)
class SplitCounts:
    """Counts of one split.

    Attributes:
        n_rows: Number of listed frames, images or videos.
        n_tracks: Number of face tracks or videos that the rows belong to; ``n_rows`` where each row is one of its own.
        n_media: Number of rows whose image or video is in the folder; None where the set keeps pixels elsewhere.
        valid: Task -> number of rows with a usable label (the mask).
        classes: Label -> number of rows that carry it (for an action unit: rows of the mask where it is active).
    """

    n_rows: int
    n_tracks: int
    n_media: int | None
    valid: Mapping[str, int] = field(default_factory=dict)
    classes: Mapping[str, int] = field(default_factory=dict)


@runtime_checkable
class Samples(Protocol):
    """Interface of the samples that every reader returns."""

    @property
    def split(self) -> str:
        """``"train"``, ``"valid"`` or ``"test"``."""

    def __len__(self) -> int: ...

    def counts(self) -> SplitCounts:
        """Counts of rows, media, valid labels and classes."""

    def groups(self) -> frozenset[str]:
        """Names of the videos or persons that splits must not share; empty where the set has none."""

    def absent(self) -> tuple[Path, ...]:
        """Paths of files that the annotations name and the folder lacks, where all of them should exist."""

    def notes(self) -> tuple[str, ...]:
        """Sentences about known oddities of the set that are not problems."""


def class_counts(labels: Sequence[str], indices: Integers) -> dict[str, int]:
    """Label -> number of rows with its index; negative indices are unlabelled rows.

    Examples:
        >>> class_counts(("neutral", "anger"), np.array([1, -1, 1]))
        {'neutral': 0, 'anger': 2}
    """
    found = np.bincount(indices[indices >= 0], minlength=len(labels))
    return {label: int(n) for label, n in zip(labels, found, strict=True)}


def some_names(names: Sequence[str]) -> str:
    """The first three names, for a sentence.

    Examples:
        >>> some_names(["a", "b", "c", "d"])
        'a, b, c, ...'
    """
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


@dataclass(frozen=True, eq=False, kw_only=True)
class FaceSamples(RowColumns):
    """N cropped faces with labels. An unknown label is NaN; a task is not trained on a face whose whole row is NaN.

    Attributes:
        names: N names, unique within the data set.
        images: N encoded images (PNG or JPEG bytes).
        expression: (N, 8) shares of the canonical expressions that sum to 1, or NaN.
        valence_arousal: (N, 2) in [-1, 1], or NaN.
        action_units: (N, A) probabilities in [0, 1] of ``action_unit_labels``; each may be NaN.
        action_unit_labels: A names such as ``"AU12"``.
        keypoints: (N, 5, 2) alignment keypoints as fractions of the picture's width and height, or NaN.

    Examples:
        >>> labels = {"valence_arousal": [[0.5, 0.1], [-0.2, 0.3]], "action_units": [[1.0], [0.0]]}
        >>> places = np.zeros((2, 5, 2))
        >>> samples = FaceSamples(names=("a", "b"), images=(b"", b""), expression=np.full((2, 8), 1 / 8), **labels,
        ...     action_unit_labels=("AU12",), keypoints=places)
        >>> samples.take([1]).names, samples.take(samples.valence_arousal[:, 0] > 0).names
        (('b',), ('a',))
    """

    row_columns = ("names", "images", "expression", "valence_arousal", "action_units", "keypoints")

    names: tuple[str, ...]
    images: tuple[bytes, ...]
    expression: Float32
    valence_arousal: Float32
    action_units: Float32
    action_unit_labels: tuple[str, ...]
    keypoints: Float32

    def __post_init__(self) -> None:
        n = len(self.names)
        check_length("images", self.images, n)
        columns: dict[str, Column] = {
            "expression": ((n, 8), np.float32, np.nan),
            "valence_arousal": ((n, 2), np.float32, np.nan),
            "action_units": ((n, len(self.action_unit_labels)), np.float32, np.nan),
            "keypoints": ((n, 5, 2), np.float32, np.nan),
        }
        freeze_columns(self, columns)


@dataclass(frozen=True, eq=False)
class LandmarkFaces(RowColumns):
    """N pictures of one face each, with a teacher's landmarks, head pose and eye opening.

    Attributes:
        names: N names of the pictures.
        images: N encoded images (PNG or JPEG bytes).
        source: (N,) name of the set that each picture belongs to.
        landmarks: (N, 68, 2) in 300-W order, fractions of the picture's width and height; values may leave [0, 1].
        pose_rad: (N, 3) pitch, yaw, roll (`mien.core.rotation_matrices` defines them).
        eyes_open: (N, 2) in [0, 1], 1 for wide open, of the eye at the image's left and the eye at its right.
    """

    row_columns = ("names", "images", "source", "landmarks", "pose_rad", "eyes_open")

    names: tuple[str, ...]
    images: tuple[bytes, ...]
    source: npt.NDArray[np.str_]
    landmarks: Float32
    pose_rad: Float32
    eyes_open: Float32

    def __post_init__(self) -> None:
        n = len(self.names)
        check_length("images", self.images, n)
        columns: dict[str, Column] = {
            "source": ((n,), np.str_, 0),
            "landmarks": ((n, 68, 2), np.float32, np.nan),
            "pose_rad": ((n, 3), np.float32, np.nan),
            "eyes_open": ((n, 2), np.float32, np.nan),
        }
        freeze_columns(self, columns)


FacesT = TypeVar("FacesT", FaceSamples, LandmarkFaces)


def concatenate(parts: Sequence[FacesT]) -> FacesT:
    """The rows of several sets of one kind, in order.

    Raises:
        DatasetError: The sets do not share their labels.

    Examples:
        >>> faces = LandmarkFaces(("a",), (b"",), ["lfw"], np.zeros((1, 68, 2)), np.zeros((1, 3)), np.ones((1, 2)))
        >>> joined = concatenate([faces, faces])
        >>> len(joined), joined.source.tolist()
        (2, ['lfw', 'lfw'])
    """
    first = parts[0]
    for name in (item.name for item in fields(first) if item.name not in first.row_columns):
        values = {getattr(part, name) for part in parts}
        if len(values) != 1:
            raise DatasetError(f"samples to join must have the same {name}, got {sorted(values)}")
    return replace(first, **{name: _join([getattr(part, name) for part in parts]) for name in first.row_columns})


def _join(columns: Sequence[Any]) -> Any:
    if isinstance(columns[0], tuple):
        return tuple(value for column in columns for value in column)
    return np.concatenate(columns)


@dataclass(frozen=True, eq=False, kw_only=True)
class ClipSamples(RowColumns):
    """N annotated videos.

    Attributes:
        dataset: Name in `DATASETS`.
        split: ``"train"``, ``"valid"`` or ``"test"``.
        names: N names as the data set writes them (``"00001"`` keeps its zeros).
        intensities: (N, K) float32 in [0, 1]; a row without labels is NaN.
        labels: K names of emotions.
        countries: N countries; empty where the set does not give them.
        remarks: Sentences of the reader for `notes`.
        videos: N paths; None where the folder lacks the video.
        videos_found: Whether the folder holds any video.

    Examples:
        >>> clips = ClipSamples(dataset="emi", split="test", names=("00001", "00002"), intensities=[[0.5], [np.nan]],
        ...     labels=("joy",), videos=(None, None), videos_found=False)
        >>> clips.valid_intensities.tolist(), clips.take(clips.valid_intensities).names
        ([True, False], ('00001',))
    """

    row_columns = ("names", "intensities", "videos", "countries")

    dataset: str
    split: str
    names: tuple[str, ...]
    intensities: Float32
    labels: tuple[str, ...]
    videos: tuple[Path | None, ...]
    videos_found: bool
    countries: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.names)
        check_length("videos", self.videos, n)
        if self.countries:
            check_length("countries", self.countries, n)
        freeze_columns(self, {"intensities": ((n, len(self.labels)), np.float32, np.nan)})

    @property
    def valid_intensities(self) -> Bools:
        """(N,) videos with a label for every emotion."""
        valid: Bools = ~np.isnan(self.intensities.sum(axis=1))
        return valid

    def counts(self) -> SplitCounts:
        """Counts of rows, videos and valid labels; intensities have no classes."""
        n_videos = sum(video is not None for video in self.videos)
        return SplitCounts(
            n_rows=len(self),
            n_tracks=len(self),
            n_media=n_videos if self.videos_found else None,
            valid={"intensities": int(self.valid_intensities.sum())},
        )

    def groups(self) -> frozenset[str]:
        """Names of the videos; the sets do not name the persons."""
        return frozenset(self.names)

    def absent(self) -> tuple[Path, ...]:
        """Names of listed videos that the folder lacks although it holds others."""
        if not self.videos_found:
            return ()
        missing = (name for name, video in zip(self.names, self.videos, strict=True) if video is None)
        return tuple(Path(f"{name}.mp4") for name in missing)

    def notes(self) -> tuple[str, ...]:
        """Notes of the reader, and that the folder holds no video."""
        own = tuple(f"{self.split}: {remark}" for remark in self.remarks)
        if self.videos_found:
            return own
        return (*own, f"{self.split}: no videos in the folder, so videos were not searched for")

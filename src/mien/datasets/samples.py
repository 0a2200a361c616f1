# SPDX-License-Identifier: Apache-2.0
"""Samples as columns: cropped faces, whole clips, and what all kinds of samples share (column checks, counts)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError, DatasetError

NOT_GIVEN: Any = None
"""Default of a column; replaced by `freeze_columns` before anyone can see it."""

UNKNOWN = -1
"""Stands in integer label columns where nobody knows the label."""

Column = tuple[tuple[int, ...], type, float]
"""Shape, dtype and what an absent column is filled with."""


def freeze_columns(samples: object, columns: Mapping[str, Column]) -> None:
    """Turn the named fields of a frozen dataclass into read-only arrays.

    Raises:
        ConfigError: a column has another shape.
    """
    for name, (shape, dtype, fill) in columns.items():
        value = getattr(samples, name)
        array: npt.NDArray[Any] = np.full(shape, fill, dtype) if value is NOT_GIVEN else np.asarray(value, dtype)
        if array.shape != shape:
            raise ConfigError(f"{name} must have shape {shape}, got {array.shape}")
        view = array.view()
        view.flags.writeable = False
        object.__setattr__(samples, name, view)


@dataclass(frozen=True, kw_only=True)
class SplitCounts:
    """What is in one split.

    Attributes:
        n_rows: frames, images or videos listed.
        n_tracks: face tracks or videos that the rows belong to; equal to ``n_rows`` where a row is no part of one.
        n_media: rows whose image or video is in the folder; None where the set keeps pixels elsewhere.
        valid: task -> rows with a usable label (the mask).
        classes: label -> rows that carry it (for an action unit: rows of the mask where it is active).
    """

    n_rows: int
    n_tracks: int
    n_media: int | None
    valid: Mapping[str, int] = field(default_factory=dict)
    classes: Mapping[str, int] = field(default_factory=dict)


@runtime_checkable
class Samples(Protocol):
    """What every reader returns."""

    @property
    def split(self) -> str:
        """``"train"``, ``"valid"`` or ``"test"``."""

    def __len__(self) -> int: ...

    def counts(self) -> SplitCounts:
        """How much is there."""

    def groups(self) -> frozenset[str]:
        """Names of the videos or people that must not be shared between splits; empty where the set has none."""

    def absent(self) -> tuple[Path, ...]:
        """Files that the annotations name and the folder lacks, where every one of them should be there."""

    def notes(self) -> tuple[str, ...]:
        """Sentences about oddities that the set is known for and that spoil nothing."""


def class_counts(labels: Sequence[str], indices: npt.NDArray[np.integer]) -> dict[str, int]:
    """Label -> how often its index occurs; negative indices are unlabelled rows."""
    found = np.bincount(indices[indices >= 0], minlength=len(labels))
    return {label: int(n) for label, n in zip(labels, found, strict=True)}


def some_names(names: Sequence[str]) -> str:
    """The first few names, for a sentence."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class FaceSamples:
    """N cropped faces. An unknown label is NaN; a task whose whole row is NaN is not taught by that face.

    Attributes:
        names: N names, unique within the data set.
        images: N encoded images (PNG or JPEG bytes).
        expression: (N, 8) shares of the canonical expressions that sum to 1, or NaN.
        valence_arousal: (N, 2) in [-1, 1], or NaN.
        action_units: (N, A) probabilities in [0, 1] of ``action_unit_labels``, each may be NaN.
        action_unit_labels: A names.
        keypoints: (N, 5, 2) alignment points as fractions of the picture's width and height, or NaN.
    """

    names: tuple[str, ...]
    images: tuple[bytes, ...]
    expression: Floats
    valence_arousal: Floats
    action_units: Floats
    action_unit_labels: tuple[str, ...]
    keypoints: Floats

    def __post_init__(self) -> None:
        n = len(self.names)
        shapes = {
            "images": (n,),
            "expression": (n, 8),
            "valence_arousal": (n, 2),
            "action_units": (n, len(self.action_unit_labels)),
            "keypoints": (n, 5, 2),
        }
        for name, shape in shapes.items():
            value = getattr(self, name)
            got = (len(value),) if name == "images" else value.shape
            if got != shape:
                raise DatasetError(f"{name} must have shape {shape}, got {got}")

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: npt.ArrayLike) -> FaceSamples:
        """The chosen rows (a boolean mask or indices), in that order."""
        chosen = np.arange(len(self))[np.asarray(rows)]
        return replace(
            self,
            names=tuple(self.names[i] for i in chosen),
            images=tuple(self.images[i] for i in chosen),
            expression=self.expression[chosen],
            valence_arousal=self.valence_arousal[chosen],
            action_units=self.action_units[chosen],
            keypoints=self.keypoints[chosen],
        )


def concatenate(parts: Sequence[FaceSamples]) -> FaceSamples:
    """One set of several, in order; all must teach the same action units."""
    labels = {part.action_unit_labels for part in parts}
    if len(labels) != 1:
        raise DatasetError(f"sets to join must share their action units, got {sorted(labels)}")
    return FaceSamples(
        names=sum((part.names for part in parts), ()),
        images=sum((part.images for part in parts), ()),
        expression=np.concatenate([part.expression for part in parts]),
        valence_arousal=np.concatenate([part.valence_arousal for part in parts]),
        action_units=np.concatenate([part.action_units for part in parts]),
        action_unit_labels=parts[0].action_unit_labels,
        keypoints=np.concatenate([part.keypoints for part in parts]),
    )


Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class ClipSamples:
    """N annotated videos.

    Attributes:
        dataset: name in `DATASETS`.
        split: ``"train"``, ``"valid"`` or ``"test"``.
        names: N names as the data set writes them (``"00001"`` keeps its zeros).
        intensities: (N, K) float32 in [0, 1]; a row without labels is NaN.
        labels: K names of emotions.
        countries: N countries; empty where the set does not say.
        videos: N paths; None where the folder holds no such video.
        videos_found: whether the folder holds any video at all.
    """

    dataset: str
    split: str
    names: tuple[str, ...]
    intensities: Floats
    labels: tuple[str, ...]
    videos: tuple[Path | None, ...]
    videos_found: bool
    countries: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.names)
        shapes = (self.intensities.shape, len(self.videos), len(self.countries) or n)
        if shapes != ((n, len(self.labels)), n, n):
            raise ConfigError(f"{n} videos with {len(self.labels)} labels, but columns of {shapes}")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def valid_intensities(self) -> Bools:
        """(N,) videos with a label for every emotion."""
        valid: Bools = ~np.isnan(self.intensities.sum(axis=1))
        return valid

    def counts(self) -> SplitCounts:
        """Rows, videos and the mask; intensities have no classes."""
        n_videos = sum(video is not None for video in self.videos)
        return SplitCounts(
            n_rows=len(self),
            n_tracks=len(self),
            n_media=n_videos if self.videos_found else None,
            valid={"intensities": int(self.valid_intensities.sum())},
        )

    def groups(self) -> frozenset[str]:
        """The videos; the sets do not name the people."""
        return frozenset(self.names)

    def absent(self) -> tuple[Path, ...]:
        """Listed videos that the folder lacks although it holds others."""
        if not self.videos_found:
            return ()
        lacking = (name for name, video in zip(self.names, self.videos, strict=True) if video is None)
        return tuple(Path(f"{name}.mp4") for name in lacking)

    def notes(self) -> tuple[str, ...]:
        """Whether videos were found at all."""
        return () if self.videos_found else (f"{self.split}: no videos in the folder, so none was looked for",)

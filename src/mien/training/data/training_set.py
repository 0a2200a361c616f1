# SPDX-License-Identifier: Apache-2.0
"""`TrainingSet`: pictures or feature vectors with any subset of labels, as the engine wants them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError, DatasetError
from mien.training.data.feature_vectors import StoredVectors, Vectors, is_vectors, join_vectors
from mien.training.data.training_images import PictureReader, Pictures, cache_pictures, join_pictures

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

Inputs = PictureReader | Vectors
"""Pictures, or (N, D) feature vectors (which may be memory-mapped)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingSet:
    """N samples. An unknown label is NaN; a task whose whole row is NaN is not taught by that sample.

    Attributes:
        groups: N names of what must not be shared between parts of a split: a video, a person, or the sample itself.
        inputs: what the network is fed.
        targets: task -> (N, L): shares of classes that sum to 1, valence and arousal in [-1, 1], probabilities in [0, 1].
        labels: task -> L names.
        keypoints: (N, 5, 2) alignment points as fractions of the picture's width and height, NaN where unknown.
        primary: (N,) rows of which every epoch draws; the others come by ``auxiliary_rows`` and ``labelled_auxiliary_rows`` of a stage.
    """

    groups: tuple[str, ...]
    inputs: Inputs
    targets: Mapping[str, Floats]
    labels: Mapping[str, tuple[str, ...]]
    keypoints: Floats
    primary: Bools

    def __post_init__(self) -> None:
        n = len(self.groups)
        shapes = {"inputs": (n,), "keypoints": (n, 5, 2), "primary": (n,)}
        got = {"inputs": (len(self.inputs),), "keypoints": self.keypoints.shape, "primary": self.primary.shape}
        for task, names in self.labels.items():
            shapes[task], got[task] = (n, len(names)), self.targets[task].shape
        wrong = {name: (shapes[name], got[name]) for name in shapes if shapes[name] != got[name]}
        if wrong:
            raise ConfigError(f"a training set's columns do not fit, expected and got: {wrong}")

    def __len__(self) -> int:
        return len(self.groups)

    def known(self, task: str) -> Bools:
        """(N,) rows with any known entry of a task."""
        known: Bools = np.asarray((~np.isnan(self.targets[task])).any(axis=1))
        return known

    def take(self, rows: npt.ArrayLike) -> TrainingSet:
        """The chosen rows (a boolean mask or indices), in that order."""
        chosen = np.arange(len(self))[np.asarray(rows)]
        return replace(
            self,
            groups=tuple(self.groups[row] for row in chosen),
            inputs=_take_inputs(self.inputs, chosen),
            targets={task: values[chosen] for task, values in self.targets.items()},
            keypoints=self.keypoints[chosen],
            primary=self.primary[chosen],
        )

    def cached(self, folder: Path, max_side_px: int) -> TrainingSet:
        """The same with its pictures decoded into a cache file; samples whose picture is damaged are left out."""
        if not isinstance(self.inputs, Pictures):
            return self
        cached = cache_pictures(self.inputs, folder, max_side_px)
        whole = replace(self, inputs=cached)
        return whole if cached.readable.all() else whole.take(cached.readable)


@dataclass(frozen=True, eq=False)
class ChosenPictures:
    """Some rows of other pictures.

    Attributes:
        whole: all of them.
        rows: (N,) into ``whole``.
    """

    whole: PictureReader
    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> npt.NDArray[np.uint8]:
        return self.whole[int(self.rows[row])]


def chosen_pictures(pictures: PictureReader, rows: Rows) -> PictureReader:
    """Some pictures, in the order of ``rows``."""
    return pictures.take(rows) if isinstance(pictures, Pictures) else ChosenPictures(pictures, rows)


def _take_inputs(inputs: Inputs, rows: Rows) -> Inputs:
    if isinstance(inputs, StoredVectors):
        return inputs.take(rows)
    return inputs[rows] if isinstance(inputs, np.ndarray) else chosen_pictures(inputs, rows)


def join_sets(parts: Sequence[TrainingSet]) -> TrainingSet:
    """The rows of several sets, in order. A task that a set lacks is unknown there.

    Raises:
        ConfigError: two sets name the labels of a task differently.
        DatasetError: pictures and vectors are mixed, or there is no set.
    """
    if not parts:
        raise DatasetError("there is nothing to learn from")
    if len(parts) == 1:
        return parts[0]
    labels: dict[str, tuple[str, ...]] = {}
    for part in parts:
        for task, names in part.labels.items():
            if labels.setdefault(task, names) != names:
                raise ConfigError(f"sets to join name {task} differently: {labels[task]} and {names}")
    targets = {
        task: np.concatenate(
            [part.targets.get(task, np.full((len(part), len(names)), np.nan, np.float32)) for part in parts]
        )
        for task, names in labels.items()
    }
    return TrainingSet(
        groups=sum((part.groups for part in parts), ()),
        inputs=_join_inputs([part.inputs for part in parts]),
        targets=targets,
        labels=labels,
        keypoints=np.concatenate([part.keypoints for part in parts]),
        primary=np.concatenate([part.primary for part in parts]),
    )


def _join_inputs(parts: Sequence[Inputs]) -> Inputs:
    pictures = [part for part in parts if isinstance(part, Pictures)]
    vectors = [part for part in parts if is_vectors(part)]
    if len(pictures) == len(parts):
        return join_pictures(pictures)
    if len(vectors) == len(parts):
        return join_vectors(vectors)
    raise DatasetError("sets of pictures and sets of feature vectors cannot be joined")

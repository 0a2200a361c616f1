# SPDX-License-Identifier: Apache-2.0
"""`TrainingSet`: pictures or feature vectors with any subset of labels, the one sample type of the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError, DatasetError
from mien.training.data.feature_vectors import StoredVectors, Vectors, is_vectors, join_vectors
from mien.training.data.source_records import SourceRecord
from mien.training.data.training_images import ImageSequence, TrainingImages, cache_images, join_images

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

_UNITED = frozenset({"action_units", "action_unit_intensity", "action_unit_sides"})

INDEXED = frozenset({"identity"})
"""Tasks whose targets are indices of classes and not a column for each of them."""

Inputs = ImageSequence | Vectors
"""Images, or (N, D) feature vectors (which may be memory-mapped)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingSet:
    """N samples. An unknown label is NaN; a sample whose whole row of a task is NaN has no label of it.

    Attributes:
        groups: N names of what must not be shared between splits: a video, a person, or the sample itself.
        inputs: Images or vectors of the N samples.
        targets: Task -> (N, L): shares of classes that sum to 1, valence and arousal in [-1, 1], probabilities in
            [0, 1], landmarks as fractions of the picture's width and height, angles in radians. A task of `INDEXED`,
            which has thousands of classes, has (N, 1) indices into its names instead.
        labels: Task -> L names.
        keypoints: (N, 5, 2) keypoints as fractions of the picture's width and height, NaN where unknown.
        primary: (N,) rows that every epoch draws; a target provider may draw the others, which are auxiliary.
        records: Facts about the sets that the rows come from.
        record: (N,) index into ``records``; zeros unless given.
    """

    groups: tuple[str, ...]
    inputs: Inputs
    targets: Mapping[str, Floats]
    labels: Mapping[str, tuple[str, ...]]
    keypoints: Floats
    primary: Bools
    records: tuple[SourceRecord, ...] = ()
    record: Rows = field(default_factory=lambda: np.empty(0, dtype=np.intp))

    def __post_init__(self) -> None:
        n = len(self.groups)
        if not len(self.record):
            object.__setattr__(self, "record", np.zeros(n, dtype=np.intp))
        shapes = {"inputs": (n,), "keypoints": (n, 5, 2), "primary": (n,), "record": (n,)}
        got = {
            "inputs": (len(self.inputs),),
            "keypoints": self.keypoints.shape,
            "primary": self.primary.shape,
            "record": self.record.shape,
        }
        for task, names in self.labels.items():
            shapes[task], got[task] = (n, 1 if task in INDEXED else len(names)), self.targets[task].shape
        wrong = {name: (shapes[name], got[name]) for name in shapes if shapes[name] != got[name]}
        if wrong:
            raise ConfigError(f"a training set's columns do not fit, expected and got: {wrong}")

    def __len__(self) -> int:
        return len(self.groups)

    def known(self, task: str) -> Bools:
        """(N,) rows with any known entry of a task."""
        known: Bools = np.asarray((~np.isnan(self.targets[task])).any(axis=1))
        return known

    @property
    def domains(self) -> Rows:
        """(N,) domain of each row for batch normalisation: 0 where statistics are shared, else one of its source."""
        own = [record.own_statistics for record in self.records] or [False]
        numbers = np.where(own, np.cumsum(own), 0).astype(np.intp)
        return numbers[self.record]

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
            record=self.record[chosen],
        )

    def cached(self, folder: Path, max_side_px: int) -> TrainingSet:
        """The same set with its pictures decoded into a cache file, without samples whose picture is damaged."""
        if not isinstance(self.inputs, TrainingImages):
            return self
        cached = cache_images(self.inputs, folder, max_side_px)
        whole = replace(self, inputs=cached)
        return whole if cached.readable.all() else whole.take(cached.readable)


@dataclass(frozen=True, eq=False)
class SelectedImages:
    """Some rows of other pictures.

    Attributes:
        whole: All pictures.
        rows: (N,) indices into ``whole``.
    """

    whole: ImageSequence
    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> npt.NDArray[np.uint8]:
        return self.whole[int(self.rows[row])]


def selected_images(pictures: ImageSequence, rows: Rows) -> ImageSequence:
    """Some pictures, in the order of ``rows``."""
    return pictures.take(rows) if isinstance(pictures, TrainingImages) else SelectedImages(pictures, rows)


def _take_inputs(inputs: Inputs, rows: Rows) -> Inputs:
    if isinstance(inputs, StoredVectors):
        return inputs.take(rows)
    return inputs[rows] if isinstance(inputs, np.ndarray) else selected_images(inputs, rows)


def join_sets(parts: Sequence[TrainingSet]) -> TrainingSet:
    """The rows of several sets, in order. A task, or an action unit, that a set lacks is unknown there.

    Raises:
        ConfigError: Two sets name the labels of a task differently.
        DatasetError: Images and vectors are mixed, or there is no set.
    """
    if not parts:
        raise DatasetError("there is no set to train on")
    if len(parts) == 1:
        return parts[0]
    labels = _joined_labels(parts)
    targets = {
        task: np.concatenate([_with_labels(part, task, names) for part in parts]) for task, names in labels.items()
    }
    records = tuple(dict.fromkeys(record for part in parts for record in part.records))
    return TrainingSet(
        groups=sum((part.groups for part in parts), ()),
        inputs=_join_inputs([part.inputs for part in parts]),
        targets=targets,
        labels=labels,
        keypoints=np.concatenate([part.keypoints for part in parts]),
        primary=np.concatenate([part.primary for part in parts]),
        records=records,
        record=np.concatenate([_joined_record(part, records) for part in parts]),
    )


def _joined_labels(parts: Sequence[TrainingSet]) -> dict[str, tuple[str, ...]]:
    """Task -> names; those of action units, which are independent of each other, are united."""
    labels: dict[str, tuple[str, ...]] = {}
    for part in parts:
        for task, names in part.labels.items():
            known = labels.setdefault(task, names)
            if known != names:
                if task not in _UNITED:
                    raise ConfigError(f"sets to join name {task} differently: {known} and {names}")
                labels[task] = tuple(sorted({*known, *names}))
    return labels


def _with_labels(part: TrainingSet, task: str, names: tuple[str, ...]) -> Floats:
    """(N, L) targets of a task in the columns of the joined sets, NaN where the set lacks the task or a column."""
    own = part.labels.get(task, ())
    if task in INDEXED:
        return part.targets[task] if own else np.full((len(part), 1), np.nan, np.float32)
    values = np.full((len(part), len(names)), np.nan, np.float32)
    values[:, [names.index(name) for name in own]] = part.targets[task] if own else values[:, :0]
    return values


def _joined_record(part: TrainingSet, records: tuple[SourceRecord, ...]) -> Rows:
    """(N,) index of each row's record among the records of all sets."""
    places = np.array([records.index(record) for record in part.records] or [0], dtype=np.intp)
    return places[part.record]


def _join_inputs(parts: Sequence[Inputs]) -> Inputs:
    pictures = [part for part in parts if isinstance(part, TrainingImages)]
    vectors = [part for part in parts if is_vectors(part)]
    if len(pictures) == len(parts):
        return join_images(pictures)
    if len(vectors) == len(parts):
        return join_vectors(vectors)
    raise DatasetError("sets of pictures and sets of feature vectors cannot be joined")

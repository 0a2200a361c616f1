# SPDX-License-Identifier: Apache-2.0
"""`SplitCounts`: the numbers by which one sees whether a split is whole, the same for every kind of sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt


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

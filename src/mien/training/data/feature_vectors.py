# SPDX-License-Identifier: Apache-2.0
"""Rows of feature vectors that stay where they are, on the disk, until a batch asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError

if TYPE_CHECKING:
    from typing_extensions import TypeIs

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class StoredVectors:
    """N vectors side by side out of one or more arrays, such as features and scores of the same frames.

    Attributes:
        stretches: (M, n) arrays, which may be memory-mapped, each with the (N,) rows of it that are meant.
    """

    stretches: tuple[tuple[npt.NDArray[np.floating], Rows], ...]

    def __post_init__(self) -> None:
        lengths = {len(rows) for _, rows in self.stretches}
        if len(lengths) != 1:
            raise ConfigError(f"stretches of vectors need as many rows each, got {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.stretches[0][1])

    @property
    def shape(self) -> tuple[int, int]:
        """N and D, the lengths of all stretches together."""
        return len(self), sum(values.shape[1] for values, _ in self.stretches)

    def __getitem__(self, rows: Rows) -> npt.NDArray[np.floating]:
        """(B, D) vectors of some rows, in half precision where they are stored so."""
        parts = [values[own[rows]] for values, own in self.stretches]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def take(self, rows: Rows) -> StoredVectors:
        """Some rows, in that order; nothing is read."""
        return StoredVectors(tuple((values, own[rows]) for values, own in self.stretches))


Vectors = npt.NDArray[np.floating] | StoredVectors
"""(N, D) numbers that `is_vectors` tells from pictures."""


def is_vectors(inputs: object) -> TypeIs[Vectors]:
    """Whether inputs are vectors rather than pictures."""
    return isinstance(inputs, (np.ndarray, StoredVectors))


def join_vectors(parts: Sequence[Vectors]) -> Vectors:
    """The rows of several sets, in order; those of one array that stays on the disk stay there.

    Raises:
        ConfigError: the vectors have different lengths.
    """
    widths = sorted({part.shape[1] for part in parts})
    if len(widths) != 1:
        raise ConfigError(f"vectors of lengths {widths} cannot be joined; extract all of them with one bundle")
    stored = [part for part in parts if isinstance(part, StoredVectors)]
    if len(stored) == len(parts) and len({_identity(part) for part in stored}) == 1:
        columns: Any = zip(*(part.stretches for part in stored), strict=True)
        return StoredVectors(tuple((own[0][0], np.concatenate([rows for _, rows in own])) for own in columns))
    return np.concatenate([part[np.arange(len(part))] for part in parts])


def _identity(vectors: StoredVectors) -> tuple[int, ...]:
    return tuple(id(values) for values, _ in vectors.stretches)

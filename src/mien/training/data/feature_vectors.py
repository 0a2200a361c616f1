# SPDX-License-Identifier: Apache-2.0
"""`StoredVectors`, feature vectors that stay on disk until a batch reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.core import ConfigError, Floats, Indices

if TYPE_CHECKING:
    from typing_extensions import TypeIs


@dataclass(frozen=True, eq=False)
class StoredVectors:
    """N vectors concatenated from the rows of one or more arrays, such as features and scores of the same frames.

    Attributes:
        stretches: Arrays (M, n), which may be memory-mapped, each with its selected rows (N,).
    """

    stretches: tuple[tuple[Floats, Indices], ...]

    def __post_init__(self) -> None:
        lengths = {len(rows) for _, rows in self.stretches}
        if len(lengths) != 1:
            raise ConfigError(f"all stretches of vectors need the same number of rows, got {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.stretches[0][1])

    @property
    def shape(self) -> tuple[int, int]:
        """Number of vectors N and their length D, the sum over all stretches."""
        return len(self), sum(values.shape[1] for values, _ in self.stretches)

    def __getitem__(self, rows: Indices) -> Floats:
        """Read (B, D) vectors of some rows, in the stored precision."""
        parts = [values[own[rows]] for values, own in self.stretches]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def take(self, rows: Indices) -> StoredVectors:
        """Select rows, in the given order, without reading them."""
        return StoredVectors(tuple((values, own[rows]) for values, own in self.stretches))


Vectors = Floats | StoredVectors
"""Feature vectors (N, D), which `is_vectors` distinguishes from images."""


def is_vectors(inputs: object) -> TypeIs[Vectors]:
    """Whether inputs are feature vectors and not images."""
    return isinstance(inputs, (np.ndarray, StoredVectors))


def join_vectors(parts: Sequence[Vectors]) -> Vectors:
    """Concatenate the rows of several sets; rows of the same stored array stay on disk.

    Raises:
        ConfigError: The vectors have different lengths.
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

# SPDX-License-Identifier: Apache-2.0
"""`LabelCounts`: what is enough to know of decisions for their F1 and accuracy; it can be merged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError
from mien.metrics.groups import Codes, Weights, checked_codes, count_groups

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelCounts:
    """Counts for C classes (or C yes-or-no labels), for one set of rows or for each of G groups of rows.

    All are whole numbers, so rows that arrive in any chunks give exactly the same measures.

    Attributes:
        hits: (C,) or (G, C) rows that have the label and were given it.
        targets: rows that have the label.
        predictions: rows that were given the label.
        right: () or (G,) decisions that were right; for yes-or-no labels over all of them, a right "no" included.
        decisions: () or (G,) decisions: rows for classes, rows times C for yes-or-no labels.
    """

    hits: Floats
    targets: Floats
    predictions: Floats
    right: Floats
    decisions: Floats

    @classmethod
    def of_classes(
        cls,
        targets: npt.ArrayLike,
        predictions: npt.ArrayLike,
        n_classes: int,
        *,
        groups: Codes | None = None,
        n_groups: int | None = None,
    ) -> LabelCounts:
        """Counts of N rows of which each has exactly one of the classes 0..n_classes-1.

        Args:
            targets: (N,) integers.
            predictions: (N,) integers.
            n_classes: C, fixed by the protocol and not by what happens to occur.
            groups: (N,) the group of each row as an integer from 0, for counts per group.
            n_groups: G; some groups may have no row.

        Raises:
            ConfigError: lengths differ, a label lies outside the classes, or a group number is out of range.
        """
        true, guess = _labels(targets, n_classes), _labels(predictions, n_classes)
        if true.shape != guess.shape:
            raise ConfigError(f"two label lists of one common length are needed, got {true.shape} and {guess.shape}")
        codes, size = _grouping(groups, n_groups, len(true))

        def table(labels: npt.NDArray[np.integer], rows: Codes) -> Floats:
            counts = np.bincount(rows * n_classes + labels, minlength=size * n_classes)
            return counts.reshape(size, n_classes).astype(np.float64)

        hit = true == guess
        hits, all_targets = table(true[hit], codes[hit]), table(true, codes)
        per_group = cls(
            hits=hits,
            targets=all_targets,
            predictions=table(guess, codes),
            right=hits.sum(axis=1),
            decisions=all_targets.sum(axis=1),
        )
        return per_group if groups is not None else per_group._only()

    @classmethod
    def of_flags(
        cls,
        targets: npt.ArrayLike,
        predictions: npt.ArrayLike,
        *,
        groups: Codes | None = None,
        n_groups: int | None = None,
    ) -> LabelCounts:
        """Counts of N rows of C independent yes-or-no labels, such as action units.

        Args:
            targets: (N, C) booleans or zeros and ones.
            predictions: (N, C) decisions, likewise; probabilities are refused, compare them with a threshold first.
            groups: (N,) the group of each row as an integer from 0, for counts per group.
            n_groups: G; some groups may have no row.

        Raises:
            ConfigError: shapes differ, a value is neither 0 nor 1, or a group number is out of range.
        """
        true, guess = flags(targets), flags(predictions)
        if true.ndim != 2 or true.shape != guess.shape:
            raise ConfigError(f"two (N, C) arrays of one common shape are needed, got {true.shape} and {guess.shape}")
        codes, size = _grouping(groups, n_groups, len(true))

        def table(chosen: Bools) -> Floats:
            counts = [np.bincount(codes[column], minlength=size) for column in chosen.T]
            return np.stack(counts, axis=1).astype(np.float64)

        rows = np.bincount(codes, minlength=size).astype(np.float64)
        per_group = cls(
            hits=table(true & guess),
            targets=table(true),
            predictions=table(guess),
            right=table(true == guess).sum(axis=1),
            decisions=rows * true.shape[1],
        )
        return per_group if groups is not None else per_group._only()

    def __add__(self, other: LabelCounts) -> LabelCounts:
        """Counts of the rows of both."""
        return LabelCounts(
            hits=self.hits + other.hits,
            targets=self.targets + other.targets,
            predictions=self.predictions + other.predictions,
            right=self.right + other.right,
            decisions=self.decisions + other.decisions,
        )

    def pooled(self, weights: Weights) -> LabelCounts:
        """Counts of all rows together, each group counted as often as its weight says.

        Args:
            weights: (R, G) whole numbers >= 0; ones are everything once, counts of drawn groups a bootstrap sample.

        Returns:
            Counts of R sets of rows.
        """
        return LabelCounts(
            hits=weights @ self.hits,
            targets=weights @ self.targets,
            predictions=weights @ self.predictions,
            right=weights @ self.right,
            decisions=weights @ self.decisions,
        )

    @property
    def f1(self) -> Floats:
        """F1 of each label, in [0, 1]; 0 for a label that is neither present nor predicted."""
        result: Floats = 2 * self.hits / np.maximum(self.targets + self.predictions, 1)
        return result

    @property
    def macro_f1(self) -> Floats:
        """Mean of `f1` over all C labels, those that do not occur included."""
        return np.asarray(self.f1.mean(axis=-1))

    @property
    def accuracy(self) -> Floats:
        """Right decisions by decisions, in [0, 1]; NaN where there is none."""
        result = np.full(self.decisions.shape, np.nan)
        np.divide(self.right, self.decisions, out=result, where=self.decisions > 0)
        return result

    def _only(self) -> LabelCounts:
        return LabelCounts(
            hits=self.hits[0],
            targets=self.targets[0],
            predictions=self.predictions[0],
            right=self.right[0],
            decisions=self.decisions[0],
        )


def flags(values: npt.ArrayLike) -> Bools:
    """Zeros and ones as booleans.

    Raises:
        ConfigError: a value is neither, such as a probability or a mark for "not annotated".
    """
    array = np.asarray(values)
    if array.dtype != np.bool_ and not np.isin(array, (0, 1)).all():
        raise ConfigError("yes-or-no labels must be 0 or 1; compare probabilities with a threshold first")
    return array.astype(bool)


def _labels(values: npt.ArrayLike, n_classes: int) -> npt.NDArray[np.integer]:
    array = np.asarray(values)
    if not array.size:
        array = array.astype(np.intp)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise ConfigError(f"labels must be a list of integers, got {array.dtype} of shape {array.shape}")
    if len(array) and (array.min() < 0 or array.max() >= n_classes):
        raise ConfigError(f"labels must lie in 0..{n_classes - 1}, got {array.min()}..{array.max()}")
    return array


def _grouping(groups: Codes | None, n_groups: int | None, n_rows: int) -> tuple[Codes, int]:
    if groups is None:
        return np.zeros(n_rows, dtype=np.intp), 1
    codes = checked_codes(groups, n_rows, n_groups).astype(np.intp, copy=False)
    return codes, count_groups(codes, n_groups)

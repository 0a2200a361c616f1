# SPDX-License-Identifier: Apache-2.0
"""`LabelCounts`, the mergeable counts behind F1 and accuracy; sums and bootstrap samples of groups of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.core import Bools, ConfigError, Float64, Integers

_NUMBERS_A_BLOCK = 2_000_000


def group_sums(values: Float64, groups: Integers, n_groups: int | None = None) -> Float64:
    """Sum of the rows of each group.

    Args:
        values: (N, K) numbers.
        groups: (N,) group of each row, an integer from 0.
        n_groups: Number of groups G; None for one more than the highest group.

    Returns:
        (G, K) sums, 0 for groups without a row.

    Raises:
        ConfigError: The group numbers do not fit.

    Examples:
        >>> group_sums(np.array([[1.0], [2.0], [4.0]]), np.array([0, 2, 0])).tolist()
        [[5.0], [0.0], [2.0]]
    """
    codes = checked_codes(groups, len(values), n_groups)
    n = count_groups(codes, n_groups)
    return np.stack([np.bincount(codes, column, n) for column in values.T], axis=1)


def checked_codes(groups: Integers, n_rows: int, n_groups: int | None) -> Integers:
    """The group numbers, checked: one in range for each row.

    Raises:
        ConfigError: The shape, the type or the range does not fit.
    """
    codes = np.asarray(groups)
    if codes.shape != (n_rows,) or not np.issubdtype(codes.dtype, np.integer):
        raise ConfigError(f"groups must be {n_rows} integers, got {codes.dtype} of shape {codes.shape}")
    if n_rows and (codes.min() < 0 or (n_groups is not None and codes.max() >= n_groups)):
        raise ConfigError(f"group numbers must lie in 0..{n_groups or 'G'} - 1, got {codes.min()}..{codes.max()}")
    return codes


def count_groups(codes: Integers, n_groups: int | None) -> int:
    """Number of groups: as given, or one more than the highest group number."""
    if n_groups is not None:
        return n_groups
    return int(codes.max()) + 1 if len(codes) else 0


def bootstrap_weights(n_groups: int, n_resamples: int, *, seed: int = 0) -> Iterator[Float64]:
    """Number of times that each group is drawn in each bootstrap sample, in blocks that need little memory.

    Args:
        n_groups: Number of groups G >= 1; each sample draws G groups with replacement.
        n_resamples: Number of samples over all blocks.
        seed: Seed of the draws; the same seed gives the same samples.

    Yields:
        (R, G) counts that sum to G in each row.

    Raises:
        ConfigError: There is no group or no sample.

    Examples:
        >>> [block.shape for block in bootstrap_weights(3, 1000)]
        [(1000, 3)]
        >>> next(bootstrap_weights(3, 2)).sum(axis=1).tolist()
        [3.0, 3.0]
    """
    if n_groups < 1 or n_resamples < 1:
        raise ConfigError(f"a bootstrap needs a group of rows and a sample, got {n_groups} and {n_resamples}")
    rng = np.random.default_rng(seed)
    size = max(1, _NUMBERS_A_BLOCK // n_groups)
    for start in range(0, n_resamples, size):
        n = min(size, n_resamples - start)
        drawn = rng.integers(0, n_groups, (n, n_groups)) + n_groups * np.arange(n)[:, None]
        yield np.bincount(drawn.ravel(), minlength=n * n_groups).reshape(n, n_groups).astype(np.float64)


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelCounts:
    """Counts for C classes (or C binary labels), for one set of rows or for each of G groups of rows.

    All are whole numbers, so counts of chunks of rows add up to exactly the same metrics.

    Attributes:
        hits: (C,) or (G, C) number of rows with the label that are predicted to have it.
        targets: Number of rows with the label, like ``hits``.
        predictions: Number of rows that are predicted to have the label, like ``hits``.
        right: () or (G,) number of right decisions; for binary labels over all labels, true negatives included.
        decisions: () or (G,) number of decisions: rows for classes, rows times C for binary labels.

    Examples:
        >>> first, second = LabelCounts.of_classes([0, 1], [0, 0], 2), LabelCounts.of_classes([1], [1], 2)
        >>> (first + second).f1.round(3).tolist(), round(float((first + second).accuracy), 3)
        ([0.667, 0.667], 0.667)
    """

    hits: Float64
    targets: Float64
    predictions: Float64
    right: Float64
    decisions: Float64

    @classmethod
    def of_classes(
        cls,
        targets: npt.ArrayLike,
        predictions: npt.ArrayLike,
        n_classes: int,
        *,
        groups: Integers | None = None,
        n_groups: int | None = None,
    ) -> LabelCounts:
        """Counts of N rows of which each has exactly one of the classes 0..n_classes-1.

        Args:
            targets: (N,) integers.
            predictions: (N,) integers.
            n_classes: Number of classes C, fixed by the protocol and not by the classes that occur.
            groups: (N,) group of each row, an integer from 0, for counts per group; None for one set of rows.
            n_groups: Number of groups G; some may have no row. None for one more than the highest group.

        Raises:
            ConfigError: The lengths differ, a label lies outside the classes, or a group number is out of range.

        Examples:
            >>> LabelCounts.of_classes([0, 1, 1], [0, 1, 0], 3).hits.tolist()
            [1.0, 1.0, 0.0]
        """
        true, predicted = _labels(targets, n_classes), _labels(predictions, n_classes)
        if true.shape != predicted.shape:
            raise ConfigError(f"two label lists of one length are needed, got {true.shape} and {predicted.shape}")
        codes, size = _grouping(groups, n_groups, len(true))

        def table(labels: Integers, rows: Integers) -> Float64:
            counts = np.bincount(rows * n_classes + labels, minlength=size * n_classes)
            return counts.reshape(size, n_classes).astype(np.float64)

        hit = true == predicted
        hits, all_targets = table(true[hit], codes[hit]), table(true, codes)
        per_group = cls(
            hits=hits,
            targets=all_targets,
            predictions=table(predicted, codes),
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
        groups: Integers | None = None,
        n_groups: int | None = None,
    ) -> LabelCounts:
        """Counts of N rows of C independent binary labels, such as action units.

        Args:
            targets: (N, C) booleans, or zeros and ones.
            predictions: (N, C) booleans, or zeros and ones; compare probabilities with a threshold first.
            groups: (N,) group of each row, an integer from 0, for counts per group; None for one set of rows.
            n_groups: Number of groups G; some may have no row. None for one more than the highest group.

        Raises:
            ConfigError: The shapes differ, a value is neither 0 nor 1, or a group number is out of range.

        Examples:
            >>> counts = LabelCounts.of_flags([[1, 0], [1, 1]], [[1, 0], [0, 1]])
            >>> counts.f1.round(3).tolist(), float(counts.accuracy)
            ([0.667, 1.0], 0.75)
        """
        true, predicted = flags(targets), flags(predictions)
        if true.ndim != 2 or true.shape != predicted.shape:
            raise ConfigError(f"two (N, C) arrays of one shape are needed, got {true.shape} and {predicted.shape}")
        codes, size = _grouping(groups, n_groups, len(true))

        def table(chosen: Bools) -> Float64:
            counts = [np.bincount(codes[column], minlength=size) for column in chosen.T]
            return np.stack(counts, axis=1).astype(np.float64)

        rows = np.bincount(codes, minlength=size).astype(np.float64)
        per_group = cls(
            hits=table(true & predicted),
            targets=table(true),
            predictions=table(predicted),
            right=table(true == predicted).sum(axis=1),
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

    def pooled(self, weights: Float64) -> LabelCounts:
        """Counts of all rows together, each group counted as often as its weight says.

        Args:
            weights: (R, G) whole numbers >= 0: ones to count every group once, or the draws of bootstrap samples.

        Returns:
            Counts of R sets of rows.

        Examples:
            >>> per_video = LabelCounts.of_classes([0, 1, 1], [0, 1, 0], 2, groups=np.array([0, 0, 1]))
            >>> per_video.pooled(np.ones((1, 2))).accuracy.round(3).tolist()
            [0.667]
        """
        return LabelCounts(
            hits=weights @ self.hits,
            targets=weights @ self.targets,
            predictions=weights @ self.predictions,
            right=weights @ self.right,
            decisions=weights @ self.decisions,
        )

    @property
    def f1(self) -> Float64:
        """F1 of each label, in [0, 1]; 0 for a label that is neither present nor predicted, NaN without a decision."""
        result: Float64 = 2 * self.hits / np.maximum(self.targets + self.predictions, 1)
        return np.where(self.decisions[..., None] > 0, result, np.nan)

    @property
    def macro_f1(self) -> Float64:
        """Mean of `f1` over all C labels, including those that do not occur."""
        return np.asarray(self.f1.mean(axis=-1))

    @property
    def accuracy(self) -> Float64:
        """Fraction of right decisions, in [0, 1]; NaN without a decision."""
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
        ConfigError: A value is neither, such as a probability or a code for "not annotated".

    Examples:
        >>> flags([1, 0, 1]).tolist()
        [True, False, True]
    """
    array = np.asarray(values)
    if array.dtype != np.bool_ and not np.isin(array, (0, 1)).all():
        raise ConfigError("binary labels must be 0 or 1; compare probabilities with a threshold first")
    return array.astype(bool)


def _labels(values: npt.ArrayLike, n_classes: int) -> Integers:
    array = np.asarray(values)
    if not array.size:
        array = array.astype(np.intp)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise ConfigError(f"labels must be a list of integers, got {array.dtype} of shape {array.shape}")
    if len(array) and (array.min() < 0 or array.max() >= n_classes):
        raise ConfigError(f"labels must lie in 0..{n_classes - 1}, got {array.min()}..{array.max()}")
    return array


def _grouping(groups: Integers | None, n_groups: int | None, n_rows: int) -> tuple[Integers, int]:
    if groups is None:
        return np.zeros(n_rows, dtype=np.intp), 1
    codes = checked_codes(groups, n_rows, n_groups).astype(np.intp, copy=False)
    return codes, count_groups(codes, n_groups)

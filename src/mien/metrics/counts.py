# SPDX-License-Identifier: Apache-2.0
"""`LabelCounts`, mergeable counts behind F1 and accuracy; sums and bootstrap samples of groups of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError

Codes = npt.NDArray[np.integer]
Weights = npt.NDArray[np.float64]

_NUMBERS_A_BLOCK = 2_000_000


def group_sums(values: npt.NDArray[np.float64], groups: Codes, n_groups: int | None = None) -> npt.NDArray[np.float64]:
    """Sum of the rows of each group.

    Args:
        values: (N, K).
        groups: (N,) the group of each row as an integer from 0.
        n_groups: G; by default one more than the highest number.

    Returns:
        (G, K), 0 for groups without a row.

    Raises:
        ConfigError: the numbers do not fit.
    """
    codes = checked_codes(groups, len(values), n_groups)
    n = count_groups(codes, n_groups)
    return np.stack([np.bincount(codes, column, n) for column in values.T], axis=1)


def checked_codes(groups: Codes, n_rows: int, n_groups: int | None) -> Codes:
    """The group numbers, if there is one in range for each row.

    Raises:
        ConfigError: there is not.
    """
    codes = np.asarray(groups)
    if codes.shape != (n_rows,) or not np.issubdtype(codes.dtype, np.integer):
        raise ConfigError(f"groups must be {n_rows} integers, got {codes.dtype} of shape {codes.shape}")
    if n_rows and (codes.min() < 0 or (n_groups is not None and codes.max() >= n_groups)):
        raise ConfigError(f"group numbers must lie in 0..{n_groups or 'G'} - 1, got {codes.min()}..{codes.max()}")
    return codes


def count_groups(codes: Codes, n_groups: int | None) -> int:
    """G as given, or one more than the highest number."""
    if n_groups is not None:
        return n_groups
    return int(codes.max()) + 1 if len(codes) else 0


def bootstrap_weights(n_groups: int, n_resamples: int, *, seed: int = 0) -> Iterator[Weights]:
    """How often each group is drawn in each bootstrap sample, in blocks of samples that need little memory.

    Args:
        n_groups: G >= 1; each sample draws G groups with replacement.
        n_resamples: samples over all blocks.
        seed: of the draws; the same seed gives the same samples.

    Yields:
        (R, G) counts that sum to G in each row.

    Raises:
        ConfigError: there is no group.
    """
    if n_groups < 1:
        raise ConfigError("a bootstrap needs at least one group of rows")
    rng = np.random.default_rng(seed)
    size = max(1, _NUMBERS_A_BLOCK // n_groups)
    for start in range(0, n_resamples, size):
        n = min(size, n_resamples - start)
        drawn = rng.integers(0, n_groups, (n, n_groups)) + n_groups * np.arange(n)[:, None]
        yield np.bincount(drawn.ravel(), minlength=n * n_groups).reshape(n, n_groups).astype(np.float64)


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

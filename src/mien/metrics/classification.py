# SPDX-License-Identifier: Apache-2.0
"""F1 scores with fixed label sets, and calibration error."""

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError


def f1_per_class(targets: npt.ArrayLike, predictions: npt.ArrayLike, n_classes: int) -> npt.NDArray[np.float64]:
    """F1 of each class 0..n_classes-1; 0 for a class that occurs in neither targets nor predictions.

    Raises:
        ConfigError: lengths differ, there is no row, or a label lies outside 0..n_classes-1.
    """
    true, guess = np.asarray(targets), np.asarray(predictions)
    if true.ndim != 1 or true.shape != guess.shape or not len(true):
        raise ConfigError(f"two label lists of one common length >= 1 are needed, got {true.shape} and {guess.shape}")
    for labels in (true, guess):
        if labels.min() < 0 or labels.max() >= n_classes:
            raise ConfigError(f"labels must lie in 0..{n_classes - 1}, got {labels.min()}..{labels.max()}")
    hits = np.bincount(true[true == guess], minlength=n_classes)
    occurrences = np.bincount(true, minlength=n_classes) + np.bincount(guess, minlength=n_classes)
    return np.asarray(2 * hits / np.maximum(occurrences, 1), dtype=np.float64)


def macro_f1(targets: npt.ArrayLike, predictions: npt.ArrayLike, n_classes: int) -> float:
    """Mean F1 over a fixed number of classes, in [0, 1].

    Absent classes count as 0: the competitions fix the label set, whereas scikit-learn's default drops them.

    Args:
        targets: N labels in 0..n_classes-1.
        predictions: N labels in 0..n_classes-1.
        n_classes: 8 for ABAW expressions, 6 for LSD, 7 for compound expressions.
    """
    return float(f1_per_class(targets, predictions, n_classes).mean())


def binary_f1(targets: npt.ArrayLike, predictions: npt.ArrayLike) -> float:
    """F1 of the positive class, in [0, 1]; 0 where it is neither present nor predicted."""
    true, guess = np.asarray(targets).astype(bool), np.asarray(predictions).astype(bool)
    if true.shape != guess.shape or not true.size:
        raise ConfigError(f"two label arrays of one common size >= 1 are needed, got {true.shape} and {guess.shape}")
    n_positive = int(true.sum()) + int(guess.sum())
    return 2 * int((true & guess).sum()) / n_positive if n_positive else 0.0


def expected_calibration_error(targets: npt.ArrayLike, probabilities: npt.ArrayLike, n_bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equal-width confidence bins, weighted by their size.

    Source: Guo et al., ICML 2017.

    Args:
        targets: N labels.
        probabilities: (N, C), rows sum to 1.
        n_bins: number of bins over [0, 1].
    """
    true, chances = np.asarray(targets), np.asarray(probabilities, dtype=np.float64)
    if chances.ndim != 2 or len(true) != len(chances) or not len(true):
        raise ConfigError(f"N labels and (N, C) probabilities are needed, got {true.shape} and {chances.shape}")
    confidence = chances.max(axis=1)
    correct = chances.argmax(axis=1) == true
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    gap = np.bincount(bins, weights=correct - confidence, minlength=n_bins)
    return float(np.abs(gap).sum() / len(true))

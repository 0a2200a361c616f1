# SPDX-License-Identifier: Apache-2.0
"""F1 and accuracy with fixed label sets, and calibration error."""

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError, Float64
from mien.metrics.counts import LabelCounts, flags

_TOLERANCE = 1e-3  # of a sum of probabilities in half precision


def f1_per_class(targets: npt.ArrayLike, predictions: npt.ArrayLike, n_classes: int) -> Float64:
    """F1 of each class 0..n_classes-1; 0 for a class that occurs in neither targets nor predictions.

    Raises:
        ConfigError: The lengths differ, there is no row, or a label lies outside 0..n_classes-1.

    Examples:
        >>> f1_per_class([0, 0, 1], [0, 1, 1], n_classes=3).round(3).tolist()
        [0.667, 0.667, 0.0]
    """
    if not np.size(targets):
        raise ConfigError("at least one row is needed")
    return LabelCounts.of_classes(targets, predictions, n_classes).f1


def macro_f1(targets: npt.ArrayLike, predictions: npt.ArrayLike, n_classes: int) -> float:
    """Mean F1 over a fixed number of classes, in [0, 1].

    Absent classes count as 0, because the challenges fix the label set; scikit-learn's default drops them.

    Args:
        targets: (N,) labels in 0..n_classes-1.
        predictions: (N,) labels in 0..n_classes-1.
        n_classes: Number of classes: 8 for ABAW expressions, 6 for LSD, 7 for compound expressions.

    Examples:
        >>> round(macro_f1([0, 0, 1], [0, 1, 1], n_classes=3), 3)
        0.444
    """
    return float(f1_per_class(targets, predictions, n_classes).mean())


def binary_f1(targets: npt.ArrayLike, predictions: npt.ArrayLike) -> float:
    """F1 of the positive class, in [0, 1]; 0 where it is neither present nor predicted.

    Args:
        targets: Booleans, or zeros and ones.
        predictions: Booleans, or zeros and ones; probabilities are not allowed.

    Raises:
        ConfigError: The sizes differ, there is no row, or a value is neither 0 nor 1.

    Examples:
        >>> binary_f1([1, 1, 0], [1, 0, 0])
        0.6666666666666666
    """
    true, predicted = flags(targets), flags(predictions)
    if true.shape != predicted.shape or not true.size:
        raise ConfigError(f"two label arrays of one size >= 1 are needed, got {true.shape} and {predicted.shape}")
    return float(LabelCounts.of_flags(true.reshape(-1, 1), predicted.reshape(-1, 1)).f1[0])


def accuracy(targets: npt.ArrayLike, predictions: npt.ArrayLike, n_classes: int) -> float:
    """Fraction of rows whose predicted class is the true one, in [0, 1].

    Raises:
        ConfigError: The lengths differ, there is no row, or a label lies outside 0..n_classes-1.

    Examples:
        >>> accuracy([0, 2, 1, 1], [0, 2, 1, 0], n_classes=3)
        0.75
    """
    if not np.size(targets):
        raise ConfigError("at least one row is needed")
    return float(LabelCounts.of_classes(targets, predictions, n_classes).accuracy)


def accuracy_excluding(targets: npt.ArrayLike, scores: npt.ArrayLike, dropped: int) -> float:
    """Accuracy of a C-class model on the rows and among the columns of the other C - 1 classes.

    AffectNet's 7-class accuracy of an 8-class model is this with contempt dropped: images of contempt are left out, and
    contempt cannot be predicted.

    Args:
        targets: (N,) labels in 0..C-1.
        scores: (N, C) probabilities or logits; the class with the highest one is predicted.
        dropped: Class to leave out.

    Raises:
        ConfigError: The shapes do not fit, no row is left, a label lies outside 0..C-1, or a row has a score that is
            NaN or infinite, or -inf for all other classes.

    Examples:
        >>> scores = [[0.2, 0.1, 0.7], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]
        >>> accuracy_excluding([0, 1, 2], scores, dropped=2)
        1.0
    """
    true, values = np.asarray(targets), np.array(scores, dtype=np.float64)
    if values.ndim != 2 or true.shape != values.shape[:1] or not 0 <= dropped < values.shape[1]:
        raise ConfigError(
            f"N labels, (N, C) scores and a class are needed, got {true.shape}, {values.shape}, {dropped}"
        )
    if (np.isnan(values) | np.isposinf(values)).any():
        raise ConfigError("a score is NaN or infinite, so that no class is the highest; leave such rows out")
    values[:, dropped] = -np.inf
    kept = true != dropped
    if np.isneginf(values[kept]).all(axis=1).any():
        raise ConfigError("a row has no score above -inf; leave such rows out")
    return accuracy(true[kept], values[kept].argmax(axis=1), values.shape[1])


def expected_calibration_error(targets: npt.ArrayLike, probabilities: npt.ArrayLike, n_bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equal-width confidence bins, weighted by their size.

    Source: Guo et al., ICML 2017.

    Args:
        targets: (N,) labels in 0..C-1.
        probabilities: (N, C) probabilities; rows sum to 1.
        n_bins: Number of bins over [0, 1].

    Raises:
        ConfigError: The shapes do not fit, there is no row or no bin, a label lies outside 0..C-1 (such as -1, the code
            for "not annotated"), or a row is no distribution: not finite, negative, or of another sum than 1.

    Examples:
        >>> probabilities = [[0.8, 0.2]] * 10
        >>> round(expected_calibration_error([0] * 8 + [1] * 2, probabilities), 6)
        0.0
        >>> round(expected_calibration_error([0] * 10, probabilities), 6)
        0.2
    """
    true, probabilities = np.asarray(targets), np.asarray(probabilities, dtype=np.float64)
    if probabilities.ndim != 2 or len(true) != len(probabilities) or not len(true):
        raise ConfigError(f"N labels and (N, C) probabilities are needed, got {true.shape} and {probabilities.shape}")
    if n_bins < 1:
        raise ConfigError(f"at least one bin is needed, got {n_bins}")
    LabelCounts.of_classes(true, true, probabilities.shape[1])  # refuses labels that are no class
    distributions = np.isfinite(probabilities).all(axis=1) & (probabilities >= -_TOLERANCE).all(axis=1)
    distributions &= np.abs(probabilities.sum(axis=1) - 1) <= _TOLERANCE
    if not distributions.all():
        row = int((~distributions).argmax())
        raise ConfigError(f"row {row} is no distribution ({probabilities[row].tolist()}); probabilities sum to 1")
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == true
    bins = np.minimum((np.minimum(confidence, 1) * n_bins).astype(int), n_bins - 1)
    gap = np.bincount(bins, weights=correct - confidence, minlength=n_bins)
    return float(np.abs(gap).sum() / len(true))

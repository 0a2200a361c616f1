# SPDX-License-Identifier: Apache-2.0
"""Agreement of real-valued series: concordance and Pearson correlation."""

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError
from mien.metrics.moments import Moments


def ccc(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Concordance correlation coefficient of two series, in [-1, 1].

    ``2 cov(x, y) / (var x + var y + (mean x - mean y)^2)`` with population moments (divisor N), as every ABAW
    edition scores it. A constant series has covariance 0 and therefore CCC 0; two equal constants give NaN.

    Source: Lin, Biometrics 45(1), 1989.

    Raises:
        ConfigError: the series differ in length, are empty, not one-dimensional or not finite.
    """
    return float(_pair(x, y).ccc[0])


def pearson(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Pearson correlation of two series, in [-1, 1]; NaN if one of them is constant.

    Raises:
        ConfigError: the series differ in length, are empty, not one-dimensional or not finite.
    """
    return float(_pair(x, y).pearson[0])


def mean_pearson(targets: npt.ArrayLike, predictions: npt.ArrayLike) -> float:
    """Mean over columns of the Pearson correlation over rows: the measure of the EMI and ERI challenges.

    Args:
        targets: (N, K), one row per video.
        predictions: (N, K).

    Returns:
        A number in [-1, 1]; NaN if a column is constant, because no correlation is defined for it.

    Raises:
        ConfigError: the shapes differ, there is no row, or a value is not finite.
    """
    if np.ndim(targets) != 2 or not len(np.asarray(targets)):
        raise ConfigError(f"targets must be (N, K) with N >= 1, got {np.shape(targets)}")
    return float(Moments.of(targets, predictions).pearson.mean())


def _pair(x: npt.ArrayLike, y: npt.ArrayLike) -> Moments:
    if np.ndim(x) != 1 or np.shape(x) != np.shape(y) or not np.size(x):
        raise ConfigError(f"two series of one common length >= 1 are needed, got {np.shape(x)} and {np.shape(y)}")
    return Moments.of(x, y)

# SPDX-License-Identifier: Apache-2.0
"""Agreement of real-valued series: concordance and Pearson correlation."""

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError


def ccc(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Concordance correlation coefficient of two series, in [-1, 1].

    ``2 cov(x, y) / (var x + var y + (mean x - mean y)^2)`` with population moments (divisor N), as every ABAW
    edition scores it. A constant series has covariance 0 and therefore CCC 0; two equal constants give NaN.

    Source: Lin, Biometrics 45(1), 1989.

    Raises:
        ConfigError: the series differ in length, are empty or are not one-dimensional.
    """
    a, b = _pair(x, y)
    a_centred, b_centred = a - a.mean(), b - b.mean()
    spread = (a_centred**2).mean() + (b_centred**2).mean() + (a.mean() - b.mean()) ** 2
    return float(2 * (a_centred * b_centred).mean() / spread) if spread else float("nan")


def pearson(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Pearson correlation of two series, in [-1, 1]; NaN if one of them is constant.

    Raises:
        ConfigError: the series differ in length, are empty or are not one-dimensional.
    """
    a, b = _pair(x, y)
    a_centred, b_centred = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a_centred**2).sum() * (b_centred**2).sum()))
    return float((a_centred * b_centred).sum() / spread) if spread else float("nan")


def _pair(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape or not len(a):
        raise ConfigError(f"two series of one common length >= 1 are needed, got shapes {a.shape} and {b.shape}")
    return a, b

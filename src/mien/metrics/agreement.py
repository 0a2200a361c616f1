# SPDX-License-Identifier: Apache-2.0
"""CCC and Pearson correlation of real-valued series, and the mergeable `Moments` behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError, Float64, Integers
from mien.metrics.counts import checked_codes, count_groups, group_sums

# Relative error of weighted sums of squares by cancellation; a smaller rest is the variance of a constant series.
_ROUNDING = 1e-13


@dataclass(frozen=True, eq=False, kw_only=True)
class Moments:
    """Population moments of K pairs of series, for one set of rows or for each of G groups of rows.

    Moments of chunks of rows can be added: ``Moments.of(a, b) + Moments.of(c, d)`` equals ``Moments.of`` of all rows,
    up to rounding. They are merged with the method of Chan, Golub and LeVeque (1979), so that neither long series nor
    means far from 0 cost digits, and a constant series keeps a variance of exactly 0.

    Attributes:
        n: () or (G,) number of rows.
        mean_x: (K,) or (G, K) mean of x; 0 where there is no row.
        mean_y: Mean of y, like ``mean_x``.
        ss_x: Sum of squared deviations from ``mean_x``, like ``mean_x``.
        ss_y: Sum of squared deviations from ``mean_y``, like ``mean_x``.
        ss_xy: Sum of products of the deviations, like ``mean_x``.

    Examples:
        >>> first, second = Moments.of([0.1, 0.2], [0.1, 0.3]), Moments.of([0.6], [0.4])
        >>> float((first + second).ccc[0].round(4)) == round(ccc([0.1, 0.2, 0.6], [0.1, 0.3, 0.4]), 4)
        True
    """

    n: Float64
    mean_x: Float64
    mean_y: Float64
    ss_x: Float64
    ss_y: Float64
    ss_xy: Float64

    @classmethod
    def of(
        cls, x: npt.ArrayLike, y: npt.ArrayLike, *, groups: Integers | None = None, n_groups: int | None = None
    ) -> Moments:
        """Moments of N rows of K pairs.

        Args:
            x: (N, K) finite numbers, or (N,) for one pair.
            y: Values like ``x``.
            groups: (N,) group of each row, an integer from 0, for moments per group; None for one set of rows.
            n_groups: Number of groups G; some may have no row. None for one more than the highest group.

        Raises:
            ConfigError: The shapes do not fit, a value is not finite, or a group number is out of range.

        Examples:
            >>> Moments.of([1, 2, 3], [2, 4, 9]).mean_y.tolist()
            [5.0]
            >>> Moments.of([1, 2, 3], [2, 4, 9], groups=np.array([0, 0, 1])).n.tolist()
            [2.0, 1.0]
        """
        a, b = _columns(x, "x"), _columns(y, "y")
        if a.shape != b.shape:
            raise ConfigError(f"x and y must have one common shape, got {np.shape(x)} and {np.shape(y)}")
        if groups is None:
            whole = cls.of(a, b, groups=np.zeros(len(a), dtype=np.intp), n_groups=1)
            return cls(**{name: getattr(whole, name)[0] for name in _FIELDS})
        codes = checked_codes(groups, len(a), n_groups)
        n = np.bincount(codes, minlength=count_groups(codes, n_groups)).astype(np.float64)
        mean_x, dx = _centred(a, codes, n)
        mean_y, dy = _centred(b, codes, n)
        return cls(
            n=n,
            mean_x=mean_x,
            mean_y=mean_y,
            ss_x=group_sums(dx * dx, codes, len(n)),
            ss_y=group_sums(dy * dy, codes, len(n)),
            ss_xy=group_sums(dx * dy, codes, len(n)),
        )

    def __add__(self, other: Moments) -> Moments:
        """Moments of the rows of both."""
        n = self.n + other.n
        fraction = other.n / np.maximum(n, 1)
        gap_x, gap_y = other.mean_x - self.mean_x, other.mean_y - self.mean_y
        between = _as_column(self.n * fraction)
        fraction = _as_column(fraction)
        return Moments(
            n=n,
            mean_x=self.mean_x + fraction * gap_x,
            mean_y=self.mean_y + fraction * gap_y,
            ss_x=self.ss_x + other.ss_x + between * gap_x**2,
            ss_y=self.ss_y + other.ss_y + between * gap_y**2,
            ss_xy=self.ss_xy + other.ss_xy + between * gap_x * gap_y,
        )

    def pooled(self, weights: Float64) -> Moments:
        """Moments of all rows together, each group counted as often as its weight says.

        Args:
            weights: (R, G) whole numbers >= 0: ones to count every group once, or the draws of bootstrap samples.

        Returns:
            Moments of R sets of rows.

        Examples:
            >>> per_video = Moments.of([1, 2, 3], [2, 4, 9], groups=np.array([0, 0, 1]))
            >>> per_video.pooled(np.array([[1.0, 1.0], [2.0, 0.0]])).n.tolist()
            [3.0, 4.0]
        """
        n = weights @ self.n
        per_row = 1 / np.maximum(n, 1)[:, None]
        origin_x, origin_y = _origin(self.mean_x, self.n), _origin(self.mean_y, self.n)
        x, y = self.mean_x - origin_x, self.mean_y - origin_y
        rows = self.n[:, None]
        mean_x, mean_y = per_row * (weights @ (rows * x)), per_row * (weights @ (rows * y))
        size_x, size_y = weights @ (self.ss_x + rows * x * x), weights @ (self.ss_y + rows * y * y)
        ss_x, ss_y = size_x - n[:, None] * mean_x**2, size_y - n[:, None] * mean_y**2
        flat_x, flat_y = ss_x <= _ROUNDING * size_x, ss_y <= _ROUNDING * size_y
        ss_xy = weights @ (self.ss_xy + rows * x * y) - n[:, None] * mean_x * mean_y
        # Equal constants are equal to the last digit only in the group means, before the origins are subtracted.
        flat, drawn = flat_x & flat_y, ((weights > 0) & (self.n > 0)).argmax(axis=1)
        return Moments(
            n=n,
            mean_x=np.where(flat, self.mean_x[drawn], mean_x + origin_x),
            mean_y=np.where(flat, self.mean_y[drawn], mean_y + origin_y),
            ss_x=np.where(flat_x, 0.0, ss_x),
            ss_y=np.where(flat_y, 0.0, ss_y),
            ss_xy=np.where(flat_x | flat_y, 0.0, ss_xy),
        )

    @property
    def ccc(self) -> Float64:
        """CCC of each pair, in [-1, 1]; 0 if one series is constant, NaN if both are the same constant."""
        spread = self.ss_x + self.ss_y + _as_column(self.n) * (self.mean_x - self.mean_y) ** 2
        return _ratio(2 * self.ss_xy, spread)

    @property
    def pearson(self) -> Float64:
        """Pearson correlation of each pair, in [-1, 1]; NaN if one series is constant."""
        return np.clip(_ratio(self.ss_xy, np.sqrt(self.ss_x) * np.sqrt(self.ss_y)), -1.0, 1.0)


_FIELDS = ("n", "mean_x", "mean_y", "ss_x", "ss_y", "ss_xy")


def _columns(values: npt.ArrayLike, name: str) -> Float64:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise ConfigError(f"{name} must have shape (N,) or (N, K), got {array.shape}")
    unusable = ~np.isfinite(array).all(axis=1)
    if unusable.any():
        rows = np.flatnonzero(unusable)
        raise ConfigError(
            f"{name} has {len(rows)} rows that are not finite, the first is row {rows[0]}; leave them out"
        )
    return array


def _centred(values: Float64, codes: Integers, n: Float64) -> tuple[Float64, Float64]:
    """Mean of each group, and the deviation of each row from the mean of its group."""
    # Relative to its first value, a constant group has deviations of exactly 0; relative to a rounded mean it has not.
    first = np.zeros((len(n), values.shape[1]))
    first[codes[::-1]] = values[::-1]
    shifted = values - first[codes]
    means = group_sums(shifted, codes, len(n)) / np.maximum(n, 1)[:, None]
    return first + means, shifted - means[codes]


def _origin(means: Float64, n: Float64) -> Float64:
    """A value within the data, relative to which pooled sums of squares lose few digits."""
    filled = np.flatnonzero(n)
    return means[filled[0]] if len(filled) else np.zeros(means.shape[1:])


def _as_column(per_group: Float64) -> Float64:
    return per_group[..., None]


def _ratio(numerator: Float64, denominator: Float64) -> Float64:
    result = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result


def ccc(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Concordance correlation coefficient of two series, in [-1, 1].

    ``2 cov(x, y) / (var x + var y + (mean x - mean y)^2)`` with population moments (divisor N), as every ABAW
    edition scores it. A constant series has covariance 0 and therefore CCC 0; two equal constants give NaN.

    Source: Lin, Biometrics 45(1), 1989.

    Raises:
        ConfigError: The series differ in length, are empty, not one-dimensional or not finite.

    Examples:
        >>> ccc([0.1, 0.2, 0.3], [0.1, 0.2, 0.3])
        1.0
        >>> round(ccc([0.1, 0.2, 0.3], [0.2, 0.3, 0.4]), 4)  # correlated, but shifted
        0.5714
    """
    return float(_pair(x, y).ccc[0])


def pearson(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Pearson correlation of two series, in [-1, 1]; NaN if one of them is constant.

    Raises:
        ConfigError: The series differ in length, are empty, not one-dimensional or not finite.

    Examples:
        >>> round(pearson([0.1, 0.2, 0.3], [0.2, 0.3, 0.4]), 6)
        1.0
    """
    return float(_pair(x, y).pearson[0])


def mean_pearson(targets: npt.ArrayLike, predictions: npt.ArrayLike) -> float:
    """Mean over columns of the Pearson correlation over rows: the metric of the EMI and ERI challenges.

    Args:
        targets: (N, K) intensities, one row per video.
        predictions: (N, K) predicted intensities.

    Returns:
        A number in [-1, 1]; NaN if a column is constant, because no correlation is defined for it.

    Raises:
        ConfigError: The shapes differ, there is no row, a value is not finite, or a target is negative, which no
            intensity is (-1 and -5 are codes for "not annotated").

    Examples:
        >>> round(mean_pearson([[0.0, 0.9], [0.5, 0.1], [1.0, 0.4]], [[0.1, 0.8], [0.4, 0.2], [0.7, 0.5]]), 6)
        0.994872
    """
    if np.ndim(targets) != 2 or not len(np.asarray(targets)):
        raise ConfigError(f"targets must be (N, K) with N >= 1, got {np.shape(targets)}")
    if (np.asarray(targets) < 0).any():
        raise ConfigError("a target is negative, which no intensity is; leave out rows without an annotation")
    return float(Moments.of(targets, predictions).pearson.mean())


def _pair(x: npt.ArrayLike, y: npt.ArrayLike) -> Moments:
    if np.ndim(x) != 1 or np.shape(x) != np.shape(y) or not np.size(x):
        raise ConfigError(f"two series of one common length >= 1 are needed, got {np.shape(x)} and {np.shape(y)}")
    return Moments.of(x, y)

# SPDX-License-Identifier: Apache-2.0
"""Rows that belong together (the frames of a video): sums per group, and bootstrap samples of whole groups."""

from __future__ import annotations

from collections.abc import Iterator

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

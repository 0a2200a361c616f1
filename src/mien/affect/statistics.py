# SPDX-License-Identifier: Apache-2.0
"""Statistics over a clip: what intensity heads are fed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError

Floats = npt.NDArray[np.float64]

STATISTICS = ("mean", "std", "min", "max")
"""In the order in which `clip_statistics` lays them one after the other."""


def clip_statistics(
    clips: npt.ArrayLike, frames: npt.ArrayLike, values: npt.ArrayLike, *, n_clips: int, every: int = 1
) -> Floats:
    """Mean, standard deviation, minimum and maximum of each column over each clip.

    Ten scores become 40 numbers, 768 numbers of an audio model 3072. The standard deviation is that of the
    population. Recipe 2b of Savchenko's entry to the 6th ABAW takes every 5th frame of the pictures.

    Args:
        clips: (N,) number of each row's clip, from 0.
        frames: (N,) number of each row's frame.
        values: (N, D); half precision is widened first.
        n_clips: C.
        every: only rows whose frame is a multiple of this count.

    Returns:
        (C, 4 D): all means, then all standard deviations, minima, maxima. NaN where a clip has no row that counts.

    Raises:
        ConfigError: shapes do not fit, a clip is out of range, or ``every`` is below 1.
    """
    rows = np.asarray(values)
    result = np.full((n_clips, 4, rows.shape[-1]), np.nan)
    for clip, own in rows_of_clips(clips, frames, rows, n_clips=n_clips, every=every):
        part = np.asarray(rows[own], np.float64)
        result[clip] = part.mean(axis=0), part.std(axis=0), part.min(axis=0), part.max(axis=0)
    return result.reshape(n_clips, -1)


def rows_of_clips(
    clips: npt.ArrayLike, frames: npt.ArrayLike, values: npt.NDArray[np.floating], *, n_clips: int, every: int
) -> Iterator[tuple[int, npt.NDArray[np.intp]]]:
    """Each clip that has rows that count, and these rows in their order.

    Clip by clip, so that a memory-mapped array of millions of rows need never be in memory as a whole.

    Raises:
        ConfigError: as for `clip_statistics`.
    """
    number, frame = np.asarray(clips), np.asarray(frames)
    if values.ndim != 2 or number.shape != values.shape[:1] or frame.shape != number.shape:
        raise ConfigError(
            f"(N,) clips, (N,) frames, (N, D) values needed; got {number.shape, frame.shape, values.shape}"
        )
    if every < 1 or (number.size and not (number.min() >= 0 and number.max() < n_clips)):
        raise ConfigError(f"every must be at least 1 and clips in 0..{n_clips - 1}")
    chosen = np.flatnonzero(frame % every == 0)
    order = chosen[np.argsort(number[chosen], kind="stable")]
    present, starts = np.unique(number[order], return_index=True)
    for clip, own in zip(present, np.split(order, starts)[1:], strict=True):
        yield int(clip), own

# SPDX-License-Identifier: Apache-2.0
"""Sequences of fixed length out of clips: what recurrent heads are fed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mien.affect.statistics import rows_of_clips
from mien.core import ConfigError

Floats = npt.NDArray[np.float64]


def clip_sequences(
    clips: npt.ArrayLike, frames: npt.ArrayLike, values: npt.ArrayLike, *, n_clips: int, n_steps: int, every: int = 1
) -> Floats:
    """The middle rows of each clip, in the order of their frames, one after the other.

    A longer clip is trimmed by as much at both ends (the odd row at the end), a shorter one repeats its last row, as
    the entry of Oh et al. to the 5th ABAW does (arXiv 2303.09240). Choose ``every`` so that the rows span the clip.

    Args:
        clips: (N,) number of each row's clip, from 0.
        frames: (N,) number of each row's frame; of several rows of one frame the first counts.
        values: (N, D); half precision is widened first.
        n_clips: C.
        n_steps: T, rows of a sequence.
        every: only rows whose frame is a multiple of this count.

    Returns:
        (C, T D): step after step. NaN where a clip has no row that counts.

    Raises:
        ConfigError: shapes do not fit, a clip is out of range, or ``n_steps`` or ``every`` is below 1.
    """
    if n_steps < 1:
        raise ConfigError(f"n_steps must be at least 1, got {n_steps}")
    frame, rows = np.asarray(frames), np.asarray(values)
    result = np.full((n_clips, n_steps, rows.shape[-1]), np.nan)
    for clip, own in rows_of_clips(clips, frame, rows, n_clips=n_clips, every=every):
        _, first = np.unique(frame[own], return_index=True)
        start = max(0, (len(first) - n_steps) // 2)
        chosen = own[first[start : start + n_steps]]
        steps = np.minimum(np.arange(n_steps), len(chosen) - 1)
        result[clip] = np.asarray(rows[chosen], np.float64)[steps]
    return result.reshape(n_clips, -1)

# SPDX-License-Identifier: Apache-2.0
"""Time attribution: the stretches of a clip that moved a mean away from the clip's usual level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.core import ConfigError, Floats

_USUAL = 50.0  # percentile
_LEAST_SHARE = 0.01


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Consecutive frames that moved the mean of a clip.

    Attributes:
        first_s: Time of the first frame in seconds.
        last_s: Time of the last frame in seconds.
        share: Part of the mean's distance from the usual level that these frames make up, in [0, 1] of its direction.
        n_frames: Number of frames.
        peak_s: Time of the frame that moved it most.
    """

    first_s: float
    last_s: float
    share: float
    n_frames: int
    peak_s: float


def time_shares(times_s: Floats, values: Floats, *, n: int = 5) -> tuple[float, float, list[Stretch]]:
    """The stretches that drove the mean of a value over a clip.

    Each frame moves the mean by its distance from the median, divided by the number of frames. Consecutive frames on
    one side of the median are a stretch; its share is its sum over that of all stretches of the mean's own side.

    Args:
        times_s: (T,) times in seconds, ascending.
        values: (T,) values; frames of NaN are left out.
        n: Largest number of stretches.

    Returns:
        The mean, the median, and the stretches with the largest shares, from 1 % on, in order of share.

    Raises:
        ConfigError: No frame has a value, or the sizes differ.

    Examples:
        >>> mean, usual, stretches = time_shares(np.arange(6.0), np.array([0.1, 0.1, 0.9, 0.7, 0.1, 0.1]))
        >>> round(mean, 3), usual, [(one.first_s, one.last_s, one.share) for one in stretches]
        (0.333, 0.1, [(2.0, 3.0, 1.0)])
    """
    times, numbers = np.asarray(times_s, np.float64), np.asarray(values, np.float64)
    if times.shape != numbers.shape or times.ndim != 1:
        raise ConfigError(f"as many times as values are needed, got {times.shape} and {numbers.shape}")
    known = np.isfinite(numbers)
    times, numbers = times[known], numbers[known]
    if not len(numbers):
        raise ConfigError("no frame has a value that could be explained")
    mean, usual = float(numbers.mean()), float(np.percentile(numbers, _USUAL))
    moves = numbers - usual
    side = np.sign(moves if mean >= usual else -moves)
    total = float(np.abs(moves[side > 0]).sum())
    edges = np.flatnonzero(np.diff(side)) + 1
    stretches = []
    for rows in np.split(np.arange(len(moves)), edges):
        if side[rows[0]] > 0 and total > 0:
            own = np.abs(moves[rows])
            stretches.append(
                Stretch(
                    first_s=float(times[rows[0]]),
                    last_s=float(times[rows[-1]]),
                    share=float(own.sum() / total),
                    n_frames=len(rows),
                    peak_s=float(times[rows[own.argmax()]]),
                )
            )
    shown = [one for one in sorted(stretches, key=lambda one: -one.share) if one.share >= _LEAST_SHARE]
    return mean, usual, shown[:n]

# SPDX-License-Identifier: Apache-2.0
"""Thresholds of action units, searched on validation data; the figure at .5 always stays beside the tuned one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError
from mien.metrics import LabelCounts

# From .5 outwards, so that of equal scores the threshold nearest to .5 wins.
_GRID = tuple(sorted((step / 10 for step in range(1, 10)), key=lambda threshold: (abs(threshold - 0.5), threshold)))


@dataclass(frozen=True, kw_only=True)
class ThresholdSearch:
    """What a search found for A action units.

    The tuned figures were chosen on the data that they are measured on; the official ones are those at .5.

    Attributes:
        thresholds: A probabilities in .1, .2, .. .9, from which a unit counts as present.
        f1: A scores at these thresholds.
        f1_at_half: A scores at .5.
    """

    thresholds: tuple[float, ...]
    f1: tuple[float, ...]
    f1_at_half: tuple[float, ...]

    @property
    def mean_f1(self) -> float:
        """P_AU with the tuned thresholds."""
        return float(np.mean(self.f1))

    @property
    def mean_f1_at_half(self) -> float:
        """P_AU as the challenges score it."""
        return float(np.mean(self.f1_at_half))


def search_thresholds(targets: npt.ArrayLike, probabilities: npt.ArrayLike) -> ThresholdSearch:
    """For each action unit, the threshold in steps of .1 with the highest F1 of "present" (probability >= threshold).

    Args:
        targets: (N, A) zeros and ones, valid rows only.
        probabilities: (N, A) in [0, 1].

    Raises:
        ConfigError: shapes do not fit, there is no row, or a target is neither 0 nor 1.
    """
    chances = np.asarray(probabilities, dtype=np.float64)
    if chances.ndim != 2 or chances.shape != np.shape(targets) or not len(chances):
        raise ConfigError(f"(N, A) targets and probabilities are needed, got {np.shape(targets)} and {chances.shape}")
    scores = np.stack([LabelCounts.of_flags(targets, chances >= threshold).f1 for threshold in _GRID])
    best = scores.argmax(axis=0)
    return ThresholdSearch(
        thresholds=tuple(_GRID[index] for index in best),
        f1=tuple(scores.max(axis=0).tolist()),
        f1_at_half=tuple(scores[0].tolist()),
    )

# SPDX-License-Identifier: Apache-2.0
"""Copies of rows with rare labels: random oversampling for several labels a row (ML-ROS)."""

from __future__ import annotations

import numpy as np

from mien.core import Bools, ConfigError
from mien.training.data.training_set import Rows, TrainingSet
from mien.training.engine.targets import TargetProvider
from mien.training.recipes.target_settings import OversamplingSettings

_HALF = 0.5


class Oversampling(TargetProvider):
    """Draws copies of primary rows whose labels are rarer than the average label."""

    def __init__(self, settings: OversamplingSettings) -> None:
        self._settings = settings

    def rows(self, samples: TrainingSet, rng: np.random.Generator) -> Rows:
        """The rows of this epoch's copies.

        Raises:
            ConfigError: The data lack a task.
        """
        missing = sorted(set(self._settings.tasks) - set(samples.targets))
        if missing:
            raise ConfigError(f"oversampling counts labels of {missing}; the data have {sorted(samples.targets)}")
        primary = np.flatnonzero(samples.primary)
        flags = np.concatenate([_flags(samples, task)[primary] for task in self._settings.tasks], axis=1)
        return primary[rare_copies(flags, round(self._settings.share * len(primary)), rng)]


def rare_copies(flags: Bools, n: int, rng: np.random.Generator) -> Rows:
    """Rows to copy, in turn one of each rare label, until a label is no longer rare.

    A label is rare while its imbalance, the count of the commonest label divided by its own, is above the mean
    imbalance of all labels at the start. Labels without any row are left out.

    Args:
        flags: (N, L) labels that a row has.
        n: Largest number of copies.
        rng: Source of all randomness.

    Source: Charte et al., Addressing imbalance in multilabel classification, Neurocomputing 163, 2015.

    Examples:
        >>> flags = np.array([[True, False]] * 9 + [[False, True]])
        >>> rare_copies(flags, 5, np.random.default_rng(0)).tolist()
        [9]
    """
    counts = flags.sum(axis=0).astype(np.float64)
    used = np.flatnonzero(counts)
    if not len(used):
        return np.empty(0, dtype=np.intp)
    mean = float((counts.max() / counts[used]).mean())
    bags = {int(label): np.flatnonzero(flags[:, label]) for label in used if counts.max() / counts[label] > mean}
    drawn: list[int] = []
    while bags and len(drawn) < n:
        for label in list(bags):
            if len(drawn) == n:
                break
            row = int(rng.choice(bags[label]))
            drawn.append(row)
            counts += flags[row]
            if counts.max() / counts[label] <= mean:
                del bags[label]
    return np.array(drawn, dtype=np.intp)


def _flags(samples: TrainingSet, task: str) -> Bools:
    """(N, L) labels of a task that are known and present."""
    values = samples.targets[task]
    if task != "expression":
        return np.asarray(np.nan_to_num(values) >= _HALF)
    known = samples.known(task)
    top = np.nan_to_num(values).argmax(axis=1)[:, None] == np.arange(values.shape[1])
    return np.asarray(top & known[:, None])

# SPDX-License-Identifier: Apache-2.0
"""ML-ROS: which labels are rare, when they no longer are, and the rows that an epoch draws."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.core import ConfigError
from mien.training.engine.oversampling import Oversampling, rare_copies
from mien.training.recipes.target_settings import OversamplingSettings
from tests.helpers.synthetic_data import create_recipe, create_samples


def imbalances(
    flags: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    counts = flags.sum(axis=0)
    return np.asarray(counts.max() / counts)


def test_rare_labels_are_copied_until_they_are_as_common_as_the_mean() -> None:
    rng = np.random.default_rng(0)
    flags = np.zeros((200, 3), dtype=bool)
    flags[:150, 0], flags[150:190, 1], flags[190:, 2] = True, True, True
    mean = imbalances(flags).mean()  # (1 + 3.75 + 15) / 3: only the last label is rare
    copies = rare_copies(flags, 1000, rng)
    assert set(copies.tolist()) <= set(range(190, 200))
    after = imbalances(np.concatenate([flags, flags[copies]]))
    assert after[2] <= mean
    assert imbalances(np.concatenate([flags, flags[copies[:-1]]]))[2] > mean  # not one copy too many
    assert len(rare_copies(flags, 3, rng)) == 3


def test_a_row_counts_for_all_its_labels() -> None:
    flags = np.zeros((100, 3), dtype=bool)
    flags[:, 0] = True
    flags[:2, 1:] = True  # two labels that are rare together: a copy is one for both
    copies = rare_copies(flags, 1000, np.random.default_rng(1))
    after = np.concatenate([flags, flags[copies]])
    assert after[:, 1].sum() == after[:, 2].sum() == 2 + len(copies)


def test_balanced_or_absent_labels_are_not_copied() -> None:
    rng = np.random.default_rng(0)
    assert len(rare_copies(np.eye(4, dtype=bool), 10, rng)) == 0
    assert len(rare_copies(np.zeros((4, 2), dtype=bool), 10, rng)) == 0


def test_an_epoch_draws_copies_of_primary_rows() -> None:
    samples = create_samples(40, create_recipe())
    targets = {task: np.full_like(values, np.nan) for task, values in samples.targets.items()}
    targets["expression"][:] = np.eye(8)[np.where(np.arange(40) % 20 == 7, 3, 1)]
    targets["action_units"][0] = 0.0
    samples = dataclasses.replace(samples, targets=targets)
    provider = Oversampling(OversamplingSettings(share=0.5))
    rows = provider.rows(samples, np.random.default_rng(0))
    assert set(rows.tolist()) <= {7, 27}
    assert len(rows) <= 18
    with pytest.raises(ConfigError, match="sentiment"):
        Oversampling(OversamplingSettings(tasks=("sentiment",))).rows(samples, np.random.default_rng(0))
    with pytest.raises(ConfigError, match="share"):
        OversamplingSettings(share=0.0)

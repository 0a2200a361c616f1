# SPDX-License-Identifier: Apache-2.0
"""Label sets of MTANet are disjoint, and a leak is the difference of two accuracies."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

from benchmarks.systems.head_systems import TASKS
from benchmarks.systems.other_systems import (
    N_EACH,
    _fold_statistics,
    disjoint,
    first_fold,
    fold_recipe,
    mtanet_recipe,
    other_gains,
)
from benchmarks.systems.stand_in import Budget
from mien.training import load_recipe
from tests.helpers.synthetic_data import create_recipe, create_samples


def test_each_face_has_labels_of_one_task() -> None:
    samples = create_samples(3 * N_EACH, create_recipe())
    joint = disjoint(samples, np.arange(3 * N_EACH), TASKS)
    known = np.stack([joint.known(task) for task in TASKS])
    assert known.sum(axis=0).max() == 1
    assert len(joint) == 3 * N_EACH
    single = disjoint(samples, np.arange(3 * N_EACH), ("valence_arousal",))
    assert single.groups == joint.groups[N_EACH : 2 * N_EACH]
    assert not single.known("expression").any()


def test_recipes_are_those_of_the_papers() -> None:
    published = load_recipe("mtanet")
    joint, single = (mtanet_recipe(tasks, 1, Budget()) for tasks in (TASKS, ("action_units",)))
    assert (joint.heads, joint.losses, joint.optimizer) == (published.heads, published.losses, published.optimizer)
    assert single.losses == {"action_units": published.losses["action_units"]}
    cnn, published = fold_recipe(3, Budget()), load_recipe("expr-cnn-2020")
    assert (cnn.model, cnn.losses, cnn.optimizer, cnn.seed) == (
        published.model,
        published.losses,
        published.optimizer,
        3,
    )


def test_the_leak_is_measured_against_other_faces(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "folds").mkdir()
    for seed in (1, 2, 3):
        own = rng.random((10, 30)) < np.r_[0.5, np.full(9, 0.9)][:, None]
        np.savez(tmp_path / f"folds/{seed}.npz", own=own, other=rng.random((10, 200)) < 0.5)
    (gain,) = other_gains(tmp_path, (1, 2, 3))["fold-leak"]
    assert gain.value == pytest.approx(0.4, abs=0.06)
    assert gain.low > 0
    assert len(first_fold(tmp_path, (1, 2, 3))) == 3
    assert np.mean(first_fold(tmp_path, (1, 2, 3))) == pytest.approx(0, abs=0.12)
    folds, others = _fold_statistics(np.array([True, False]), np.array([0.2, 0.4]))
    weights = np.array([[1.0, 1, 1, 1], [2, 0, 0, 2]])
    assert folds(weights).tolist() == [0.5, 1.0]
    assert others(weights) == pytest.approx([0.3, 0.4])

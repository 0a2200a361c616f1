# SPDX-License-Identifier: Apache-2.0
"""Heads see what their system says, and the parts of P_MTL leave unknown labels out."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

from benchmarks.systems.conditions import CONDITIONS
from benchmarks.systems.head_systems import ORDERINGS, SYSTEMS, head_recipe, mtl_statistics, probabilities
from mien.metrics import LabelCounts, Moments, macro_f1
from mien.training import load_recipe


def test_systems_are_the_published_recipes() -> None:
    seen = {
        system: {task: head.sees for task, head in head_recipe(system, 1280, 10, 12_000, 1).heads.items()}
        for system in SYSTEMS
    }
    assert seen["slice"] == {"expression": "", "valence_arousal": "scores", "action_units": ""}
    assert set(seen["joint, scores"].values()) == {"scores"}
    for system, (name, _) in SYSTEMS.items():
        own, published = head_recipe(system, 1280, 10, 12_000, 1), load_recipe(name)
        assert (own.losses, own.optimizer) == (published.losses, published.optimizer)
        for stage, source in zip(own.stages, published.stages, strict=True):
            assert dataclasses.replace(stage, epochs=source.epochs) == source
            steps, published_steps = stage.epochs * 12_000, source.epochs * 103_917
            assert steps == pytest.approx(published_steps, rel=0.02)


def test_orderings_are_conditions_of_systems() -> None:
    keys = {condition.key: condition for condition in CONDITIONS}
    for key, orderings in ORDERINGS.items():
        assert keys[key].n_gains == len(orderings)
        assert {system for better, other, _ in orderings for system in (better, other)} <= set(SYSTEMS)


def test_unknown_labels_are_left_out() -> None:
    rng = np.random.default_rng(0)
    n = 80
    truth = {
        "expression": np.eye(8, dtype=np.float32)[rng.integers(0, 8, n)],
        "valence_arousal": rng.uniform(-1, 1, (n, 2)).astype(np.float32),
        "action_units": (rng.random((n, 3)) < 0.4).astype(np.float32),
    }
    truth["valence_arousal"][:20] = np.nan
    truth["action_units"][10:40] = np.nan
    outputs = {task: rng.normal(size=values.shape).astype(np.float32) for task, values in truth.items()}
    found = {name: float(each(np.ones((1, n)))[0]) for name, each in mtl_statistics(truth, outputs).items()}
    values = np.clip(outputs["valence_arousal"][20:], -1, 1)
    assert found["P_VA"] == pytest.approx(float(Moments.of(truth["valence_arousal"][20:], values).ccc.mean()), abs=1e-6)
    labels = truth["expression"].argmax(axis=1), outputs["expression"].argmax(axis=1)
    assert found["P_EXPR"] == pytest.approx(macro_f1(*labels, 8))
    rows = np.r_[0:10, 40:n]
    units = LabelCounts.of_flags(truth["action_units"][rows], outputs["action_units"][rows] >= 0)
    assert found["P_AU"] == pytest.approx(float(units.macro_f1))
    assert found["P_MTL"] == pytest.approx(found["P_VA"] + found["P_EXPR"] + found["P_AU"])
    strict = mtl_statistics(truth, outputs, np.array([0.9, 0.5, 0.1]))["P_AU"](np.ones((1, n)))[0]
    present = probabilities(outputs["action_units"][rows]) >= [0.9, 0.5, 0.1]
    assert strict == pytest.approx(float(LabelCounts.of_flags(truth["action_units"][rows], present).macro_f1))

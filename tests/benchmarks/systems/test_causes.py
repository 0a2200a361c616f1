# SPDX-License-Identifier: Apache-2.0
"""Comparisons that explain failed conditions use what is trained, and the least squares find a planted relation."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

from benchmarks.systems.causes import PARTS, _heads, _mtanet, cause_lines, least_squares, run_curve
from benchmarks.systems.conditions import CONDITIONS
from benchmarks.systems.head_systems import TASKS, outputs_file
from benchmarks.systems.nets import NETS, net_folder
from benchmarks.systems.other_systems import LARGER_BATCH, load_mtanet, mtanet_recipe
from benchmarks.systems.stand_in import Budget
from benchmarks.systems.systems_page import REASONS
from mien.core import Float32
from mien.metrics import ccc

N = 120


def task_values(rng: np.random.Generator) -> dict[str, Float32]:
    return {
        "expression": np.eye(8, dtype=np.float32)[rng.integers(0, 8, N)],
        "valence_arousal": rng.uniform(-1, 1, (N, 2)).astype(np.float32),
        "action_units": (rng.random((N, 3)) < 0.4).astype(np.float32),
    }


def test_least_squares_find_a_planted_relation() -> None:
    rng = np.random.default_rng(0)
    inputs = np.c_[rng.normal(3, 2, (400, 6)), np.full(400, 7.0)]  # the last one is constant
    targets = inputs[:, :6] @ rng.normal(size=(6, 2)) + rng.normal(0, 1, (400, 2))
    loose, tight = least_squares(inputs[:200], targets[:200], (1e-3, 1e6))
    design = np.c_[inputs[:200, :6], np.ones(200)]
    weights = np.linalg.lstsq(design, targets[:200], rcond=None)[0]
    plain = np.c_[inputs[200:, :6], np.ones(200)] @ weights
    assert np.corrcoef(loose(inputs[200:])[:, 0], plain[:, 0])[0, 1] == pytest.approx(1, abs=1e-6)
    for fit in (loose, tight):  # mean and spread of the targets, whatever the penalty
        assert fit(inputs[:200]).mean(axis=0) == pytest.approx(targets[:200].mean(axis=0))
        assert fit(inputs[:200]).std(axis=0) == pytest.approx(targets[:200].std(axis=0))
    one, other = (ccc(fit(inputs[200:])[:, 0], targets[200:, 0]) for fit in (loose, tight))
    assert one > 0.9
    assert other < one


def test_the_curve_is_kept_and_shown(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    net = next(net for net in NETS if net.name == "frozen")
    vectors = net_folder(net, 1, tmp_path) / "vectors"
    for split in ("train", "valid", "test"):
        (vectors / split).mkdir(parents=True)
        inputs = rng.normal(size=(80, 30))
        targets = np.tanh(inputs[:, :2])  # in the features alone
        targets[:5] = np.nan
        np.save(vectors / split / "inputs.npy", inputs)
        np.save(vectors / split / "valence_arousal.npy", targets)
    run_curve(tmp_path, (1,))
    assert not (tmp_path / "causes").exists()  # the vectors are not complete
    (vectors / "labels.json").write_text("{}")
    run_curve(tmp_path, (1, 2))
    found = json.loads((tmp_path / "causes/frozen-1.json").read_text())
    assert [len(found[f"{part} 50"]) for part in PARTS] == [3, 3]
    assert found["features 0"][0] > 0.7
    assert found["scores 0"][0] < 0.5


def test_heads_and_mtanet_are_compared_where_both_are_trained(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    assert list(_heads(tmp_path, (1,))) == []
    assert list(_mtanet(tmp_path, (1,))) == []
    truth = task_values(rng)
    for system, noise in (("slice", 0.2), ("separate, both", 0.2), ("joint, both", 2.0)):
        path = outputs_file("frozen", 1, system, tmp_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        outputs = {f"test {task}": values + rng.normal(0, noise, values.shape) for task, values in truth.items()}
        np.savez(path, **outputs, **{f"test true {task}": values for task, values in truth.items()})
    compared = list(_heads(tmp_path, (1, 2)))
    assert [each.measure.split(",")[0] for each in compared] == ["P_EXPR + P_AU", "P_MTL"]
    assert all(each.gain.value > 0 and len(each.gain.per_seed) == 1 for each in compared)
    (tmp_path / "mtanet").mkdir()
    singles = {f"single {task}": truth[task] + rng.normal(0, 0.5, truth[task].shape) for task in TASKS}
    labels = {f"true {task}": truth[task] for task in TASKS}
    for variant, noise in (("", 2.0), ("-larger-batch", 0.2), ("-plain-loss", 0.2)):
        joint = {f"joint {task}": truth[task] + rng.normal(0, noise, truth[task].shape) for task in TASKS}
        np.savez(tmp_path / f"mtanet/1{variant}.npz", **joint, **labels, **({} if variant else singles))
    compared = list(_mtanet(tmp_path, (1, 2)))
    assert [each.gain.value > 0 for each in compared] == [False] * 3 + [True] * 4
    loaded = load_mtanet(1, tmp_path, "plain loss")
    assert loaded is not None
    assert np.array_equal(loaded["single action_units"], singles["single action_units"])
    assert load_mtanet(2, tmp_path) is None


def test_variants_of_mtanet_change_one_thing() -> None:
    one, batch, plain = (
        mtanet_recipe(TASKS, 1, Budget(), variant) for variant in ("published", "larger batch", "plain loss")
    )
    assert [stage.batch for stage in batch.stages] == [LARGER_BATCH * Budget().batch]
    assert dataclasses.replace(batch, stages=one.stages) == one
    assert one.losses["expression"].options == {"class_weights": "max"}
    assert plain.losses["expression"].options == {}
    assert dataclasses.replace(plain, losses=one.losses) == one


def test_reasons_are_of_conditions() -> None:
    assert REASONS.keys() <= {condition.key for condition in CONDITIONS}


def test_without_results_there_is_no_section(shared_data: Path, tmp_path: Path) -> None:
    assert cause_lines(shared_data, tmp_path, (1,)) == []

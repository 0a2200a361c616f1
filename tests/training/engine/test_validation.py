# SPDX-License-Identifier: Apache-2.0
"""Validation metrics of known outputs, and outputs of a network for clean inputs."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.training.data.batch_loader import clean_inputs  # noqa: E402 - needs torch
from mien.training.engine.trainer import Trainer  # noqa: E402 - needs torch
from mien.training.engine.validation import raw_outputs, validation_metrics  # noqa: E402 - needs torch
from mien.training.losses.registry import create_loss  # noqa: E402 - needs torch
from mien.training.models.network import AffectNetwork  # noqa: E402 - needs torch
from tests.helpers.synthetic_data import create_recipe, create_samples  # noqa: E402 - needs torch

NAN = np.nan


def test_metrics_by_hand() -> None:
    recipe = create_recipe()
    targets = {
        "expression": np.eye(8, dtype=np.float32)[[0, 1, 1, 2]],
        "valence_arousal": np.array([[0, 0], [1, 1], [0, 0], [NAN, NAN]], np.float32),
        "action_units": np.array([[1, 0], [0, 1], [1, 1], [NAN, 0]], np.float32),
    }
    outputs = {
        "expression": 9 * np.eye(8, dtype=np.float32)[[0, 1, 0, 2]],
        "valence_arousal": np.array([[0, 0], [1, 1], [0, 0], [9, 9]], np.float32),
        "action_units": np.array([[9, -9], [-9, 9], [-9, 9], [9, 9]], np.float32),
    }
    losses = {task: create_loss(recipe.losses[task], values) for task, values in targets.items()}
    found = validation_metrics(
        outputs, targets, losses, {"expression": 1.0, "valence_arousal": 0.5, "action_units": 2.0}
    )
    assert found["expression accuracy"] == 0.75
    assert found["expression macro F1"] == pytest.approx((2 / 3 + 2 / 3 + 1 + 0 * 5) / 8)
    assert found["P_VA"] == pytest.approx(1)  # the unknown row does not count
    assert found["P_AU"] == pytest.approx((2 / 3 + 1) / 2)  # nor does the row with an unknown unit
    assert found["P_MTL"] == pytest.approx(found["P_VA"] + found["expression macro F1"] + found["P_AU"])
    assert found["loss"] == pytest.approx(
        found["expression loss"] + 0.5 * found["valence_arousal loss"] + 2 * found["action_units loss"]
    )


def test_other_tasks_have_a_pearson_correlation_and_unknown_ones_none() -> None:
    truth = np.array([[0.0], [0.5], [1.0]], np.float32)
    losses = {
        task: lambda outputs, targets: (outputs - targets).nan_to_num().square().mean() for task in ("eri", "emi")
    }
    found = validation_metrics(
        {"eri": 0.2 + 0.1 * truth, "emi": truth}, {"eri": truth, "emi": NAN * truth}, losses, {"eri": 1.0, "emi": 1.0}
    )
    assert found["eri Pearson"] == pytest.approx(1)
    assert "emi Pearson" not in found


def test_outputs_are_those_of_clean_inputs() -> None:
    recipe = create_recipe()
    samples = create_samples(9, recipe)
    network = AffectNetwork(recipe, samples.labels)
    rows = np.array([7, 2])
    found = raw_outputs(network.train(), samples, recipe, rows)
    assert not network.training
    with torch.inference_mode():
        expected = network(torch.from_numpy(clean_inputs(samples, recipe, rows)))
    for task, values in zip(recipe.tasks, expected, strict=False):
        np.testing.assert_allclose(found[task], values.numpy(), atol=1e-6)
    assert {task: len(values) for task, values in raw_outputs(network, samples, recipe).items()} == dict.fromkeys(
        recipe.tasks, 9
    )


def test_a_set_is_validated_as_its_bundle_reads_crops(tmp_path: Path) -> None:
    whole = create_recipe()
    aligned = dataclasses.replace(whole, model=dataclasses.replace(whole.model, given="aligned"))
    samples = create_samples(24, whole)
    assert 0 < np.isnan(samples.keypoints).any(axis=(1, 2)).sum() < len(samples)
    trainers = {recipe.model.given: Trainer(recipe, samples, tmp_path) for recipe in (whole, aligned)}
    for trainer in trainers.values():  # first weights answer almost alike to all crops
        trainer.network.get_submodule("expression").get_parameter("weight").data *= 300
    found = {given: trainer.evaluate(samples) for given, trainer in trainers.items()}
    network = trainers["whole"].result
    losses = {task: create_loss(whole.losses[task], samples.targets[task]) for task in whole.tasks}
    for given in ("whole", "aligned"):
        crops = torch.from_numpy(clean_inputs(samples, whole, np.arange(len(samples)), given=given))
        with torch.inference_mode():
            outputs = dict(zip(whole.tasks, (values.numpy() for values in network(crops)), strict=False))
        expected = validation_metrics(outputs, samples.targets, losses, dict.fromkeys(whole.tasks, 1.0))
        for task in whole.tasks:
            assert found[given][f"{task} loss"] == pytest.approx(expected[f"{task} loss"], rel=1e-5)
    assert found["whole"]["expression loss"] != pytest.approx(found["aligned"]["expression loss"], rel=2e-4)

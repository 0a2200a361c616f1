# SPDX-License-Identifier: Apache-2.0
"""Schedules, sharpness-aware steps and parameter groups, each by a known result."""

import dataclasses

import pytest

torch = pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")

from mien.training.engine.optimization import (  # noqa: E402 - needs torch
    create_optimizer,
    learning_rate,
    sharpness_aware_step,
)
from mien.training.models.network import AffectNetwork  # noqa: E402 - needs torch
from mien.training.recipes.schedule_settings import OptimizerSettings, StageSettings  # noqa: E402 - needs torch
from tests.helpers.synthetic_data import create_recipe, create_samples  # noqa: E402 - needs torch

pytestmark = pytest.mark.filterwarnings("default")  # torch warns about itself

STAGE = StageSettings(epochs=4, peak_lr=1.0, batch=4)


@pytest.mark.parametrize(
    ("schedule", "warmup", "points"),
    [
        ("constant", 0.0, {0.0: 1.0, 0.9: 1.0}),
        ("cosine", 0.0, {0.0: 1.0, 0.5: 0.5, 1.0: 0.0}),
        ("one_cycle", 0.2, {0.0: 0.05, 0.1: 0.525, 0.2: 1.0, 0.6: 0.505, 1.0: 0.01}),
        ("plateau", 0.0, {0.0: 1.0, 0.9: 1.0}),
    ],
)
def test_schedules(schedule: str, warmup: float, points: dict[float, float]) -> None:
    stage = dataclasses.replace(STAGE, schedule=schedule, warmup=warmup)
    for progress, share in points.items():
        assert learning_rate(stage, progress) == pytest.approx(share, abs=1e-9)


def test_one_cycle_ends_at_its_share() -> None:
    stage = dataclasses.replace(STAGE, schedule="one_cycle", warmup=0.05, final_share=0.005)
    assert learning_rate(stage, 0.05) == 1.0
    assert learning_rate(stage, 1.0) == pytest.approx(0.005)


def test_a_sharpness_aware_step_has_the_gradient_of_the_moved_point() -> None:
    """For f(w) = sum a w^2 / 2 the gradient at w + rho g / |g| is a (w + rho g / |g|), with g = a w."""
    a, w = torch.tensor([1.0, 4.0]), torch.nn.Parameter(torch.tensor([3.0, 1.0]))

    def backward() -> dict[str, torch.Tensor]:
        w.grad = None
        loss = (a * w**2).sum() / 2
        loss.backward()
        return {"f": loss}

    terms = sharpness_aware_step([w], backward, 0.05)
    torch.testing.assert_close(w.detach(), torch.tensor([3.0, 1.0]))
    torch.testing.assert_close(
        w.grad, torch.tensor([1.0, 4.0]) * (torch.tensor([3.0, 1.0]) + 0.05 * torch.tensor([0.6, 0.8]))
    )
    assert float(terms["f"].detach()) == pytest.approx(6.5)


def test_blocks_near_the_input_learn_slower() -> None:
    recipe = create_recipe()
    network = AffectNetwork(recipe, create_samples(8, recipe).labels)
    settings = OptimizerSettings(name="sgd", backbone_lr=0.1, layer_decay=0.5, weight_decay=0.01)
    groups = create_optimizer(network, settings, 1.0).param_groups
    share_of = {id(p): group["lr"] for group in groups for p in group["params"]}
    names = dict(network.named_parameters())
    assert share_of[id(names["expression.weight"])] == 1.0
    assert share_of[id(names["backbone.conv_stem.weight"])] < share_of[id(names["backbone.conv_head.weight"])] <= 0.05
    assert all(group["weight_decay"] == (0.01 if group["params"][0].ndim > 1 else 0.0) for group in groups)
    assert sum(len(group["params"]) for group in groups) == len(names)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_the_number_below_the_root_is_the_recipes(name: str) -> None:
    """Keras adds 1e-7, torch 1e-8."""
    network = AffectNetwork(create_recipe(), create_samples(4, create_recipe()).labels)
    for settings, eps in ((OptimizerSettings(name=name), 1e-8), (OptimizerSettings(name=name, eps=1e-7), 1e-7)):
        assert create_optimizer(network, settings, 1e-3).defaults["eps"] == eps


def test_modules_beside_the_network_learn_at_the_rate_of_the_heads() -> None:
    recipe = create_recipe()
    network = AffectNetwork(recipe, create_samples(8, recipe).labels)
    beside = torch.nn.Linear(2, 3)
    optimizer = create_optimizer(network, OptimizerSettings(backbone_lr=0.1, weight_decay=0.5), 0.2, (beside,))
    group = optimizer.param_groups[-1]
    assert (group["lr"], group["weight_decay"], group["params"]) == (0.2, 0.0, [beside.weight, beside.bias])

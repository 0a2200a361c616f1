# SPDX-License-Identifier: Apache-2.0
"""Masked autoencoding and masked CoTEX: what is predicted, what agrees, and what both leave behind."""

import dataclasses
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("timm", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="needs the extra train: pip install 'mien[train]'")

import torch

from mien.core import EXPRESSIONS, ConfigError
from mien.training import Trainer
from mien.training.methods.masked_patches import (
    MaskedAutoencoding,
    MaskedMembers,
    generalized_divergence,
    patches_of,
)
from mien.training.methods.registry import FEATURES, Step, Tensors
from mien.training.models.backbones.masked_vit import MaskedViT
from mien.training.models.network import AffectNetwork
from mien.training.recipes.method_settings import MaskedAutoencodingSettings, MaskedMembersSettings
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.schedule_settings import StageSettings
from mien.training.recipes.settings import HeadSettings, LossSettings, ModelSettings
from tests.helpers.synthetic_data import create_recipe, create_samples

pytestmark = pytest.mark.filterwarnings("default")

LABELS = {"expression": EXPRESSIONS}
AUTOENCODING = MaskedAutoencodingSettings(mask_ratio=0.75, width=32, depth=1)
MEMBERS = MaskedMembersSettings(mask_ratio=0.5, weight=10.0)


def create_vit_recipe(**changes: object) -> Recipe:
    options = {"patch": 8, "width": 16, "depth": 1, "heads": 2, "members": 2}
    fields: dict[str, object] = {
        "model": ModelSettings(backbone="masked_vit", options=options, input_px=32),
        "heads": {"expression": HeadSettings()},
        "losses": {"expression": LossSettings(name="soft_cross_entropy")},
    }
    return create_recipe(**(fields | changes))


def vit_of(network: AffectNetwork) -> MaskedViT:
    assert isinstance(network.backbone, MaskedViT)
    return network.backbone


def test_patches_are_cut_in_rows() -> None:
    pictures = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert patches_of(pictures, 2)[0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


def test_the_divergence_is_that_of_its_definition() -> None:
    logits = torch.randn(3, 5, 4)
    p = logits.softmax(2)
    mean = p.mean(0)
    expected = torch.stack([(one * (one / mean).log()).sum(1) for one in p]).mean()
    assert float(generalized_divergence(logits)) == pytest.approx(float(expected), abs=1e-6)
    assert float(generalized_divergence(logits[:1].expand(3, -1, -1))) == pytest.approx(0, abs=1e-6)


def test_members_see_different_patches_and_their_logits_add_up() -> None:
    torch.manual_seed(0)
    recipe = create_vit_recipe()
    network = AffectNetwork(recipe, LABELS).train()
    method = MaskedMembers(MEMBERS, network, recipe, LABELS)
    assert vit_of(network).mask_ratio == 0.5
    outputs: list[Tensors] = []

    def forward(inputs: torch.Tensor) -> Tensors:
        outputs.append(dict(zip(("expression", FEATURES), network(inputs), strict=True)))
        return outputs[-1]

    step = Step(
        inputs=torch.randint(0, 255, (4, 32, 32, 1), dtype=torch.uint8),
        targets={"expression": torch.eye(8)[:4]},
        epoch=0,
        lr=0.1,
        forward=forward,
        task_terms=lambda found, targets: {
            "expression": torch.nn.functional.cross_entropy(found["expression"], targets["expression"])
        },
    )
    terms = method.terms(step)
    members = method._logits(outputs[0][FEATURES])
    assert torch.allclose(members.sum(0), outputs[0]["expression"], atol=1e-5)
    own = [float(torch.nn.functional.cross_entropy(one, step.targets["expression"])) for one in members.detach()]
    assert float(terms["expression"].detach()) == pytest.approx(sum(own) / 2, abs=1e-5)
    assert float(terms["divergence"].detach()) == pytest.approx(10 * float(generalized_divergence(members.detach())))
    again = network(step.inputs)[1]
    assert not torch.equal(again, outputs[0][FEATURES])  # other patches each time
    method.finish()
    assert torch.equal(network(step.inputs)[1], network(step.inputs)[1])


def test_pretraining_sees_faces_without_labels_and_all_members_start_alike(tmp_path: Path) -> None:
    recipe = create_vit_recipe(stages=(StageSettings(epochs=1, peak_lr=1e-3, batch=8, method=AUTOENCODING),))
    samples = create_samples(24, recipe)
    hidden = {task: values * torch.nan for task, values in samples.targets.items()}
    unlabelled = dataclasses.replace(samples, targets=hidden)
    trainer = Trainer(recipe, unlabelled, tmp_path)
    before = trainer.network.state_dict()["backbone.encoders.0.embed.weight"].clone()
    head = trainer.network.state_dict()["expression.weight"].clone()
    state = trainer.run().state_dict()
    assert not torch.equal(before, state["backbone.encoders.0.embed.weight"])
    assert torch.equal(head, state["expression.weight"])  # heads are not trained
    for key, value in state.items():
        if "encoders.0." in key:
            assert torch.equal(value, state[key.replace("encoders.0.", "encoders.1.")]), key


def test_a_few_steps_predict_hidden_patches_better() -> None:
    recipe = create_vit_recipe()
    network = AffectNetwork(recipe, LABELS).train()
    method = MaskedAutoencoding(AUTOENCODING, network, recipe, LABELS)
    rows = torch.linspace(0, 255, 32).round().to(torch.uint8)
    inputs = torch.stack([rows.expand(32, -1), rows.flip(0).expand(32, -1)] * 4)[..., None]  # two ramps
    step = Step(inputs=inputs, targets={}, epoch=0, lr=0.1, forward=lambda _: {}, task_terms=lambda *_: {})
    optimizer = torch.optim.Adam([*method.parameters(), *network.backbone.parameters()], lr=3e-3)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = method.terms(step)["reconstruction"]
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_other_networks_are_refused() -> None:
    recipe = create_recipe()
    labels = create_samples(8, recipe).labels
    with pytest.raises(ConfigError, match="masked_vit"):
        MaskedAutoencoding(AUTOENCODING, AffectNetwork(recipe, labels), recipe, labels)
    recipe = create_vit_recipe(heads={"expression": HeadSettings(kind="mlp", hidden=(4,))})
    with pytest.raises(ConfigError, match="linear"):
        MaskedMembers(MEMBERS, AffectNetwork(recipe, LABELS), recipe, LABELS)

# SPDX-License-Identifier: Apache-2.0
"""SS-MFAR: thresholds by class, the losses of unlabelled rows, and the parts of the loss of a step."""

import math

import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("torchvision", reason="needs the extra train: pip install 'mien[train]'")

import torch

from mien.core import EXPRESSIONS, ConfigError
from mien.training.methods.registry import Step, Tensors
from mien.training.methods.two_views import TwoViews, class_thresholds, unlabelled_losses
from mien.training.models.network import AffectNetwork
from mien.training.recipes.method_settings import TwoViewsSettings
from tests.helpers.synthetic_data import UNITS, create_recipe, create_vector_recipe

SETTINGS = TwoViewsSettings()
LABELS = {"expression": EXPRESSIONS, "valence_arousal": ("valence", "arousal"), "action_units": UNITS}


def test_a_threshold_rises_with_the_class_and_the_epoch() -> None:
    means = torch.tensor([0.0, 0.85, 0.99])
    assert class_thresholds(means, 0, SETTINGS).tolist() == pytest.approx([0.8, 0.8, 0.8])
    late = 0.99 * 0.97 / (1 + math.exp(-5))
    assert class_thresholds(means, 5, SETTINGS).tolist() == pytest.approx([0.8, 0.97 * 0.85 / (1 + math.exp(-5)), late])


def test_confident_rows_have_a_pseudo_label_and_the_others_a_divergence() -> None:
    weak = torch.tensor([[3.0, 0.0], [0.2, 0.0]], requires_grad=True)
    strong = torch.tensor([[0.0, 0.0], [0.0, 0.5]], requires_grad=True)
    pseudo, divergence = unlabelled_losses(weak, strong, torch.tensor([0.8, 0.8]))
    assert float(pseudo.detach()) == pytest.approx(math.log(2))
    p, q = weak.detach().softmax(1)[1], strong.detach().softmax(1)[1]
    expected = (p * (p / q).log()).sum() + (q * (q / p).log()).sum()
    assert float(divergence.detach()) == pytest.approx(float(expected), abs=1e-6)
    pseudo.backward()
    assert weak.grad is None  # no gradient flows into a pseudo-label
    assert float(unlabelled_losses(weak, strong, torch.tensor([0.99, 0.99]))[0].detach()) == 0
    assert float(unlabelled_losses(weak, strong, torch.tensor([0.1, 0.1]))[1].detach()) == 0


def test_a_step_has_half_of_each_part_and_counts_the_right_labelled_rows() -> None:
    recipe = create_recipe()
    network = AffectNetwork(recipe, LABELS)
    method = TwoViews(SETTINGS, network, recipe, LABELS).train()
    inputs = torch.randint(0, 255, (6, 32, 32, 1), dtype=torch.uint8)
    targets = {"expression": torch.eye(8)[[1, 1, 2, 0, 0, 0]]}
    targets["expression"][3:] = torch.nan
    seen: list[torch.Tensor] = []

    def forward(crops: torch.Tensor) -> Tensors:
        seen.append(crops)
        logits = torch.zeros(len(crops), 8)
        logits[:, 1] = 4.0  # so sure of class 1 that every unlabelled row gets it
        return {"expression": logits}

    step = Step(
        inputs=inputs,
        targets=targets,
        epoch=0,
        lr=0.1,
        forward=forward,
        task_terms=lambda _outputs, _targets: {"expression": torch.tensor(3.0), "action_units": torch.tensor(1.0)},
    )
    terms = method.terms(step)
    probability = float(torch.tensor([0.0, 4.0, *[0.0] * 6]).softmax(0)[1])
    assert float(terms["expression"]) == 1.5
    assert float(terms["action_units"]) == 1.0
    assert float(terms["pseudo-labels"]) == pytest.approx(-0.5 * math.log(probability), abs=1e-6)
    assert float(terms["divergence"]) == 0
    assert [tuple(crops.shape) for crops in seen] == [(6, 32, 32, 1), (3, 32, 32, 1)]
    assert not torch.equal(seen[1], inputs[3:])  # the strong view is another one
    assert method.counts.tolist() == [0, 2, 0, 0, 0, 0, 0, 0]
    step_later = Step(**{**vars(step), "epoch": 1})
    method.terms(step_later)
    assert float(method.thresholds[1]) == pytest.approx(max(0.8, probability * 0.97 / (1 + math.exp(-1))))
    assert method.counts.tolist() == [0, 2, 0, 0, 0, 0, 0, 0]  # counted again from the new epoch on


def test_vectors_have_no_views() -> None:
    recipe = create_vector_recipe()
    with pytest.raises(ConfigError, match="pictures"):
        TwoViews(SETTINGS, AffectNetwork(recipe, LABELS), recipe, LABELS)

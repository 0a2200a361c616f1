# SPDX-License-Identifier: Apache-2.0
"""The head of two branches: attention over steps as torch has it, branches that stay apart, and modality dropout."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.training import load_recipe  # noqa: E402 - needs torch
from mien.training.models.branch_transformer import BranchTransformer, TemporalLayer  # noqa: E402 - needs torch
from mien.training.models.network import AffectNetwork  # noqa: E402 - needs torch


def head(branch_drop: float = 0.0) -> BranchTransformer:
    torch.manual_seed(0)
    return BranchTransformer((6, 12), 7, steps=3, width=8, n_layers=2, drop_rate=0.0, branch_drop=branch_drop)


def test_a_layer_is_the_encoder_layer_of_torch() -> None:
    torch.manual_seed(0)
    layer = TemporalLayer(8, 0.0).eval()
    reference = torch.nn.TransformerEncoderLayer(
        8, 4, dim_feedforward=16, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    ).eval()
    attention = reference.self_attn
    with torch.no_grad():
        for name in ("weight", "bias"):
            parts = [getattr(part, name) for part in (layer.queries, layer.keys, layer.values)]
            getattr(attention, f"in_proj_{name}").copy_(torch.cat(parts))
            getattr(attention.out_proj, name).copy_(getattr(layer.joined, name))
            getattr(reference.linear1, name).copy_(getattr(layer.dense[0], name))
            getattr(reference.linear2, name).copy_(getattr(layer.dense[2], name))
    steps = torch.randn(5, 6, 8)
    torch.testing.assert_close(layer(steps), reference(steps))


def test_branches_meet_only_at_the_end() -> None:
    network = head().eval()
    inputs = torch.randn(4, 18)
    with torch.no_grad():
        network.last.weight[:, 8:] = 0  # nothing of the second branch
        changed = inputs.clone()
        changed[:, 6:] += 5
        torch.testing.assert_close(network(inputs), network(changed))
        changed = inputs.clone()
        changed[:, :6] += 5
        assert (network(inputs) - network(changed)).abs().max() > 1e-4


def test_one_branch_at_least_is_kept() -> None:
    network = head(branch_drop=0.5).train()
    torch.manual_seed(1)
    kept = network._kept(4000, torch.device("cpu"))
    assert kept.sum(dim=1).min() == 1
    # Dropped with 0.5 unless chosen, which is half of the time: 0.25 of all are left out.
    assert float(kept.mean()) == pytest.approx(0.75, abs=0.02)
    network.eval()
    inputs = torch.randn(4, 18)
    torch.testing.assert_close(network(inputs), network(inputs))


def test_the_recipe_has_one_branch_for_each_kind_of_vector() -> None:
    recipe = load_recipe("eri-two-branch")
    assert recipe.model.stretch_lengths == (12 * 1280, 12 * 768)
    short = tuple(dataclasses.replace(stretch, n=n) for stretch, n in zip(recipe.model.vectors, (5, 3), strict=True))
    recipe = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, vectors=short))
    network = AffectNetwork(recipe, {"eri": tuple("abcdefg")}).eval()
    outputs = network(torch.from_numpy(np.random.default_rng(0).random((2, 96), np.float32)))[0]
    assert outputs.shape == (2, 7)
    assert [layer.in_features for layer in network.get_submodule("eri").inputs] == [5, 3]

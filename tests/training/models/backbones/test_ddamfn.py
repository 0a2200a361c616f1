# SPDX-License-Identifier: Apache-2.0
"""DDAMFN: its published size, mixed kernels, and attention heads that diverge."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from torch import nn  # noqa: E402 - needs torch

from mien.training.models.backbones.ddamfn import (  # noqa: E402 - needs torch
    DDAMFN,
    MixedDepthwise,
    attention_diversity_loss,
)

pytestmark = pytest.mark.filterwarnings("default")  # torch warns about itself


def n_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_published_number_of_parameters() -> None:
    """The paper reports 4.11 M parameters for two heads, without BN and PReLU, which its code never calls."""
    assert round((n_parameters(DDAMFN()) + 513 * 8) / 1e6, 2) == 4.11


@pytest.mark.parametrize("norm_act", [False, True])
def test_mixed_kernels_keep_their_channels(*, norm_act: bool) -> None:
    """Each channel is filtered on its own, by the kernel of its group."""
    layer = MixedDepthwise(8, ((3, 0.5), (5, 0.25), (7, 0.25)), norm_act=norm_act).eval()
    one = torch.zeros(1, 8, 9, 9)
    one[0, :, 4, 4] = 1
    extent = (layer(one)[0].abs() > 0).sum((1, 2))
    assert extent.tolist() == [9] * 4 + [25] * 2 + [49] * 2
    assert len(list(layer.parameters())) == (6 if norm_act else 3)


def test_normalisation_after_mixed_kernels_is_optional() -> None:
    n_inner = 128 + 9 * 128 + 256 + 16 * 256 + 1024 + 6 * 512
    # Batch normalisation has two parameters a channel, PReLU one.
    assert n_parameters(DDAMFN(size_px=32, norm_act=True)) - n_parameters(DDAMFN(size_px=32)) == 3 * n_inner


def test_features_are_the_same_with_and_without_attention() -> None:
    backbone = DDAMFN(size_px=32, n_heads=3).eval()
    crops = torch.randn(2, 3, 32, 32)
    features, gates = backbone.forward_with_attention(crops)
    torch.testing.assert_close(backbone(crops), features)
    same, penalty = backbone.forward_with_penalty(crops)
    torch.testing.assert_close(same, features)
    torch.testing.assert_close(penalty, attention_diversity_loss(gates))
    assert [tuple(gate.shape) for gate in gates] == [(2, 512, 2, 2)] * 3
    assert all(bool(((gate > 0) & (gate < 1)).all()) for gate in gates)


def test_attention_diversity_by_hand() -> None:
    heads = torch.tensor([0.0, 0.5, 1.0])[:, None].expand(3, 4)
    # Mean squared differences 0.25, 1 and 0.25: three pairs over their sum.
    assert float(attention_diversity_loss(list(heads), eps=0)) == pytest.approx(3 / 1.5)
    assert float(attention_diversity_loss([heads[0], heads[0]])) == pytest.approx(1e8)
    assert float(attention_diversity_loss([heads[0]])) == 0


@pytest.mark.parametrize("size_px", [48, 112])
def test_fresh_heads_attend_to_different_regions(size_px: int) -> None:
    """Otherwise the penalty would dominate the labels in a network from scratch: 750 with gates near 0.25."""
    torch.manual_seed(0)
    _, penalty = DDAMFN(size_px=size_px).train().forward_with_penalty(torch.randn(8, 3, size_px, size_px))
    assert 5 < penalty.item() < 50


def test_attention_diversity_pushes_heads_apart() -> None:
    gates = [torch.full((2, 3), 0.4, requires_grad=True), torch.full((2, 3), 0.6)]
    attention_diversity_loss(gates).backward()
    assert gates[0].grad is not None
    assert bool((gates[0].grad > 0).all())  # descending lowers it, away from the other head

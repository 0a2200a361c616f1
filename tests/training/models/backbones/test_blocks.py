# SPDX-License-Identifier: Apache-2.0
"""Convolution blocks, bottlenecks and the size of the final map."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from torch import nn  # noqa: E402 - needs torch

from mien.core import ConfigError  # noqa: E402 - needs torch
from mien.training.models.backbones.blocks import Bottleneck, ConvBlock, final_side, init_kaiming  # noqa: E402 - needs torch

pytestmark = pytest.mark.filterwarnings("default")  # torch warns about itself


@pytest.mark.parametrize(("kernel", "stride", "side"), [(1, 1, 12), (3, 1, 12), (3, 2, 6), (5, 1, 12)])
def test_padding_keeps_the_size_at_stride_1(kernel: int, stride: int, side: int) -> None:
    assert ConvBlock(2, 6, kernel, stride=stride)(torch.randn(2, 2, 12, 12)).shape == (2, 6, side, side)


def test_rectangular_kernels_have_no_padding() -> None:
    assert ConvBlock(2, 2, (1, 7), groups=2)(torch.randn(2, 2, 7, 7)).shape == (2, 2, 7, 1)


def test_a_linear_block_has_no_activation() -> None:
    assert [type(part) for part in ConvBlock(1, 4)] == [nn.Conv2d, nn.BatchNorm2d, nn.PReLU]
    assert [type(part) for part in ConvBlock(1, 4, linear=True)] == [nn.Conv2d, nn.BatchNorm2d]
    assert ConvBlock(1, 4)[0].bias is None


def test_a_residual_bottleneck_adds_its_input() -> None:
    torch.manual_seed(0)
    block = Bottleneck(4, 4, 8, nn.Identity(), residual=True).eval()
    inputs = torch.randn(2, 4, 5, 5)
    with_residual = block(inputs)
    block.residual = False
    torch.testing.assert_close(with_residual, block(inputs) + inputs)


def test_the_side_of_the_final_map() -> None:
    assert [final_side(size) for size in (16, 48, 112)] == [1, 3, 7]
    for size in (-16, 0, 8, 100):
        with pytest.raises(ConfigError, match=f"multiple of 16 px, got {size}"):
            final_side(size)


def test_initialisation_has_the_variance_of_fan_out() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 64, 3)
    init_kaiming(layer)
    assert float(layer.weight.detach().std()) == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.05)
    assert layer.bias is not None
    assert not layer.bias.any()

# SPDX-License-Identifier: Apache-2.0
"""The encoder of noisyFER: published size, pools that round up, options."""

import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

import torch

from mien.training.models.backbones.vgg_encoder import VGGEncoder


def n_parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_published_number_of_parameters() -> None:
    assert n_parameters(VGGEncoder()) == 15_989_688  # with mean, log variance and nine labels 16,094,397
    assert n_parameters(VGGEncoder(size_px=32, hidden=512)) == 14_714_688 + 2 * (512 * 512 + 512)


@pytest.mark.parametrize(("size_px", "side"), [(16, 1), (32, 1), (48, 2), (64, 2), (112, 4)])
def test_pools_round_up(size_px: int, side: int) -> None:
    encoder = VGGEncoder(1, size_px=size_px, width=0.125, hidden=10, norm=True).eval()
    assert encoder.convolutions(torch.zeros(1, 1, size_px, size_px)).shape == (1, 64, side, side)
    features = encoder(torch.randn(2, 1, size_px, size_px))
    assert features.shape == (2, encoder.num_features) == (2, 10)
    assert float(features.detach().min()) >= 0

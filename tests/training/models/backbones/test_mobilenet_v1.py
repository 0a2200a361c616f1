# SPDX-License-Identifier: Apache-2.0
"""MobileNetV1: published size, maps as TensorFlow's SAME has them, options."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.core import ConfigError  # noqa: E402 - needs torch
from mien.training.models.backbones import create_backbone  # noqa: E402 - needs torch
from mien.training.models.backbones.mobilenet_v1 import MobileNetV1  # noqa: E402 - needs torch


def test_published_size() -> None:
    """4.2 million parameters with a classifier of 1,000 (Howard et al., table 4); 3.2 million without."""
    network = create_backbone("mobilenet_v1", in_channels=3)
    assert sum(p.numel() for p in network.parameters()) == 3_206_976
    assert network.num_features == 1024


@pytest.mark.parametrize(
    ("size", "stem_stride", "side"), [(224, 2, 7), (112, 2, 4), (80, 2, 3), (96, 2, 3), (112, 1, 7)]
)
def test_maps_are_rounded_up(size: int, stem_stride: int, side: int) -> None:
    network = MobileNetV1(1, stem_stride=stem_stride).eval()
    with torch.inference_mode():
        assert network.layers(torch.zeros(1, 1, size, size)).shape == (1, 1024, side, side)


def test_strides_sample_where_tensorflow_samples() -> None:
    network = MobileNetV1(1)
    stem = network.conv_layers()[0]
    torch.nn.init.zeros_(stem.conv.weight)
    with torch.no_grad():
        stem.conv.weight[:, :, 0, 0] = 1.0  # each output is the pixel at the kernel's upper left
        even = stem.convolve(torch.arange(16.0).view(1, 1, 4, 4))[0, 0]
        odd = stem.convolve(torch.arange(25.0).view(1, 1, 5, 5))[0, 0]
    assert even.tolist() == [[0, 2], [8, 10]]  # an even side is padded right and below
    assert odd.tolist() == [[0, 0, 0], [0, 6, 8], [0, 16, 18]]  # an odd one on all sides


def test_options() -> None:
    assert isinstance(MobileNetV1(1, activation="prelu").conv_layers()[0].activation, torch.nn.PReLU)
    with pytest.raises(ConfigError, match="activation relu6, relu, prelu"):
        MobileNetV1(1, activation="gelu")
    with pytest.raises(ConfigError, match="stem_stride 1 or 2"):
        MobileNetV1(1, stem_stride=3)

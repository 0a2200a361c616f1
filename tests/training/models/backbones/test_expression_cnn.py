# SPDX-License-Identifier: Apache-2.0
"""The CNN of 2020: its published size, its statistics and its features."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.training.models.backbones.expression_cnn import ExpressionCNN  # noqa: E402 - needs torch

pytestmark = pytest.mark.filterwarnings("default")  # torch warns about itself


def test_the_published_number_of_parameters() -> None:
    backbone = ExpressionCNN()
    classifier = (backbone.num_features + 1) * 7
    assert sum(parameter.numel() for parameter in backbone.parameters()) + classifier == 4_062_535 - 3_456


def test_moving_statistics_of_the_2020_cnn() -> None:
    backbone = ExpressionCNN()
    statistics = [value for name, value in backbone.named_buffers() if "running" in name]
    assert sum(value.numel() for value in statistics) == 3_456


def test_features_are_rectified_and_depend_on_the_pixels() -> None:
    backbone = ExpressionCNN(size_px=32).eval()
    with torch.inference_mode():
        features = backbone(torch.rand(2, 1, 32, 32) * 255)
    assert features.shape == (2, 256)
    assert bool((features >= 0).all())
    assert not torch.equal(features[0], features[1])


def test_convolutions_start_as_in_keras() -> None:
    torch.manual_seed(0)
    first = ExpressionCNN().layers[0]
    assert not first.bias.any()
    assert float(first.weight.detach().abs().max()) <= (6 / (3 * 1 + 3 * 64)) ** 0.5

# SPDX-License-Identifier: Apache-2.0
"""MobileFaceNet: its published size, its width and its final layer."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.training.models.backbones.mobilefacenet import MobileFaceNet  # noqa: E402 - needs torch

pytestmark = pytest.mark.filterwarnings("default")  # torch warns about itself


def test_the_published_number_of_parameters() -> None:
    assert sum(parameter.numel() for parameter in MobileFaceNet().parameters()) == 2_059_520


@pytest.mark.parametrize("scale", [1, 2])
def test_the_scale_widens_the_first_layers(scale: int) -> None:
    backbone = MobileFaceNet(size_px=32, scale=scale).eval()
    assert backbone.layers[0][0].out_channels == 64 * scale
    with torch.inference_mode():
        assert backbone(torch.randn(2, 3, 32, 32)).shape == (2, 512)


def test_the_last_depthwise_layer_spans_the_whole_map() -> None:
    backbone = MobileFaceNet(size_px=48)
    kernels = [part.kernel_size for part in backbone.modules() if isinstance(part, torch.nn.Conv2d)]
    assert kernels[-1] == (3, 3)  # 48 px / 16
    with pytest.raises(RuntimeError):
        backbone(torch.randn(2, 3, 64, 64))

# SPDX-License-Identifier: Apache-2.0
"""Rewrites of exported graphs: the same outputs without PReLU, denormal weights and paddings of their own."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
onnx = pytest.importorskip("onnx", reason="needs the extra train: pip install 'mien[train]'")

from torch import nn  # noqa: E402 - needs torch

from mien.inference import create_session  # noqa: E402 - needs torch
from mien.training.export.onnx_export import to_onnx  # noqa: E402 - needs torch

pytestmark = pytest.mark.filterwarnings("default")  # torch warns about itself


def test_exports_have_neither_denormal_weights_nor_prelu() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.PReLU(4), nn.Conv2d(4, 2, 1), nn.PReLU(), nn.Flatten())
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
        network[0].weight[0] = 1e-39
        network[2].weight[1, 2] = -1e-13
    example = torch.randn((2, 3, 6, 6), generator=generator)
    graph = to_onnx(network, example, ["out"])
    model = onnx.load_from_string(graph)
    weights = [onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer]
    floats = np.concatenate([np.abs(each).ravel() for each in weights if each.dtype == np.float32])
    assert not ((floats > 0) & (floats < 1e-12)).any()
    assert sum(int((each == 0).sum()) for each in weights if each.ndim == 4) == 28  # 27 of a kernel, and one
    assert "PRelu" not in {node.op_type for node in model.graph.node}
    with torch.inference_mode():
        expected = network(example).numpy()
    np.testing.assert_allclose(create_session(graph).run({"crops": example.numpy()})["out"], expected, atol=1e-5)


class Padded(nn.Module):
    """Zeros or ones, added apart from the convolution."""

    def __init__(self, amounts: tuple[int, ...], value: float) -> None:
        super().__init__()
        self.amounts, self.value = amounts, value
        self.conv = nn.Conv2d(2, 3, 3, stride=2, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.conv(nn.functional.pad(x, self.amounts, value=self.value))
        return out.flatten(start_dim=1)


@pytest.mark.parametrize(
    ("amounts", "value", "folded"), [((0, 1, 0, 1), 0.0, True), ((2, 0, 1, 3), 0.0, True), ((1, 1, 1, 1), 1.0, False)]
)
def test_zeros_around_a_map_belong_to_the_convolution(amounts: tuple[int, ...], value: float, *, folded: bool) -> None:
    network = Padded(amounts, value)
    example = torch.randn((2, 2, 6, 7), generator=torch.Generator().manual_seed(1))
    graph = to_onnx(network, example, ["out"])
    assert ("Pad" not in {node.op_type for node in onnx.load_from_string(graph).graph.node}) == folded
    with torch.inference_mode():
        expected = network(example).numpy()
    np.testing.assert_allclose(create_session(graph).run({"crops": example.numpy()})["out"], expected, atol=1e-5)

# SPDX-License-Identifier: Apache-2.0
"""Backbones of the papers: exact parameter counts, feature sizes, gradients in every parameter, memorisation."""

from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from torch import Tensor, nn  # noqa: E402 - needs torch

from mien.core import ConfigError  # noqa: E402 - needs torch
from mien.training.models.backbones import create_backbone  # noqa: E402 - needs torch

pytestmark = pytest.mark.filterwarnings("default")  # torch and timm warn about themselves


class Net(NamedTuple):
    """A published network."""

    name: str
    in_channels: int
    size_px: int
    num_features: int
    options: dict[str, Any]  # that make it small enough for the quick tests
    small_px: int


NETS = (
    Net("ddamfn", 3, 112, 512, {"size_px": 32}, 32),
    Net("expression_cnn", 1, 48, 256, {"size_px": 32, "dropout": 0.0}, 32),
    Net("mobilefacenet", 3, 112, 512, {"size_px": 32}, 32),
    Net("mobilenetv1_100", 3, 224, 1024, {}, 64),
    Net("mobilevit_s", 3, 224, 640, {}, 64),
    Net("mobilevit_xs", 3, 224, 384, {}, 64),
    Net("mobilevit_xxs", 3, 224, 320, {}, 64),
    Net("seresnet50", 3, 112, 2048, {}, 64),
    Net("tf_efficientnet_b0", 3, 224, 1280, {}, 64),
    Net("tf_efficientnet_b2", 3, 260, 1408, {}, 64),
)
OWN = tuple(net for net in NETS if net.options)


def small(net: Net, **options: Any) -> nn.Module:
    torch.manual_seed(0)
    return create_backbone(net.name, in_channels=net.in_channels, options=net.options | options)


def n_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("name", "in_channels", "n_outputs", "published"),
    [
        ("mobilefacenet", 3, 0, 2_059_520),
        ("mobilefacenet", 3, 10, 2_064_650),
        ("tf_efficientnet_b0", 3, 8, 4_017_796),
        ("tf_efficientnet_b0", 3, 10, 4_020_358),
        ("tf_efficientnet_b2", 3, 8, 7_712_266),
        ("expression_cnn", 1, 7, 4_062_535 - 3_456),  # Keras counts the moving statistics too
        ("mobilenetv1_100", 3, 0, 3_228_864 - 21_888),  # the same
        ("seresnet50", 3, 1000, 28_088_024),
    ],
)
def test_published_parameter_counts(name: str, in_channels: int, n_outputs: int, published: int) -> None:
    backbone = create_backbone(name, in_channels=in_channels)
    classifier = (backbone.num_features + 1) * n_outputs
    assert n_parameters(backbone) + classifier == published


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.name)
def test_features_of_the_published_size(net: Net) -> None:
    backbone = create_backbone(net.name, in_channels=net.in_channels).eval()
    with torch.inference_mode():
        features = backbone(torch.zeros(1, net.in_channels, net.size_px, net.size_px))
    assert features.shape == (1, net.num_features)
    assert backbone.num_features == net.num_features


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.name)
def test_the_gradient_reaches_every_parameter(net: Net) -> None:
    backbone = small(net).train()
    crops = torch.randn(6, net.in_channels, net.small_px, net.small_px)
    unreached = {name for name, _ in backbone.named_parameters()}
    for _ in range(2):  # residual branches of some networks start at zero, without a gradient in the first step
        features = backbone(crops)
        (features * torch.randn(features.shape)).sum().backward()
        unreached -= {name for name, p in backbone.named_parameters() if p.grad is not None and p.grad.any()}
        torch.optim.SGD(backbone.parameters(), lr=1e-3).step()
    assert unreached == set()


def test_tensorflow_padding() -> None:
    """`tf_` nets pad SAME: at stride 2 and an even size the extra pixel is at the right and bottom only."""
    stem = create_backbone("tf_efficientnet_b0").conv_stem
    crop = torch.zeros(1, 3, 8, 8)
    crop[..., 0, 0] = 1
    kernel = stem.weight.detach()
    expected = kernel[:, :, 0, 0].sum(1)  # the first pixel meets the kernel's first corner
    torch.testing.assert_close(stem(crop)[0, :, 0, 0], expected)


@pytest.mark.parametrize("name", ["ddamfn", "expression_cnn", "mobilefacenet"])
@pytest.mark.parametrize("size_px", [0, 8, 100])
def test_sizes_that_do_not_fit_are_refused(name: str, size_px: int) -> None:
    with pytest.raises(ConfigError, match="multiple of 16 px"):
        create_backbone(name, options={"size_px": size_px})


def test_squeeze_and_excite_reduces_by_16() -> None:
    backbone = create_backbone("seresnet50")
    blocks = [list(getattr(backbone, f"layer{stage}")) for stage in (1, 2, 3, 4)]
    assert [len(stage) for stage in blocks] == [3, 4, 6, 3]
    for width, stage in zip((256, 512, 1024, 2048), blocks, strict=True):
        assert {(block.se.fc1.in_channels, block.se.fc1.out_channels) for block in stage} == {(width, width // 16)}


def faces(n: int, net: Net, size_px: int, face: np.ndarray) -> tuple[Tensor, Tensor]:
    """One face under n different lights and tilts, and a label for each that only memory can give."""
    rng = np.random.default_rng(0)
    crops = []
    for _ in range(n):
        matrix = cv2.getRotationMatrix2D((128.0, 128.0), rng.uniform(-25, 25), size_px / 256 * rng.uniform(0.9, 1.2))
        matrix[:, 2] += size_px / 2 - 128
        crops.append(cv2.warpAffine(face, matrix, (size_px, size_px), borderMode=cv2.BORDER_REPLICATE))
    pixels = torch.tensor(np.stack(crops), dtype=torch.float32).movedim(3, 1) / 128 - 1
    return pixels[:, : net.in_channels], torch.tensor(rng.integers(0, 8, n))


def accuracy_after(net: Net, backbone: nn.Module, data: tuple[Tensor, Tensor], epochs: int) -> float:
    """Training accuracy of the backbone with a linear classifier after some epochs of 16 faces a step."""
    batches = list(zip(data[0].split(16), data[1].split(16), strict=True))
    model = nn.Sequential(backbone, nn.Linear(net.num_features, 8)).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(epochs):
        for crops, labels in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(crops), labels).backward()
            optimizer.step()
    with torch.inference_mode():  # with each batch's own statistics: the running ones have not settled yet
        right = [model(crops).argmax(1) == labels for crops, labels in batches]
    return float(torch.cat(right).float().mean())


@pytest.mark.parametrize("net", OWN, ids=lambda net: net.name)
def test_memorises_16_small_faces(net: Net, astronaut: np.ndarray) -> None:
    data = faces(16, net, net.small_px, astronaut[:256, 100:356])
    assert accuracy_after(net, small(net), data, 15) == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.name)
def test_memorises_64_faces(net: Net, astronaut: np.ndarray) -> None:
    size_px = min(net.size_px, 112)  # for the time it takes
    options = {"dropout": 0.0} if net.name == "expression_cnn" else {}
    torch.manual_seed(0)
    backbone = create_backbone(net.name, in_channels=net.in_channels, options=options)
    data = faces(64, net, size_px, astronaut[:256, 100:356])
    assert accuracy_after(net, backbone, data, 30) >= 0.95

# SPDX-License-Identifier: Apache-2.0
"""Every backbone keeps the one interface."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.core import ConfigError  # noqa: E402 - needs torch
from mien.training.models.backbones import BACKBONES, create_backbone  # noqa: E402 - needs torch

pytestmark = pytest.mark.filterwarnings("default")  # torch and timm warn about themselves


# A network of cells gives a value for each of them, which `test_face_grid` checks.
OF_FEATURES = [name for name in BACKBONES if name != "face_grid"]


@pytest.mark.parametrize("name", [*OF_FEATURES, "efficientnet_lite0", "mobilenetv3_small_050"])
def test_pixels_become_num_features(name: str) -> None:
    backbone = create_backbone(name).eval()
    size_px = getattr(backbone, "size_px", 112)  # a network with dense layers is bound to one size
    with torch.inference_mode():
        features = backbone(torch.zeros(2, 3, size_px, size_px))
    assert features.shape == (2, backbone.num_features)


def test_gray_pixels() -> None:
    backbone = create_backbone("efficientnet_lite0", in_channels=1).eval()
    assert backbone(torch.zeros(2, 1, 64, 64)).shape == (2, 1280)


def test_unknown_names_and_options_are_named() -> None:
    with pytest.raises(ConfigError, match="efficientnet_lite0"):
        create_backbone("efficientnet_lite_0")
    with pytest.raises(ConfigError, match="no_such_option"):
        create_backbone("efficientnet_lite0", options={"no_such_option": 1})


def test_a_sized_backbone_is_built_for_the_recipes_crops() -> None:
    assert create_backbone("mobilefacenet", size_px=48).size_px == 48
    assert create_backbone("mobilefacenet", size_px=48, options={"size_px": 64}).size_px == 64
    assert create_backbone("efficientnet_lite0", size_px=48).num_features == 1280  # takes any size
    sized = [name for name in BACKBONES if BACKBONES[name].sized]
    assert sized == [name for name in BACKBONES if hasattr(create_backbone(name), "size_px")]


def test_a_fresh_net_answers_faint_faces_too() -> None:
    """Random squeeze-and-excite gates would let faces of strong contrast outgrow all others, block after block."""
    torch.manual_seed(0)
    crops = torch.randn(32, 3, 48, 48) * torch.linspace(0.5, 1.5, 32)[:, None, None, None]
    backbone = create_backbone("tf_efficientnet_b2").train()
    gates: list[torch.Tensor] = []
    for name, part in backbone.named_modules():
        if name.endswith("conv_expand"):
            part.register_forward_hook(lambda _part, _inputs, gate: gates.append(gate.sigmoid()))
    with torch.inference_mode():
        strength = backbone(crops).square().mean(1).sqrt()
    assert len(gates) == 23
    assert all(bool((gate == 0.5).all()) for gate in gates)
    assert strength.max() / strength.median() < 8  # 12.6 with timm's gates, 5.8 with equal ones

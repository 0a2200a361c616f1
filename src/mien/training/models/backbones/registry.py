# SPDX-License-Identifier: Apache-2.0
"""Registry of mien's own backbones, and `create_backbone`, which creates them and those of timm."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mien.core import ConfigError, Registry

if TYPE_CHECKING:
    from torch import nn

Option = bool | int | float | str
"""Type of a constructor argument of a backbone in a recipe."""


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """One entry of the registry of backbones.

    Attributes:
        name: Name in a recipe.
        target: ``"module:class"`` of a `torch.nn.Module`. It is created with ``in_channels`` (1 or 3) and the options
            of the recipe, has ``num_features`` (int), and maps normalised float pixels (N, C, H, W) to
            (N, ``num_features``). One with its own loss also has ``forward_with_penalty``, which returns the features
            and that loss as a scalar; ``[model] penalty`` of a recipe is its weight.
        source: Paper or page of the architecture.
        sized: Whether the network depends on the size of its crops and has the option ``size_px``.
    """

    name: str
    target: str
    source: str
    sized: bool = False


BACKBONES: Registry[Backbone] = Registry(
    "backbone",
    (
        Backbone(
            name="ddamfn",
            target="mien.training.models.backbones.ddamfn:DDAMFN",
            source="Zhang et al., Electronics 12(17):3595, 2023; 112 px, 512 features",
            sized=True,
        ),
        Backbone(
            name="expression_cnn",
            target="mien.training.models.backbones.expression_cnn:ExpressionCNN",
            source="Anas, Rehman, Ong, arXiv 2010.01301; gray 48 px, 256 features",
            sized=True,
        ),
        Backbone(
            name="face_grid",
            target="mien.training.models.backbones.face_grid:FaceGrid",
            source="mien's own; windows of any multiple of 32 px, 17 numbers for each of their cells",
        ),
        Backbone(
            name="joint_trunk",
            target="mien.training.models.backbones.joint_trunk:JointTrunk",
            source="Li, Liu, Chan, arXiv 1406.3474, sizes chosen; any multiple of 8 px, the last map as features",
            sized=True,
        ),
        Backbone(
            name="landmark_maps",
            target="mien.training.models.backbones.landmark_maps:LandmarkMaps",
            source="mien's own; loose crops of any multiple of 16 px, 192 features and 68 mean places",
            sized=True,
        ),
        Backbone(
            name="masked_vit",
            target="mien.training.models.backbones.masked_vit:MaskedViT",
            source="Dosovitskiy et al., ICLR 2021; He et al., CVPR 2022; 224 px, 768 features of each member",
            sized=True,
        ),
        Backbone(
            name="mobilefacenet",
            target="mien.training.models.backbones.mobilefacenet:MobileFaceNet",
            source="Chen et al., arXiv 1804.07573, at scale 2; 112 px, 512 features",
            sized=True,
        ),
        Backbone(
            name="mobilenet_v1",
            target="mien.training.models.backbones.mobilenet_v1:MobileNetV1",
            source="Howard et al., arXiv 1704.04861, as FaceRes and SFace have it; any size, 1024 features",
        ),
        Backbone(
            name="vgg_encoder",
            target="mien.training.models.backbones.vgg_encoder:VGGEncoder",
            source="Zhang et al., arXiv 2010.09849: VGG-16 with two dense layers; any size, 500 features",
            sized=True,
        ),
    ),
)
"""Registry of mien's own `Backbone` by name. Every other name is a model of timm."""


def create_backbone(
    name: str, *, in_channels: int = 3, size_px: int | None = None, options: Mapping[str, Option] | None = None
) -> nn.Module:
    """Create a backbone with random weights; nothing is downloaded.

    Args:
        name: Name in `BACKBONES`, or a model name of timm.
        in_channels: Number of channels, 1 for grayscale, 3 for colour.
        size_px: Side of the crops in pixels, for a backbone that depends on it; None for the published size.
        options: Further keyword arguments of the constructor, for example ``drop_path_rate``.

    Returns:
        A module with ``num_features`` that maps float (N, C, H, W) to (N, ``num_features``).

    Raises:
        ConfigError: The name is unknown, or the backbone does not accept one of the options.
    """
    settings = dict(options or {})
    try:
        if name in BACKBONES:
            if size_px is not None and BACKBONES[name].sized:
                settings.setdefault("size_px", size_px)
            module: nn.Module = BACKBONES.load(name)(in_channels=in_channels, **settings)
        else:
            module = _create_timm(name, in_channels, settings)
    except TypeError as error:
        raise ConfigError(f"backbone {name} does not accept these options: {error}") from error
    if not isinstance(getattr(module, "num_features", None), int):
        raise ConfigError(f"backbone {name} has no attribute num_features")
    return module


def _create_timm(name: str, in_channels: int, options: dict[str, Any]) -> nn.Module:
    import timm

    if not timm.is_model(name):
        near = difflib.get_close_matches(name, [*BACKBONES, *timm.list_models()], cutoff=0.5)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "timm.list_models() lists all names"
        raise ConfigError(f"neither mien nor timm has a backbone named {name!r}; {hint}")
    module: Any = timm.create_model(name, pretrained=False, in_chans=in_channels, num_classes=0, **options)
    # Some timm models (MobileNetV3, GhostNet) have one more layer after pooling, whose width is that of the output
    # without a classifier.
    module.num_features = int(getattr(module, "head_hidden_size", None) or module.num_features)
    backbone: nn.Module = module
    _zero_init_se_gates(backbone)
    return backbone


def _zero_init_se_gates(module: nn.Module) -> None:
    """Initialize every squeeze-and-excite gate of the EfficientNet family with 0.5 for all inputs.

    timm's random gates amplify faces with high contrast in every block: after the 23 blocks of an untrained B2 the
    largest features of 64 faces were 20 times the median (7 times with equal gates). Most faces then contribute little
    to training, and the largest values are so large that float32 rounding alone makes torch and the runtime differ by
    1e-4. Published networks do not start from random weights and are not affected.
    """
    from torch.nn import init

    for name, parameter in module.named_parameters():
        if name.endswith(".conv_expand.weight"):
            init.zeros_(parameter)

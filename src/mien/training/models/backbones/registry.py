# SPDX-License-Identifier: Apache-2.0
"""The table of mien's own backbones, and the one door to them and to timm's."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mien.core import ConfigError, Registry

if TYPE_CHECKING:
    from torch import nn

Option = bool | int | float | str
"""What the constructor of a backbone may be told in a recipe."""


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """One line of the table.

    Attributes:
        name: what recipes write.
        target: ``"module:class"`` of a `torch.nn.Module`. It is built with ``in_channels`` (1 or 3) and the options of
            the recipe, has ``num_features`` (int), and maps normalised float pixels (N, C, H, W) to
            (N, ``num_features``). One with a loss of its own also has ``forward_with_penalty``, which returns the
            features and that loss as a scalar; a recipe weighs it with ``[model] penalty``.
        source: paper or page that it follows.
        sized: whether a layer spans the whole map, so that the network is built for crops of one size, its option
            ``size_px``.
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
            name="mobilefacenet",
            target="mien.training.models.backbones.mobilefacenet:MobileFaceNet",
            source="Chen et al., arXiv 1804.07573, at scale 2; 112 px, 512 features",
            sized=True,
        ),
    ),
)
"""Name -> `Backbone`, mien's own. Every other name is one of timm's models."""


def create_backbone(
    name: str, *, in_channels: int = 3, size_px: int | None = None, options: Mapping[str, Option] | None = None
) -> nn.Module:
    """Build a backbone with random weights; nothing is downloaded.

    Args:
        name: one of `BACKBONES`, or else a model name of timm.
        in_channels: 1 for gray, 3 for colour.
        size_px: side of the crops, for a backbone that is built for one size; None for the published one.
        options: further keyword arguments of the backbone's constructor, for example ``drop_path_rate``.

    Returns:
        A module with ``num_features``; its forward pass takes (N, C, H, W) float and gives (N, ``num_features``).

    Raises:
        ConfigError: the name is unknown, or the backbone does not take one of the options.
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
        raise ConfigError(f"backbone {name} does not take these options: {error}") from error
    if not isinstance(getattr(module, "num_features", None), int):
        raise ConfigError(f"backbone {name} does not say its num_features")
    return module


def _create_timm(name: str, in_channels: int, options: dict[str, Any]) -> nn.Module:
    import timm

    if not timm.is_model(name):
        near = difflib.get_close_matches(name, [*BACKBONES, *timm.list_models()], cutoff=0.5)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "timm.list_models() lists what there is"
        raise ConfigError(f"no backbone is named {name!r}, neither here nor in timm; {hint}")
    module: Any = timm.create_model(name, pretrained=False, in_chans=in_channels, num_classes=0, **options)
    # Some timm models widen the pooled features once more (MobileNetV3, GhostNet); without a classifier that is what
    # comes out.
    module.num_features = int(getattr(module, "head_hidden_size", None) or module.num_features)
    built: nn.Module = module
    _zero_init_se_gates(built)
    return built


def _zero_init_se_gates(module: nn.Module) -> None:
    """Let every squeeze-and-excite gate of a fresh network of the EfficientNet family begin at one half for all faces.

    timm's random gates favour faces of strong contrast, block after block: after the 23 blocks of an untrained B2 the
    strongest of 64 faces had 20 times the features of the median one (7 times with equal gates). Most faces then teach
    nothing, and the few strong ones reach values at which 32-bit rounding alone makes torch and the runtime differ by
    1e-4. The published networks do not start from random weights, so nothing of theirs is changed.
    """
    from torch.nn import init

    for name, parameter in module.named_parameters():
        if name.endswith(".conv_expand.weight"):
            init.zeros_(parameter)

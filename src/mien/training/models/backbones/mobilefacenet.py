# SPDX-License-Identifier: Apache-2.0
"""`MobileFaceNet` at scale 2, which has a learned 7x7 depthwise layer in place of average pooling."""

from __future__ import annotations

from torch import Tensor, nn

from mien.training.models.backbones.blocks import Bottleneck, ConvBlock, final_side, init_kaiming


class MobileFaceNet(nn.Module):
    """Backbone from pixels (N, C, S, S) to features (N, 512).

    It has 2,059,520 parameters at 112 px. Source: Chen et al., "MobileFaceNets", CCBR 2018, arXiv 1804.07573, with
    doubled width as in the MT-EmotiMobileFaceNet of Savchenko, ECCVW 2022.

    Args:
        in_channels: Number of channels, 1 for grayscale, 3 for colour.
        size_px: Side of the crops in pixels, a multiple of 16; the last depthwise layer spans the final map.
        scale: Factor of the channels of the first layers.

    Raises:
        ConfigError: ``size_px`` is not a multiple of 16.
    """

    num_features = 512

    def __init__(self, in_channels: int = 3, *, size_px: int = 112, scale: int = 2) -> None:
        super().__init__()
        self.size_px = size_px
        narrow, wide = 64 * scale, 128 * scale
        self.layers = nn.Sequential(
            ConvBlock(in_channels, narrow, 3, stride=2),
            ConvBlock(narrow, narrow, 3, groups=64),  # two channels per group at scale 2, not depthwise
            _depthwise(narrow, narrow, narrow, stride=2),
            *(_depthwise(narrow, narrow, narrow, residual=True) for _ in range(4)),
            _depthwise(narrow, wide, wide, stride=2),
            *(_depthwise(wide, wide, wide, residual=True) for _ in range(6)),
            _depthwise(wide, wide, 2 * wide, stride=2),
            *(_depthwise(wide, wide, wide, residual=True) for _ in range(2)),
            ConvBlock(wide, 512),
            ConvBlock(512, 512, final_side(size_px), padding=0, groups=512, linear=True),
            nn.Flatten(),
            nn.Linear(512, self.num_features, bias=False),
            nn.BatchNorm1d(self.num_features),
        )
        init_kaiming(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised float pixels (N, C, S, S) to features (N, 512)."""
        features: Tensor = self.layers(x)
        return features


def _depthwise(n_in: int, n_out: int, n_inner: int, *, stride: int = 1, residual: bool = False) -> Bottleneck:
    spatial = ConvBlock(n_inner, n_inner, 3, stride=stride, groups=n_inner)
    return Bottleneck(n_in, n_out, n_inner, spatial, residual=residual)

# SPDX-License-Identifier: Apache-2.0
"""`JointTrunk`, the convolutions that joint regression and part detection share."""

from __future__ import annotations

from torch import Tensor, nn

from mien.core import ConfigError

_STRIDE = 8
# As published; torch divides alpha by the number of channels that it sums over.
_ALPHA, _BETA, _CHANNELS = 0.0025, 0.75, 5


class JointTrunk(nn.Module):
    """Backbone from pixels (N, C, S, S) to the last pooled map, flattened: three convolutions with ReLU and pooling.

    Local response normalisation follows the second pooling. Source: Li, Liu and Chan, arXiv 1406.3474; numbers of
    channels and sizes of kernels are choices, since the paper's were not available.

    Args:
        in_channels: Number C of channels.
        size_px: Side S of the crops, a multiple of 8 from 16 on; 112 as published.
        width: Number of channels of the first convolution; the next have twice and three times as many.

    Raises:
        ConfigError: The side does not fit.
    """

    def __init__(self, in_channels: int = 3, *, size_px: int = 112, width: int = 16) -> None:
        super().__init__()
        if size_px < 2 * _STRIDE or size_px % _STRIDE:
            raise ConfigError(
                f"input_px of joint_trunk must be a multiple of {_STRIDE} from {2 * _STRIDE} on, got {size_px}"
            )
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, width, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.LocalResponseNorm(_CHANNELS, alpha=_ALPHA, beta=_BETA),
            nn.Conv2d(2 * width, 3 * width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Flatten(),
        )
        self.size_px = size_px
        self.num_features = 3 * width * (size_px // _STRIDE) ** 2

    def forward(self, pixels: Tensor) -> Tensor:
        """Map normalised pixels (N, C, S, S) to (N, ``num_features``), all at least 0."""
        features: Tensor = self.layers(pixels)
        return features

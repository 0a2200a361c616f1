# SPDX-License-Identifier: Apache-2.0
"""`VGGEncoder`, the encoder of noisyFER: the convolutions of VGG-16 and two dense layers."""

from __future__ import annotations

import math

from torch import Tensor, nn

# Channels of the 13 convolutions; "pool" halves the map, rounded up.
_LAYERS = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512, "pool")
_N_POOLS = 5


class VGGEncoder(nn.Module):
    """Backbone from pixels (N, C, S, S) to features (N, ``hidden``), all at least 0.

    Convolutions 3 x 3 with biases, no batch normalisation, pools that round up, then two dense layers, each with ReLU
    and dropout; He-normal first weights. At 64 px in colour and with the published widths: 15,989,688 parameters.
    Source: Zhang et al., arXiv 2010.09849, and the authors' code.

    Args:
        in_channels: Number of channels.
        size_px: Side of the crops in pixels; the dense layers depend on it.
        width: Factor of the published numbers of channels.
        hidden: Width of both dense layers, 500 as published; 512 for the pictures of 32 px of CIFAR-10.
        drop_rate: Dropout after each dense layer.
        norm: Whether a batch normalisation follows every convolution, which the source has not: a network that trains
            for a few minutes only needs it.
    """

    def __init__(
        self,
        in_channels: int = 3,
        *,
        size_px: int = 64,
        width: float = 1.0,
        hidden: int = 500,
        drop_rate: float = 0.5,
        norm: bool = False,
    ) -> None:
        super().__init__()
        self.size_px, self.num_features = size_px, hidden
        layers: list[nn.Module] = []
        n_in = in_channels
        for layer in _LAYERS:
            if isinstance(layer, str):
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
                continue
            n_out = round(layer * width)
            layers.append(nn.Conv2d(n_in, n_out, 3, padding=1))
            layers += [nn.BatchNorm2d(n_out)] if norm else []
            layers.append(nn.ReLU())
            n_in = n_out
        n_map = n_in * math.ceil(size_px / 2**_N_POOLS) ** 2
        self.convolutions = nn.Sequential(*layers)
        self.dense = nn.Sequential(
            nn.Flatten(),
            *(nn.Linear(n_map, hidden), nn.ReLU(), nn.Dropout(drop_rate)),
            *(nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(drop_rate)),
        )
        for part in self.modules():
            if isinstance(part, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
                nn.init.zeros_(part.bias)  # type: ignore[arg-type]  # every one of these layers has a bias

    def forward(self, x: Tensor) -> Tensor:
        """Map float pixels (N, C, S, S) to features (N, ``hidden``)."""
        features: Tensor = self.dense(self.convolutions(x))
        return features

# SPDX-License-Identifier: Apache-2.0
"""The plain expression CNN of the 2020 Aff-Wild2 expression track."""

from __future__ import annotations

from torch import Tensor, nn

from mien.training.models.backbones.blocks import final_side

# Keras' defaults, with which the net was published; torch counts momentum the other way round.
_EPS, _MOMENTUM = 1e-3, 0.01


class ExpressionCNN(nn.Module):
    """Gray pixels (N, C, S, S) to (N, 256): factorised 3x3 convolutions, then two dense layers.

    With a 7-way classifier it has 4,062,535 parameters as Keras counts them, 3,456 of them moving statistics.
    Source: Anas, Rehman, Ong, arXiv 2010.01301. Published on gray crops of 48 px without any scaling of 0..255.

    Args:
        in_channels: 1 as published.
        size_px: side of the crops, a multiple of 16; the dense layers are bound to it.
        dropout: after every stage and dense layer.

    Raises:
        ConfigError: ``size_px`` is no multiple of 16.
    """

    num_features = 256

    def __init__(self, in_channels: int = 1, *, size_px: int = 48, dropout: float = 0.25) -> None:
        super().__init__()
        self.size_px = size_px
        self.layers = nn.Sequential(
            *_stage(in_channels, 64, dropout),
            *_stage(64, 128, dropout),
            *_stage(128, 256, dropout),
            *_stage(256, 512, dropout),
            nn.Flatten(),
            *_dense(512 * final_side(size_px) ** 2, 512, dropout),
            *_dense(512, self.num_features, dropout),
        )
        for part in self.layers:
            if isinstance(part, (nn.Conv2d, nn.Linear)):
                nn.init.xavier_uniform_(part.weight)  # Keras' default
                nn.init.zeros_(part.bias)  # type: ignore[arg-type]  # none of these layers lacks its bias

    def forward(self, x: Tensor) -> Tensor:
        """Float pixels (N, C, S, S) to features (N, 256), all of them >= 0."""
        features: Tensor = self.layers(x)
        return features


def _stage(n_in: int, n_out: int, dropout: float) -> list[nn.Module]:
    """A 3x1 and a 1x3 convolution with nothing between them make one factorised 3x3; then the map is halved."""
    return [
        nn.Conv2d(n_in, n_out, (3, 1), padding="same"),
        nn.Conv2d(n_out, n_out, (1, 3), padding="same"),
        nn.BatchNorm2d(n_out, eps=_EPS, momentum=_MOMENTUM),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(dropout),
    ]


def _dense(n_in: int, n_out: int, dropout: float) -> list[nn.Module]:
    return [
        nn.Linear(n_in, n_out),
        nn.BatchNorm1d(n_out, eps=_EPS, momentum=_MOMENTUM),
        nn.ReLU(),
        nn.Dropout(dropout),
    ]

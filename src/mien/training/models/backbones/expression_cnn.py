# SPDX-License-Identifier: Apache-2.0
"""`ExpressionCNN`, the plain CNN of the 2020 Aff-Wild2 expression track."""

from __future__ import annotations

from torch import Tensor, nn

from mien.training.models.backbones.blocks import final_side

# Keras' defaults, as published; torch defines momentum as 1 - Keras' momentum.
_EPS, _MOMENTUM = 1e-3, 0.01


class ExpressionCNN(nn.Module):
    """Backbone from grayscale pixels (N, C, S, S) to features (N, 256): factorised 3x3 convolutions, two dense layers.

    With a 7-way classifier it has 4,062,535 parameters by Keras' count, which includes 3,456 moving statistics.
    Source: Anas, Rehman, Ong, arXiv 2010.01301. Published for grayscale crops of 48 px with values 0 to 255, unscaled.

    Args:
        in_channels: Number of channels, 1 as published.
        size_px: Side of the crops in pixels, a multiple of 16; the dense layers depend on it.
        dropout: Dropout rate after every stage and dense layer.

    Raises:
        ConfigError: ``size_px`` is not a multiple of 16.
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
                nn.init.zeros_(part.bias)  # type: ignore[arg-type]  # every one of these layers has a bias

    def forward(self, x: Tensor) -> Tensor:
        """Map float pixels (N, C, S, S) to features (N, 256), all at least 0."""
        features: Tensor = self.layers(x)
        return features


def _stage(n_in: int, n_out: int, dropout: float) -> list[nn.Module]:
    """A factorised 3x3 convolution (3x1, then 1x3, without an activation between them) that halves the map."""
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

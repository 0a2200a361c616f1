# SPDX-License-Identifier: Apache-2.0
"""A third of a million weights for a loose gray crop: an embedding, and mean places under one map per landmark.

[choice] throughout: inverted residuals (Sandler et al., CVPR 2018) down to a sixteenth of the size. Each landmark is
the mean place under a map of its own at an eighth of the size (the integral of Sun et al., ECCV 2018); heads move it by
what one vector of the whole crop says: a filter per channel over the last map, so that places are kept (Chen et al.,
MobileFaceNets, 2018).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.core import ConfigError

N_LANDMARKS = 68

# Plain convolutions down to a quarter, where inverted residuals would cost most; then (expansion, channels, repeats,
# stride) of these.
_STEM = (16, 32)
_STAGES = ((2, 32, 2, 1), (3, 48, 3, 2), (4, 96, 3, 2))
_EMBEDDING = 192
_MAP_CHANNELS = 48
_MAP_STRIDE, _LAST_STRIDE = 8, 16


class LandmarkMaps(nn.Module):
    """Normalised pixels (N, C, S, S) to (N, 328): 192 features, then x and y of 68 places as fractions of the side.

    Args:
        in_channels: Number C of channels.
        size_px: Side S of the crops, a multiple of 16 from 32 on.

    Raises:
        ConfigError: The side does not fit.
    """

    cells: Tensor
    num_features = _EMBEDDING + 2 * N_LANDMARKS

    def __init__(self, in_channels: int = 3, size_px: int = 96) -> None:
        super().__init__()
        if size_px < 2 * _LAST_STRIDE or size_px % _LAST_STRIDE:
            raise ConfigError(
                f"input_px of landmark_maps must be a multiple of {_LAST_STRIDE} from {2 * _LAST_STRIDE} on, "
                f"got {size_px}"
            )
        self.size_px = size_px
        layers: list[nn.Module] = []
        width = in_channels
        for channels in _STEM:
            layers.append(_convolution(width, channels, kernel=3, stride=2))
            width = channels
        stages = []
        for expansion, channels, repeats, stride in _STAGES:
            for number in range(repeats):
                layers.append(_InvertedResidual(width, channels, expansion, stride if number == 0 else 1))
                width = channels
            stages.append(nn.Sequential(*layers))
            layers = []
        *first, last = stages
        self.trunk, self.last_stage = nn.Sequential(*first), last
        self.fine = nn.Conv2d(_STAGES[-2][1], _MAP_CHANNELS, 1)
        self.coarse = nn.Conv2d(width, _MAP_CHANNELS, 1)
        self.maps = nn.Sequential(
            nn.ReLU(inplace=True),
            _convolution(_MAP_CHANNELS, _MAP_CHANNELS, kernel=3, stride=1, groups=_MAP_CHANNELS),
            nn.Conv2d(_MAP_CHANNELS, N_LANDMARKS, 1),
        )
        self.register_buffer("cells", _cell_centres(size_px // _MAP_STRIDE))
        self.places = nn.Sequential(
            _convolution(width, _EMBEDDING, kernel=1, stride=1),
            nn.Conv2d(_EMBEDDING, _EMBEDDING, size_px // _LAST_STRIDE, groups=_EMBEDDING, bias=False),
            nn.BatchNorm2d(_EMBEDDING),
            nn.Flatten(),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """The embedding of the last map, then the mean places under the landmarks' maps."""
        middle = self.trunk(pixels)
        last = self.last_stage(middle)
        embedding = self.places(last)
        wide = functional.interpolate(self.coarse(last), scale_factor=_LAST_STRIDE / _MAP_STRIDE, mode="nearest")
        shares = self.maps(wide + self.fine(middle)).flatten(2).softmax(dim=-1)
        return torch.cat([embedding, (shares @ self.cells).flatten(1)], dim=1)


def _cell_centres(side: int) -> Tensor:
    """(side * side, 2) x and y of a map's cells, row by row, fractions of its side."""
    centres = (torch.arange(side, dtype=torch.float32) + 0.5) / side
    return torch.stack(torch.meshgrid(centres, centres, indexing="xy"), dim=-1).reshape(-1, 2)


class _InvertedResidual(nn.Module):
    def __init__(self, width: int, channels: int, expansion: int, stride: int) -> None:
        super().__init__()
        inner = width * expansion
        self.layers = nn.Sequential(
            _convolution(width, inner, kernel=1, stride=1),
            _convolution(inner, inner, kernel=3, stride=stride, groups=inner),
            nn.Conv2d(inner, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.skips = stride == 1 and width == channels

    def forward(self, values: Tensor) -> Tensor:
        out: Tensor = self.layers(values)
        return values + out if self.skips else out


def _convolution(width: int, channels: int, *, kernel: int, stride: int, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, channels, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )

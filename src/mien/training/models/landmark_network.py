# SPDX-License-Identifier: Apache-2.0
"""A third of a million weights: 68 points, pose, eye openness and confidence from a loose gray crop.

[choice] throughout: inverted residuals (Sandler et al., CVPR 2018) down to a sixteenth of the size. Each point is the
mean place under a map of its own at an eighth of the size (the integral of Sun et al., ECCV 2018), moved by what one
vector of the whole crop says: a filter per channel over the last map, so that places are kept (Chen et al.,
MobileFaceNets, 2018).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

N_POINTS = 68

# Plain convolutions down to a quarter, where inverted residuals would cost most; then (expansion, channels, repeats,
# stride) of these.
_STEM = (16, 32)
_STAGES = ((2, 32, 2, 1), (3, 48, 3, 2), (4, 96, 3, 2))
_EMBEDDING = 192
_MAP_CHANNELS = 48
_MAP_STRIDE, _LAST_STRIDE = 8, 16

# What one unit of the last layer is worth. Adam moves every weight by about the learning rate, whatever the units: with
# fractions of the side as they are, one step shook the points by a sixth of an eye distance.
_POINTS_UNIT, _POSE_UNIT_RAD = 0.04, 0.2


class LandmarkOutputs(NamedTuple):
    """What one pass gives for N crops.

    Attributes:
        points: (N, 136) x and y of the 68 points in turn, fractions of the crop's side.
        pose_rad: (N, 3).
        eyes_open: (N, 2) logits.
        face: (N, 1) logit.
    """

    points: Tensor
    pose_rad: Tensor
    eyes_open: Tensor
    face: Tensor


class LandmarkNetwork(nn.Module):
    """Gray uint8 crops (N, S, S, 1) to a `LandmarkOutputs`.

    Args:
        size_px: side of the crops, a multiple of 16.
    """

    def __init__(self, size_px: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 1
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
            nn.Conv2d(_MAP_CHANNELS, N_POINTS, 1),
        )
        self.register_buffer("cells", _cell_centres(size_px // _MAP_STRIDE))
        self.places = nn.Sequential(
            _convolution(width, _EMBEDDING, kernel=1, stride=1),
            nn.Conv2d(_EMBEDDING, _EMBEDDING, size_px // _LAST_STRIDE, groups=_EMBEDDING, bias=False),
            nn.BatchNorm2d(_EMBEDDING),
            nn.Flatten(),
        )
        self.heads = nn.Linear(_EMBEDDING, 2 * N_POINTS + 3 + 2 + 1)

    def forward(self, crops: Tensor) -> LandmarkOutputs:
        """Normalise and read: points from maps and vector, the rest from the vector."""
        pixels = (crops.permute(0, 3, 1, 2).to(torch.float32) - 127.0) / 128.0
        middle = self.trunk(pixels.contiguous(memory_format=torch.channels_last))
        last = self.last_stage(middle)
        moves, pose, eyes, face = self.heads(self.places(last)).split([2 * N_POINTS, 3, 2, 1], dim=1)
        wide = functional.interpolate(self.coarse(last), scale_factor=_LAST_STRIDE / _MAP_STRIDE, mode="nearest")
        shares = self.maps(wide + self.fine(middle)).flatten(2).softmax(dim=-1)
        points = (shares @ self.cells).flatten(1) + _POINTS_UNIT * moves
        return LandmarkOutputs(points, _POSE_UNIT_RAD * pose, eyes, face)


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

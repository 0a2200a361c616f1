# SPDX-License-Identifier: Apache-2.0
"""A third of a million weights: 68 points, pose, eye openness and confidence from a loose gray crop.

[choice] throughout: inverted residuals (Sandler et al., CVPR 2018) down to a sixteenth of the size, then one filter per
channel over the whole map instead of an average, so that places are kept (Chen et al., MobileFaceNets, 2018).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

N_POINTS = 68

# (expansion, channels, repeats, stride) after a stem of 16 channels at half the size.
_STAGES = ((2, 16, 1, 1), (4, 24, 2, 2), (4, 40, 3, 2), (4, 80, 3, 2))
_EMBEDDING = 192

# What one unit of the last layer is worth. Adam moves every weight by about the learning rate, whatever the units: with
# fractions of the side as they are, one step shook the points by a sixth of an eye distance.
_POINTS_UNIT, _POSE_UNIT_RAD = 0.04, 0.2


class Reading(NamedTuple):
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
    """Gray uint8 crops (N, S, S, 1) to a `Reading`.

    Args:
        size_px: side of the crops, a multiple of 16.
        mean_points: (136,) where the points lie on average: the net learns what differs.
    """

    def __init__(self, size_px: int, mean_points: Tensor) -> None:
        super().__init__()
        layers: list[nn.Module] = [_convolution(1, 16, kernel=3, stride=2)]
        width = 16
        for expansion, channels, repeats, stride in _STAGES:
            for number in range(repeats):
                layers.append(_InvertedResidual(width, channels, expansion, stride if number == 0 else 1))
                width = channels
        self.trunk = nn.Sequential(*layers)
        self.places = nn.Sequential(
            _convolution(width, _EMBEDDING, kernel=1, stride=1),
            nn.Conv2d(_EMBEDDING, _EMBEDDING, size_px // 16, groups=_EMBEDDING, bias=False),
            nn.BatchNorm2d(_EMBEDDING),
            nn.Flatten(),
        )
        self.heads = nn.Linear(_EMBEDDING, 2 * N_POINTS + 3 + 2 + 1)
        self.register_buffer("mean_points", mean_points.clone())

    def forward(self, crops: Tensor) -> Reading:
        """Normalise, embed, and read everything from one vector."""
        pixels = (crops.permute(0, 3, 1, 2).to(torch.float32) - 127.0) / 128.0
        answers = self.heads(self.places(self.trunk(pixels.contiguous(memory_format=torch.channels_last))))
        points, pose, eyes, face = answers.split([2 * N_POINTS, 3, 2, 1], dim=1)
        return Reading(self.mean_points + _POINTS_UNIT * points, _POSE_UNIT_RAD * pose, eyes, face)


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

# SPDX-License-Identifier: Apache-2.0
"""An eighth of a million weights that look for faces in each cell of three grids.

[choice] throughout: depthwise-separable blocks (Howard et al., MobileNets, 2017) with a path back from coarse to fine
(Lin et al., FPN, CVPR 2017) and one row of numbers a cell, without anchors (Tian et al., FCOS, ICCV 2019), at about the
size of YuNet (Wu et al., Machine Intelligence Research 20, 2023).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.core import FACE_GRID, N_CELL_VALUES, ConfigError

_STEM, _QUARTER, _WIDTHS, _NECK = 16, 32, (64, 96, 128), 64
_BLOCKS = 2
# Share of cells with a face, about, before any training: the loss of all others would drown it.
_RARE_LOGIT = -4.5


class FaceGrid(nn.Module):
    """Normalised pixels (N, C, H, W), H and W multiples of 32, to the cells (N, 17, M) of `mien.core.FACE_GRID`.

    Args:
        in_channels: Number C of channels.
    """

    num_features = N_CELL_VALUES

    def __init__(self, in_channels: int = 1) -> None:
        super().__init__()
        fine, middle, coarse = _WIDTHS
        self.stem = nn.Sequential(_convolution(in_channels, _STEM, 3, 2), _separable(_STEM, _QUARTER, 2))
        self.fine = nn.Sequential(_separable(_QUARTER, fine, 2), *(_Residual(fine) for _ in range(_BLOCKS)))
        self.middle = nn.Sequential(_separable(fine, middle, 2), *(_Residual(middle) for _ in range(_BLOCKS)))
        self.coarse = nn.Sequential(_separable(middle, coarse, 2), *(_Residual(coarse, 5) for _ in range(_BLOCKS)))
        self.from_middle, self.from_coarse = _convolution(middle, _NECK, 1), _convolution(coarse, _NECK, 1)
        self.necks = nn.ModuleList(_separable(_NECK, _NECK, kernel=kernel) for kernel in (3, 3, 5))
        heads = [nn.Conv2d(_NECK, N_CELL_VALUES, 1) for _ in FACE_GRID.strides]
        for head in heads:
            nn.init.normal_(head.weight, std=0.01)
            bias = torch.zeros(N_CELL_VALUES)
            bias[0] = _RARE_LOGIT
            head.bias = nn.Parameter(bias)
        self.cells = nn.ModuleList(heads)

    def forward(self, pixels: Tensor) -> Tensor:
        """The values of all cells."""
        fine = self.fine(self.stem(pixels))
        middle = self.middle(fine)
        coarse = self.from_coarse(self.coarse(middle))
        middle = self.necks[1](self.from_middle(middle) + _twice(coarse))
        maps = (self.necks[0](fine + _twice(middle)), middle, self.necks[2](coarse))
        return torch.cat([head(one).flatten(2) for head, one in zip(self.cells, maps, strict=True)], dim=2)


class CellsHead(nn.Module):
    """Gives the values of the cells on as they are: the backbone has a head at each grid."""

    def forward(self, cells: Tensor) -> Tensor:
        """(N, 17, cells) unchanged."""
        return cells


def cells_head(n_inputs: int, n_outputs: int, settings: object) -> nn.Module:  # noqa: ARG001 - heads have these
    """A `CellsHead`.

    Raises:
        ConfigError: The backbone has no cells.
    """
    if n_inputs != N_CELL_VALUES:
        raise ConfigError(f"a head of kind 'cells' needs the backbone face_grid, got {n_inputs} features")
    return CellsHead()


class _Residual(nn.Module):
    def __init__(self, width: int, kernel: int = 3) -> None:
        super().__init__()
        self.change = _separable(width, width, kernel=kernel)

    def forward(self, values: Tensor) -> Tensor:
        changed: Tensor = values + self.change(values)
        return changed


def _twice(values: Tensor) -> Tensor:
    return functional.interpolate(values, scale_factor=2.0, mode="nearest")


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def _separable(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, kernel, stride, kernel // 2, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs),
        *_convolution(inputs, outputs, 1),
    )

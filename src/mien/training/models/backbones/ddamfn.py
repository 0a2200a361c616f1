# SPDX-License-Identifier: Apache-2.0
"""DDAMFN: mixed depthwise kernels with coordinate attention, and attention heads that attend to different regions.

Source: Zhang, Zhang, Zhang, Wang, "A Dual-Direction Attention Mixed Feature Network for Facial Expression
Recognition", Electronics 12(17):3595, 2023.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mien.training.models.backbones.blocks import Bottleneck, ConvBlock, final_side, init_kaiming

_SQUEEZE = 32

# (kernel side, share of the channels) of the first block of a stage, which halves the map, and of its other blocks.
_WIDE_HALF: tuple[tuple[int, float], ...] = ((3, 0.5), (5, 0.25), (7, 0.25))
_MOSTLY_3: tuple[tuple[int, float], ...] = ((3, 0.75), (5, 0.25))
_THIRDS: tuple[tuple[int, float], ...] = ((3, 1 / 3), (5, 1 / 3), (7, 1 / 3))
_QUARTERS: tuple[tuple[int, float], ...] = ((3, 0.25), (5, 0.25), (7, 0.25), (9, 0.25))


class MixedDepthwise(nn.Module):
    """Depthwise convolution whose groups of channels have different kernel sizes.

    Args:
        n_channels: Number of input and output channels.
        kernels: Pairs of kernel side and share of the channels.
        stride: Stride in both directions.
        norm_act: Whether to add batch normalisation and PReLU. The authors' code declares both but never calls them;
            weights trained with it need False.
    """

    def __init__(
        self, n_channels: int, kernels: Sequence[tuple[int, float]], *, stride: int = 1, norm_act: bool = False
    ) -> None:
        super().__init__()
        self.sizes = _split(n_channels, [share for _, share in kernels])
        self.parts = nn.ModuleList(
            nn.Conv2d(n, n, side, stride, side // 2, groups=n, bias=False)
            for n, (side, _) in zip(self.sizes, kernels, strict=True)
        )
        self.after = nn.Sequential(nn.BatchNorm2d(n_channels), nn.PReLU(n_channels)) if norm_act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, ``n_channels``, H, W) to the same size, or half the height and width at stride 2."""
        pieces = zip(self.parts, x.split(self.sizes, dim=1), strict=True)
        y: Tensor = self.after(torch.cat([part(piece) for part, piece in pieces], dim=1))
        return y


class _DirectionGates(nn.Module):
    """Product of one gate per row and one per column, each a sigmoid of squeezed row and column features.

    Source: Hou et al., "Coordinate Attention", CVPR 2021.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        n_squeezed = max(8, n_channels // _SQUEEZE)
        self.squeeze = nn.Sequential(nn.Conv2d(n_channels, n_squeezed, 1), nn.BatchNorm2d(n_squeezed), nn.Hardswish())
        self.row_gate = nn.Conv2d(n_squeezed, n_channels, 1)
        self.column_gate = nn.Conv2d(n_squeezed, n_channels, 1)

    def forward(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Map (N, C, H, 1) and (N, C, 1, W) to gates (N, C, H, W) in (0, 1)."""
        height = rows.shape[2]
        squeezed: Tensor = self.squeeze(torch.cat([rows, columns.transpose(2, 3)], dim=2))
        row_gates: Tensor = self.row_gate(squeezed[:, :, :height])
        column_gates: Tensor = self.column_gate(squeezed[:, :, height:].transpose(2, 3))
        return row_gates.sigmoid() * column_gates.sigmoid()


class CoordinateAttention(nn.Module):
    """Gates from the means of rows and columns, applied to the map itself."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.gates = _DirectionGates(n_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same size."""
        gates: Tensor = self.gates(x.mean(3, keepdim=True), x.mean(2, keepdim=True))
        return x * gates


class AttentionHead(nn.Module):
    """Gates from learned sums of the rows and columns (linear depthwise 1xS and Sx1) of an SxS map."""

    def __init__(self, n_channels: int, side: int) -> None:
        super().__init__()
        self.rows = ConvBlock(n_channels, n_channels, (1, side), groups=n_channels, linear=True)
        self.columns = ConvBlock(n_channels, n_channels, (side, 1), groups=n_channels, linear=True)
        self.gates = _DirectionGates(n_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, S, S) to gates (N, C, S, S) in (0, 1)."""
        gates: Tensor = self.gates(self.rows(x), self.columns(x))
        return gates

    def init_spread(self) -> None:
        """Initialize the gates with a wide spread over (0, 1), so that heads attend to different regions.

        [choice] With fan-out weights all gates are near 0.25. `attention_diversity_loss` is then near 750, and its
        gradient on the shared layers is 28 times that of the labels: the heads diverge within the first steps, but
        along one direction that is the same for all faces, and the features then do not distinguish faces.
        """
        for gate in (self.gates.row_gate, self.gates.column_gate):
            nn.init.kaiming_normal_(gate.weight, mode="fan_in")


class DDAMFN(nn.Module):
    """Backbone from pixels (N, C, S, S) to features (N, 512).

    Args:
        in_channels: Number of channels, 1 for grayscale, 3 for colour.
        size_px: Side of the crops in pixels, a multiple of 16; 112 as published.
        n_heads: Number of attention heads; the maximum of their gates is applied.
        norm_act: Whether mixed kernels are normalised, see `MixedDepthwise`; False as published.

    Raises:
        ConfigError: ``size_px`` is not a multiple of 16.
    """

    num_features = 512

    def __init__(self, in_channels: int = 3, *, size_px: int = 112, n_heads: int = 2, norm_act: bool = False) -> None:
        super().__init__()
        self.size_px = size_px
        side = final_side(size_px)

        def mixed(
            n_in: int, n_out: int, n_inner: int, kernels: Sequence[tuple[int, float]], *, stride: int = 1
        ) -> Bottleneck:
            spatial = nn.Sequential(
                MixedDepthwise(n_inner, kernels, stride=stride, norm_act=norm_act), CoordinateAttention(n_inner)
            )
            return Bottleneck(n_in, n_out, n_inner, spatial, residual=stride == 1)

        self.mixed_feature_net = nn.Sequential(
            ConvBlock(in_channels, 64, 3, stride=2),
            ConvBlock(64, 64, 3, groups=64),
            mixed(64, 64, 128, _WIDE_HALF, stride=2),
            *(mixed(64, 64, 128, _MOSTLY_3) for _ in range(9)),
            mixed(64, 128, 256, _WIDE_HALF, stride=2),
            *(mixed(128, 128, 256, _MOSTLY_3) for _ in range(16)),
            mixed(128, 256, 1024, _QUARTERS, stride=2),
            *(mixed(256, 256, 512, _THIRDS) for _ in range(6)),
            ConvBlock(256, 512),
        )
        heads = [AttentionHead(512, side) for _ in range(n_heads)]
        self.heads = nn.ModuleList(heads)
        self.embed = nn.Sequential(
            ConvBlock(512, self.num_features, side, padding=0, groups=512, linear=True), nn.Flatten()
        )
        init_kaiming(self)
        for head in heads:
            head.init_spread()

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised float pixels (N, C, S, S) to features (N, 512)."""
        return self.forward_with_attention(x)[0]

    def forward_with_penalty(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features and the `attention_diversity_loss` of the heads, which the paper weights by 0.1."""
        features, gates = self.forward_with_attention(x)
        return features, attention_diversity_loss(gates)

    def forward_with_attention(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Compute the features and the gates (N, 512, S / 16, S / 16) of every head."""
        shared: Tensor = self.mixed_feature_net(x)
        gates = tuple(head(shared) for head in self.heads)
        features: Tensor = self.embed(shared * torch.stack(gates).amax(0))
        return features, gates


def attention_diversity_loss(gates: Sequence[Tensor], eps: float = 1e-8) -> Tensor:
    """Number of head pairs / (sum of their mean squared differences + eps); large for heads with similar gates.

    Args:
        gates: One tensor per head, all of one shape; with fewer than two heads the loss is 0.
        eps: Constant that keeps the loss of identical heads finite.
    """
    differences = [(one - other).square().mean() for one, other in itertools.combinations(gates, 2)]
    if not differences:
        return gates[0].new_zeros(())
    return len(differences) / (torch.stack(differences).sum() + eps)


def _split(n_channels: int, shares: Sequence[float]) -> list[int]:
    """Even numbers of channels in these shares; the first gets the rest: 512 in thirds is 172 + 170 + 170."""
    others = [2 * int(n_channels * share / 2) for share in shares[1:]]
    return [n_channels - sum(others), *others]

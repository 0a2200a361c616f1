# SPDX-License-Identifier: Apache-2.0
"""Building blocks of the MobileFaceNet family of backbones."""

from __future__ import annotations

from torch import Tensor, nn

from mien.core import ConfigError

# Four strides of 2 reduce 112 px to a 7 x 7 map.
_STRIDE = 16


class ConvBlock(nn.Sequential):
    """Convolution without bias, batch normalisation and, unless it is linear, PReLU with one slope per channel.

    Args:
        n_in: Number of input channels.
        n_out: Number of output channels.
        kernel: Side of the kernel, or (height, width).
        stride: Stride in both directions.
        padding: Padding on all sides; None keeps the size at stride 1 for odd kernels.
        groups: Number of groups; as many as channels for a depthwise convolution.
        linear: Whether to omit the PReLU.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        kernel: int | tuple[int, int] = 1,
        *,
        stride: int = 1,
        padding: int | None = None,
        groups: int = 1,
        linear: bool = False,
    ) -> None:
        if padding is None:
            padding = kernel // 2 if isinstance(kernel, int) else 0
        super().__init__(
            nn.Conv2d(n_in, n_out, kernel, stride, padding, groups=groups, bias=False),
            nn.BatchNorm2d(n_out),
            *([] if linear else [nn.PReLU(n_out)]),
        )


class Bottleneck(nn.Module):
    """Inverted bottleneck: 1x1 to ``n_inner`` channels, a spatial layer, linear 1x1 to ``n_out`` channels.

    Args:
        n_in: Number of input channels.
        n_out: Number of output channels.
        n_inner: Number of channels of the spatial layer.
        spatial: Module from (N, ``n_inner``, H, W) to the same size or, with a stride, half the height and width.
        residual: Whether to add the input to the output; channels and size must then agree.
    """

    def __init__(self, n_in: int, n_out: int, n_inner: int, spatial: nn.Module, *, residual: bool = False) -> None:
        super().__init__()
        self.expand = ConvBlock(n_in, n_inner)
        self.spatial = spatial
        self.project = ConvBlock(n_inner, n_out, linear=True)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, ``n_in``, H, W) to (N, ``n_out``, H', W')."""
        y: Tensor = self.project(self.spatial(self.expand(x)))
        return x + y if self.residual else y


def final_side(size_px: int) -> int:
    """Side of the last feature map, for example 7 for crops of 112 px.

    Raises:
        ConfigError: The side of the crop is not a positive multiple of 16.
    """
    if size_px < _STRIDE or size_px % _STRIDE:
        raise ConfigError(f"this backbone takes crops whose side is a multiple of {_STRIDE} px, got {size_px}")
    return size_px // _STRIDE


def init_kaiming(module: nn.Module) -> None:
    """Initialize convolutions and matrices with Kaiming normal (fan-out; He et al., ICCV 2015), biases with zeros."""
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(part.weight, mode="fan_out")
            if part.bias is not None:
                nn.init.zeros_(part.bias)

# SPDX-License-Identifier: Apache-2.0
"""What the face-recognition backbones of the MobileFaceNet family are built of."""

from __future__ import annotations

from torch import Tensor, nn

from mien.core import ConfigError

# 112 px pass four strides of 2 and leave a 7 x 7 map.
_STRIDE = 16


class ConvBlock(nn.Sequential):
    """A convolution without bias, batch normalisation and, unless it is linear, one PReLU slope per channel.

    Args:
        n_in: channels of the input.
        n_out: channels of the output.
        kernel: side of the kernel, or (height, width).
        stride: in both directions.
        padding: on all sides; by default what keeps the size at stride 1, for odd kernels.
        groups: of the convolution; as many as channels make it depthwise.
        linear: whether the PReLU is left out.
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
    """1x1 up to ``n_inner`` channels, a spatial layer among them, linear 1x1 down to ``n_out``.

    Args:
        n_in: channels of the input.
        n_out: channels of the output.
        n_inner: channels in between.
        spatial: maps (N, ``n_inner``, H, W) to the same or, with a stride, half the height and width.
        residual: whether the input is added to the output; channels and size must then agree.
    """

    def __init__(self, n_in: int, n_out: int, n_inner: int, spatial: nn.Module, *, residual: bool = False) -> None:
        super().__init__()
        self.expand = ConvBlock(n_in, n_inner)
        self.spatial = spatial
        self.project = ConvBlock(n_inner, n_out, linear=True)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """(N, ``n_in``, H, W) to (N, ``n_out``, H', W')."""
        y: Tensor = self.project(self.spatial(self.expand(x)))
        return x + y if self.residual else y


def final_side(size_px: int) -> int:
    """Side of the last feature map: 7 for crops of 112 px.

    Raises:
        ConfigError: the side of the crop is no positive multiple of 16, so that the last layer would not fit.
    """
    if size_px < _STRIDE or size_px % _STRIDE:
        raise ConfigError(f"this backbone takes crops whose side is a multiple of {_STRIDE} px, got {size_px}")
    return size_px // _STRIDE


def init_kaiming(module: nn.Module) -> None:
    """Kaiming normal (fan-out) for convolutions and matrices, as in He et al., ICCV 2015; zeros for their biases."""
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(part.weight, mode="fan_out")
            if part.bias is not None:
                nn.init.zeros_(part.bias)

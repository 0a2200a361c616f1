# SPDX-License-Identifier: Apache-2.0
"""MobileNetV1 in the forms in which face-recognition networks use it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from mien.core import ConfigError
from mien.training.models.backbones.blocks import init_kaiming

_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
_CHANNELS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
_ACTIVATIONS = ("relu6", "relu", "prelu")
# TensorFlow's epsilon; torch counts momentum the other way round.
_EPS, _MOMENTUM = 1e-3, 0.02


class ConvLayer(nn.Module):
    """Convolution without bias, batch normalisation and an activation.

    Args:
        n_in: Number of input channels.
        n_out: Number of output channels.
        kernel: Side of the kernel, 1 or 3.
        stride: Stride in both directions.
        groups: Number of groups of the convolution.
        activation: ``"relu6"``, ``"relu"``, or ``"prelu"`` with one slope per channel.
        same: Whether strided layers pad as TensorFlow's SAME does: even sides right and below only. Else one pixel on
            all sides.
    """

    def __init__(
        self, n_in: int, n_out: int, kernel: int, *, stride: int, groups: int, activation: str, same: bool
    ) -> None:
        super().__init__()
        # Only the padding of SAME, which depends on the side, costs a copy of the map.
        self.same = same and stride == 2
        padding = 0 if self.same or kernel == 1 else 1
        self.conv = nn.Conv2d(n_in, n_out, kernel, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(n_out, eps=_EPS, momentum=_MOMENTUM)
        self.activation = (
            nn.PReLU(n_out) if activation == "prelu" else nn.ReLU() if activation == "relu" else nn.ReLU6()
        )

    def convolve(self, x: Tensor) -> Tensor:
        """Map (N, ``n_in``, H, W) to (N, ``n_out``, H', W') by the padded convolution alone."""
        if self.same:
            height, width = x.shape[2:]
            x = functional.pad(x, (width % 2, 1, height % 2, 1))
        out: Tensor = self.conv(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, ``n_in``, H, W) to (N, ``n_out``, H', W')."""
        out: Tensor = self.activation(self.norm(self.convolve(x)))
        return out


class MobileNetV1(nn.Module):
    """Network from pixels (N, C, H, W) of any size to features (N, 1024): 27 convolutions and the mean of the map.

    Source: Howard et al., arXiv 1704.04861. The face networks that share this trunk differ in the options: FaceRes
    (Savchenko's VGGFace2 network) has the defaults; SFace (Zhong et al., IEEE TIP 2021) has ``stem_stride = 1``,
    ``same = false`` and ``activation = "prelu"``.

    Args:
        in_channels: 1 for gray, 3 for colour.
        stem_stride: Stride of the first layer, 1 or 2.
        same: Whether strided layers pad as TensorFlow's SAME does.
        activation: ``"relu6"``, ``"relu"`` or ``"prelu"``. PReLU is slow in ONNX Runtime.
        normalized: Whether the features pass a batch normalisation, for trunks whose features have a wide range.

    Raises:
        ConfigError: An option has another value.
    """

    num_features = _CHANNELS[-1]

    def __init__(
        self,
        in_channels: int = 3,
        *,
        stem_stride: int = 2,
        same: bool = True,
        activation: str = "relu6",
        normalized: bool = False,
    ) -> None:
        super().__init__()
        if activation not in _ACTIVATIONS or stem_stride not in (1, 2):
            raise ConfigError(
                f"mobilenet_v1 has activation {', '.join(_ACTIVATIONS)} and stem_stride 1 or 2, "
                f"got {activation!r} and {stem_stride}"
            )

        self.stem_stride, self.same = stem_stride, same

        def layer(n_in: int, n_out: int, kernel: int, stride: int = 1, groups: int = 1) -> ConvLayer:
            return ConvLayer(n_in, n_out, kernel, stride=stride, groups=groups, activation=activation, same=same)

        layers = [layer(in_channels, _CHANNELS[0], 3, stem_stride)]
        for n_in, n_out, stride in zip(_CHANNELS, _CHANNELS[1:], _STRIDES, strict=False):
            layers += [layer(n_in, n_in, 3, stride, n_in), layer(n_in, n_out, 1)]
        self.layers = nn.Sequential(*layers)
        self.norm = nn.BatchNorm1d(self.num_features) if normalized else nn.Identity()
        init_kaiming(self)

    def conv_layers(self) -> tuple[ConvLayer, ...]:
        """The 27 convolutions in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, ConvLayer))

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised float pixels (N, C, H, W) to features (N, 1024)."""
        features: Tensor = self.norm(self.layers(x).mean(dim=(2, 3)))
        return features

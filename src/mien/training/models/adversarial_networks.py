# SPDX-License-Identifier: Apache-2.0
"""The decoder and the discriminators of noisyFER. All of them are spectrally normalised.

Source: Zhang et al., arXiv 2010.09849, and the authors' code. Published widths follow from ``channels = 64``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from mien.core import ConfigError

# Widths in units of ``channels``: from the latent vector to pixels, and from pixels to the sum pool.
_DECODER = (8, 8, 4, 2, 1)
_IMAGE = (1, 2, 4, 8, 8)
_DENSE, _JOINT = 8, 16
# The image discriminator halves larger pictures first.
_FULL_PX = 32
_N_BRANCHES = 4


class Decoder(nn.Module):
    """From noise and labels (N, D) to pictures (N, C, S, S) in [-1, 1].

    A dense layer, then as many transposed convolutions 4 x 4 of stride 2 as double 1 px to the side, with batch
    normalisation and ReLU between them and a tanh at the end.

    Args:
        n_inputs: Length of noise and labels.
        n_colours: Number of channels of the pictures.
        size_px: Side of the pictures, a power of 2 from 8 to 64.
        channels: Width of the layer before the last of a picture of 64 px.

    Raises:
        ConfigError: The side is another one.
    """

    def __init__(self, n_inputs: int, n_colours: int, size_px: int, channels: int) -> None:
        super().__init__()
        n_layers = size_px.bit_length() - 1
        if size_px != 1 << n_layers or not 3 <= n_layers <= len(_DECODER) + 1:
            raise ConfigError(f"the decoder makes pictures of 8, 16, 32 or 64 px, not of {size_px}")
        widths = [channels * factor for factor in _DECODER[: n_layers - 1]]
        self.dense = nn.Sequential(spectral_norm(nn.Linear(n_inputs, channels * _DENSE)), nn.ReLU())
        layers: list[nn.Module] = []
        for n_in, n_out in zip([channels * _DENSE, *widths[:-1]], widths, strict=True):
            layers += [_transposed(n_in, n_out), nn.BatchNorm2d(n_out), nn.ReLU()]
        self.layers = nn.Sequential(*layers, _transposed(widths[-1], n_colours), nn.Tanh())

    def forward(self, codes: Tensor) -> Tensor:
        """Map (N, D) to pictures."""
        pictures: Tensor = self.layers(self.dense(codes)[:, :, None, None])
        return pictures


def _transposed(n_in: int, n_out: int) -> nn.Module:
    """A transposed convolution that doubles the side."""
    return spectral_norm(nn.ConvTranspose2d(n_in, n_out, 4, 2, 1))


class ImageCritic(nn.Module):
    """Discriminator of pictures: their features and a score.

    Residual blocks that halve the picture, self-attention after the first, one block more, and a sum over the map.

    Args:
        n_colours: Number of channels of the pictures.
        size_px: Side of the pictures.
        channels: Width of the first block.
    """

    def __init__(self, n_colours: int, size_px: int, channels: int) -> None:
        super().__init__()
        self._halve = size_px > _FULL_PX
        side = size_px // 2 if self._halve else size_px
        blocks: list[nn.Module] = []
        n_in = n_colours
        for number, factor in enumerate(_IMAGE):
            down = side >= 2
            blocks.append(_ResidualBlock(n_in, channels * factor, down=down, first=number == 0))
            if number == 0:
                blocks.append(_SelfAttention(channels * factor))
            n_in, side = channels * factor, side // 2 if down else side
        self.blocks = nn.Sequential(*blocks, _ResidualBlock(n_in, channels * _DENSE, down=False), nn.ReLU())
        self.score = spectral_norm(nn.Linear(channels * _DENSE, 1))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Map pictures (N, C, S, S) to features (N, 8 channels) and scores (N, 1)."""
        if self._halve:
            pictures = functional.avg_pool2d(pictures, 2)
        features = self.blocks(pictures).sum(dim=(2, 3))
        return features, self.score(features)


class DenseCritic(nn.Module):
    """Discriminator of vectors: h + four two-layer branches of relu(h), with h a dense layer of the input; a score.

    Args:
        n_inputs: Length of the vectors.
        width: Width of all layers.
    """

    def __init__(self, n_inputs: int, width: int) -> None:
        super().__init__()
        self.first = spectral_norm(nn.Linear(n_inputs, width))
        self.branches = nn.ModuleList(
            nn.Sequential(spectral_norm(nn.Linear(width, width)), nn.ReLU(), spectral_norm(nn.Linear(width, width)))
            for _ in range(_N_BRANCHES)
        )
        self.score = spectral_norm(nn.Linear(width, 1))

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Map (N, n_inputs) to features (N, width) and scores (N, 1)."""
        h = self.first(vectors)
        active = h.relu()
        features = h + torch.stack([branch(active) for branch in self.branches]).sum(dim=0)
        return features, self.score(features)


class JointCritic(nn.Module):
    """Discriminators of a picture, of each of its codes, and of all of them together.

    Args:
        n_colours: Number of channels of the pictures.
        size_px: Side of the pictures.
        lengths: Length of each code: the latent vector and the labels of every task.
        channels: Width of the first block of the discriminator of pictures.
    """

    def __init__(self, n_colours: int, size_px: int, lengths: tuple[int, ...], channels: int) -> None:
        super().__init__()
        width = channels * _DENSE
        self.image = ImageCritic(n_colours, size_px, channels)
        self.codes = nn.ModuleList(DenseCritic(length, width) for length in lengths)
        self.joint = DenseCritic(width * (1 + len(lengths)), channels * _JOINT)

    def forward(self, pictures: Tensor, codes: list[Tensor]) -> Tensor:
        """Map N pictures and their codes to scores (N, 2 + number of codes)."""
        found = [self.image(pictures)]
        found += [critic(code) for critic, code in zip(self.codes, codes, strict=True)]
        features = torch.cat([feature for feature, _ in found], dim=1)
        return torch.cat([*(score for _, score in found), self.joint(features)[1]], dim=1)


class _ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside a 1 x 1 one; an average pool halves both paths of a block that goes down."""

    def __init__(self, n_in: int, n_out: int, *, down: bool, first: bool = False) -> None:
        super().__init__()
        self._down, self._first = down, first
        self.one = spectral_norm(nn.Conv2d(n_in, n_out, 3, padding=1))
        self.two = spectral_norm(nn.Conv2d(n_out, n_out, 3, padding=1))
        self.beside = spectral_norm(nn.Conv2d(n_in, n_out, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, n_in, H, W) to (N, n_out, H', W')."""
        y: Tensor = self.two(functional.relu(self.one(x if self._first else functional.relu(x))))
        if self._down:
            x, y = functional.avg_pool2d(x, 2), functional.avg_pool2d(y, 2)
        shortcut: Tensor = self.beside(x)
        return y + shortcut


class _SelfAttention(nn.Module):
    """Attention over the places of a map, added with a learned share that starts at 0 (Zhang et al., SAGAN, 2019)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(channels // 8, 1)
        self.query = spectral_norm(nn.Conv2d(channels, inner, 1, bias=False))
        self.key = spectral_norm(nn.Conv2d(channels, inner, 1, bias=False))
        self.value = spectral_norm(nn.Conv2d(channels, max(channels // 2, 1), 1, bias=False))
        self.last = spectral_norm(nn.Conv2d(max(channels // 2, 1), channels, 1, bias=False))
        self.share = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        small = functional.max_pool2d(x, 2) if min(x.shape[2:]) > 1 else x
        attention = (self.query(x).flatten(2).transpose(1, 2) @ self.key(small).flatten(2)).softmax(dim=2)
        found = (self.value(small).flatten(2) @ attention.transpose(1, 2)).unflatten(2, x.shape[2:])
        attended: Tensor = x + self.share * self.last(found)
        return attended

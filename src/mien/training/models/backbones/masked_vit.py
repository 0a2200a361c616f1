# SPDX-License-Identifier: Apache-2.0
"""`MaskedViT`, one or several vision transformers that see some patches only while they are trained."""

from __future__ import annotations

from typing import cast

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from mien.core import ConfigError

_EPS = 1e-6


class MaskedViT(nn.Module):
    """Backbone from pixels (N, C, S, S) to the mean tokens (N, ``members * width``) of its members, side by side.

    A dense layer on these features is the sum of one dense layer for each member, as masked CoTEX adds logits. Fixed
    positions of sines and cosines, pre-norm blocks with stochastic depth, and a last normalisation.

    Sources: Dosovitskiy et al., ICLR 2021; He et al., Masked autoencoders, CVPR 2022; Li et al., arXiv 2207.11679.

    Args:
        in_channels: Number of channels.
        size_px: Side of the crops in pixels, a multiple of ``patch``.
        patch: Side of a patch in pixels.
        width: Length of a token, a multiple of 4 and of ``heads``; 768 for ViT-B.
        depth: Number of blocks; 12 for ViT-B.
        heads: Number of attention heads; 12 for ViT-B.
        members: Number of transformers.
        drop_path_rate: Stochastic depth of the last block; it rises from 0.

    Attributes:
        mask_ratio: Share of the patches that are hidden from each member in training, each time others.

    Raises:
        ConfigError: The sizes do not fit each other.
    """

    def __init__(
        self,
        in_channels: int = 3,
        *,
        size_px: int = 224,
        patch: int = 16,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        members: int = 1,
        drop_path_rate: float = 0.0,
    ) -> None:
        super().__init__()
        if size_px % patch or width % 4 or width % heads or members < 1:
            raise ConfigError(
                f"masked_vit: size_px {size_px} must be a multiple of patch {patch}, width {width} one of 4 and of "
                f"heads {heads}, and members at least 1, got {members}"
            )
        self.mask_ratio = 0.0
        self.size_px = size_px
        self.width, self.patch, self.n_patches = width, patch, (size_px // patch) ** 2
        self.num_features = members * width
        self.encoders = nn.ModuleList(
            PatchEncoder(in_channels, size_px // patch, patch, width, (depth, heads), drop_path_rate)
            for _ in range(members)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map float pixels to features."""
        ratio = self.mask_ratio if self.training else 0.0
        n_kept = max(1, round(self.n_patches * (1 - ratio)))
        parts = []
        for encoder in self.encoders:
            kept = random_patches(len(x), self.n_patches, x.device)[:, :n_kept] if ratio else None
            parts.append(encoder(x, kept).mean(dim=1))
        return torch.cat(parts, dim=1)

    def share_first(self) -> None:
        """Give all members the weights of the first one."""
        first = self.encoders[0].state_dict()
        for encoder in self.encoders[1:]:
            encoder.load_state_dict(first)


class PatchEncoder(nn.Module):
    """One vision transformer without a class token.

    Args:
        in_channels: Number of channels.
        side: Number of patches along a side.
        patch: Side of a patch in pixels.
        width: Length of a token.
        depth_heads: Number of blocks, and of heads.
        drop_path_rate: Stochastic depth of the last block.
    """

    positions: Tensor

    def __init__(
        self, in_channels: int, side: int, patch: int, width: int, depth_heads: tuple[int, int], drop_path_rate: float
    ) -> None:
        super().__init__()
        depth, heads = depth_heads
        self.embed = nn.Conv2d(in_channels, width, patch, patch)
        self.register_buffer("positions", sine_positions(side, width), persistent=False)
        rates = [drop_path_rate * block / max(depth - 1, 1) for block in range(depth)]
        self.blocks = nn.Sequential(*(Block(width, heads, qkv_bias=True, drop_path=rate) for rate in rates))
        self.norm = nn.LayerNorm(width, eps=_EPS)
        nn.init.xavier_uniform_(self.embed.weight.view(width, -1))

    def forward(self, x: Tensor, kept: Tensor | None = None) -> Tensor:
        """Map pixels (N, C, S, S) to the tokens (N, K, width) of the patches ``kept`` (N, K), or of all in order."""
        tokens = self.embed(x).flatten(2).transpose(1, 2) + self.positions
        if kept is not None:
            tokens = tokens.gather(1, kept[:, :, None].expand(-1, -1, tokens.shape[2]))
        return cast(Tensor, self.norm(self.blocks(tokens)))


def random_patches(n: int, n_patches: int, device: torch.device) -> Tensor:
    """Patches (N, P) of each picture in a random order of its own."""
    return torch.rand(n, n_patches, device=device).argsort(dim=1)


def sine_positions(side: int, width: int) -> Tensor:
    """Fixed positions (1, side * side, width): sines and cosines of the row in one half, of the column in the other.

    Args:
        side: Number of patches along a side.
        width: Length of a token, a multiple of 4.
    """
    rates = 10_000 ** -(torch.arange(width // 4) / (width // 4))
    angles = torch.arange(side)[:, None] * rates
    waves = torch.cat([angles.sin(), angles.cos()], dim=1)
    rows = waves[:, None].expand(-1, side, -1)
    return torch.cat([rows, rows.transpose(0, 1)], dim=2).reshape(1, side * side, width)

# SPDX-License-Identifier: Apache-2.0
"""Head over several sequences of a clip, such as faces and sound: a temporal transformer each, with modality dropout.

[choice] of sizes and layers: the source (ERI of the 5th ABAW, video 0.3500, sound 0.2972, both 0.4429) says two
branches, temporal transformers and modality dropout.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mien.core import ConfigError
from mien.training.recipes.settings import HeadSettings

_N_HEADS = 4
_UNSEEN = 1e4  # far below every score, and finite where all steps are masked


class TemporalLayer(nn.Module):
    """Self-attention over the steps and a dense layer at each, both with normalisation before and a skip around."""

    def __init__(self, width: int, drop_rate: float) -> None:
        super().__init__()
        self._n_heads = _N_HEADS if width % _N_HEADS == 0 else 1
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.queries, self.keys, self.values = (nn.Linear(width, width) for _ in range(3))
        self.joined = nn.Linear(width, width)
        self.dense = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(drop_rate)

    def forward(self, steps: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map (N, T, W) to the same size; steps whose mask (N, T) is 0 are attended to by none."""
        n, length, width = steps.shape
        normal = self.norms[0](steps)
        query, key, value = (
            layer(normal).reshape(n, length, self._n_heads, width // self._n_heads).transpose(1, 2)
            for layer in (self.queries, self.keys, self.values)
        )
        scores = query @ key.transpose(2, 3) * (width // self._n_heads) ** -0.5
        if mask is not None:
            scores = scores + (mask[:, None, None] - 1) * _UNSEEN
        share = scores.softmax(dim=3)
        received = (share @ value).transpose(1, 2).reshape(n, length, width)
        steps = steps + self.dropout(self.joined(received))
        out: Tensor = steps + self.dropout(self.dense(self.norms[1](steps)))
        return out


class BranchTransformer(nn.Module):
    """Intensities from several sequences of T steps, each through layers of its own.

    In training, each branch of a sample is left out with a probability, never all of them, so that the head learns
    to use each one.

    Args:
        lengths: Length T D of each branch in the input.
        n_outputs: Number of intensities.
        steps: Number of steps T.
        width: Width of the layers.
        n_layers: Number of layers of each branch.
        drop_rate: Dropout of the layers.
        branch_drop: Probability with which a branch is left out.
    """

    def __init__(
        self,
        lengths: tuple[int, ...],
        n_outputs: int,
        *,
        steps: int,
        width: int,
        n_layers: int,
        drop_rate: float,
        branch_drop: float,
    ) -> None:
        super().__init__()
        self._lengths, self._steps, self._branch_drop = lengths, steps, branch_drop
        self.inputs = nn.ModuleList(nn.Linear(length // steps, width) for length in lengths)
        self.places = nn.Parameter(0.02 * torch.randn(len(lengths), steps, width))
        self.layers = nn.ModuleList(
            nn.Sequential(*(TemporalLayer(width, drop_rate) for _ in range(n_layers)), nn.LayerNorm(width))
            for _ in lengths
        )
        self.last = nn.Linear(len(lengths) * width, n_outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (N, sum of the lengths) to (N, n_outputs) in [0, 1]."""
        ends = []
        for number, branch in enumerate(inputs.split(list(self._lengths), dim=1)):
            series = branch.reshape(-1, self._steps, self._lengths[number] // self._steps)
            steps = self.inputs[number](series) + self.places[number]
            ends.append(self.layers[number](steps).mean(dim=1))
        joined = torch.stack(ends, dim=1)
        if self.training and self._branch_drop:
            joined = joined * self._kept(len(inputs), inputs.device)[:, :, None]
        return torch.sigmoid(self.last(joined.flatten(start_dim=1)))

    def _kept(self, n: int, device: torch.device) -> Tensor:
        """(N, B) one where a branch is kept, zero where it is left out; at least one per sample is kept."""
        kept = torch.rand(n, len(self._lengths), device=device) >= self._branch_drop
        chosen = torch.randint(len(self._lengths), (n,), device=device)
        kept[torch.arange(n, device=device), chosen] = True
        return kept.to(torch.float32)


def branches_head(n_inputs: int, n_outputs: int, settings: HeadSettings) -> nn.Module:
    """Create a `BranchTransformer`; ``hidden`` has one width for each layer, all equal.

    Raises:
        ConfigError: Widths, steps or branches do not fit.
    """
    lengths = settings.branches or (n_inputs,)
    if sum(lengths) != n_inputs or settings.steps < 1 or any(length % settings.steps for length in lengths):
        raise ConfigError(f"branches {lengths} of {settings.steps} steps do not fit into {n_inputs} inputs")
    if len(set(settings.hidden)) != 1:
        raise ConfigError(f"a branches head has one or more equal hidden widths, got {list(settings.hidden)}")
    return BranchTransformer(
        lengths,
        n_outputs,
        steps=settings.steps,
        width=settings.hidden[0],
        n_layers=len(settings.hidden),
        drop_rate=settings.drop_rate,
        branch_drop=settings.branch_drop,
    )

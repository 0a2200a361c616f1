# SPDX-License-Identifier: Apache-2.0
"""Encoders of utterances: words and feature sequences with masks, a transformer or a bidirectional LSTM, fusion.

[choice] of details: the source (Dai et al., weakly supervised multimodal multi-task learning) gives BiLSTM widths
256/64/32, a transformer of width 40 with dropout 0.1, and early or late fusion; its code is not published.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mien.core import ModalitySpec
from mien.training.models.branch_transformer import TemporalLayer
from mien.training.recipes.sequence_settings import SequenceSettings


class ModalityInput(nn.Module):
    """The vectors (N, T, W) and the mask (N, T) of one modality from its stretch of an utterance.

    Args:
        modality: Modality.
        settings: Settings of the network.
    """

    def __init__(self, modality: ModalitySpec, settings: SequenceSettings) -> None:
        super().__init__()
        self._steps, self._n = settings.steps, modality.n
        self._is_text = modality.kind == "text"
        self.width = settings.word_width if self._is_text else modality.n
        if self._is_text:
            self.words = nn.Embedding(modality.n + 1, settings.word_width, padding_idx=0)
        else:
            self.scale = nn.LayerNorm(modality.n)
        self.dropout = nn.Dropout(settings.drop_rate)

    def forward(self, stretch: Tensor) -> tuple[Tensor, Tensor]:
        """Map (N, L) to vectors that are 0 outside of the mask, and the mask."""
        if self._is_text:
            numbers = stretch.to(torch.int64).clamp(0, self._n)
            mask = (numbers > 0).to(torch.float32)
            vectors = self.words(numbers)
        else:
            series, mask = stretch.split([self._steps * self._n, self._steps], dim=1)
            mask = (mask > 0.5).to(torch.float32)
            vectors = self.scale(series.reshape(-1, self._steps, self._n))
        return self.dropout(vectors) * mask.unsqueeze(2), mask


class StepEncoder(nn.Module):
    """The mean over the steps of an encoder's outputs, 0 for a sequence without any step.

    Args:
        n_inputs: Width of the inputs.
        settings: Settings of the network.
    """

    def __init__(self, n_inputs: int, settings: SequenceSettings) -> None:
        super().__init__()
        width = settings.width
        self._is_transformer = settings.encoder == "transformer"
        if self._is_transformer:
            self.first = nn.Linear(n_inputs, width)
            self.places = nn.Parameter(0.02 * torch.randn(settings.steps, width))
            self.layers = nn.ModuleList(TemporalLayer(width, settings.drop_rate) for _ in range(settings.layers))
            self.norm = nn.LayerNorm(width)
        else:
            self.lstm = nn.LSTM(n_inputs, width // 2, settings.layers, batch_first=True, bidirectional=True)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Map (N, T, n_inputs) and (N, T) to (N, W)."""
        if self._is_transformer:
            steps = self.first(vectors) + self.places
            for layer in self.layers:
                steps = layer(steps * mask.unsqueeze(2), mask)
            steps = self.norm(steps)
        else:
            steps = self.lstm(vectors)[0]
        weight = mask.unsqueeze(2)
        mean: Tensor = (steps * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1.0)
        return mean


class SequenceEncoder(nn.Module):
    """Features (N, num_features) of packed utterances (N, D), see `mien.affect.pack_utterances`.

    Args:
        settings: Settings of the network.
    """

    def __init__(self, settings: SequenceSettings) -> None:
        super().__init__()
        self._lengths = [modality.length(settings.steps) for modality in settings.modalities]
        self._early = settings.fusion == "early"
        self.inputs = nn.ModuleList(ModalityInput(modality, settings) for modality in settings.modalities)
        widths = [int(module.width) for module in self.inputs]  # type: ignore[arg-type]  # torch types attributes as tensors
        own = [sum(widths)] if self._early else widths
        self.encoders = nn.ModuleList(StepEncoder(width, settings) for width in own)
        self.num_features = settings.width * len(own)

    def forward(self, utterances: Tensor) -> Tensor:
        """Encode the steps; after late fusion a linear head averages the logits of the modalities that are there."""
        stretches = utterances.split(self._lengths, dim=1)
        read = [module(stretch) for module, stretch in zip(self.inputs, stretches, strict=True)]
        if self._early:
            mask = torch.stack([one for _, one in read]).amax(dim=0)
            features: Tensor = self.encoders[0](torch.cat([vectors for vectors, _ in read], dim=2), mask)
            return features
        present = torch.stack([mask.amax(dim=1) for _, mask in read], dim=1)
        ends = [encoder(*one) for encoder, one in zip(self.encoders, read, strict=True)]
        joined = torch.stack(ends, dim=1) * (present / present.sum(dim=1, keepdim=True).clamp(min=1.0)).unsqueeze(2)
        return joined.flatten(start_dim=1)

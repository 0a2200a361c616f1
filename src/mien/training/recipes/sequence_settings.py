# SPDX-License-Identifier: Apache-2.0
"""Settings of networks over utterances: sequences of several modalities, their encoders and their fusion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mien.core import ConfigError, ModalitySpec, check_choices

TEXT = ModalitySpec(name="text", kind="text", n=4096)


@dataclass(frozen=True, kw_only=True)
class SequenceSettings:
    """``[model.sequences]``: utterances as sequences of one or several modalities, in place of a backbone.

    Attributes:
        modalities: Modalities in order: ``name``, ``kind`` (``"text"`` or ``"features"``) and ``n`` (buckets of the
            hash of words, or published length of a vector; the length in the data replaces it).
        steps: Number of steps of every sequence: longer texts are cut, longer features averaged.
        encoder: ``"transformer"`` (self-attention over the steps) or ``"bilstm"``.
        fusion: ``"early"`` puts the modalities of each step side by side before one encoder; ``"late"`` has an encoder
            per modality and averages their logits.
        width: Width of the encoder; a bilstm has half of it in each direction.
        layers: Number of layers of the encoder.
        word_width: Width of the learned vector of a word.
        drop_rate: Dropout of words' vectors and inside the encoder.
    """

    modalities: tuple[ModalitySpec, ...] = (TEXT,)
    steps: int = 50
    encoder: Literal["transformer", "bilstm"] = "transformer"
    fusion: Literal["early", "late"] = "early"
    width: int = 40
    layers: int = 1
    word_width: int = 64
    drop_rate: float = 0.1

    def __post_init__(self) -> None:
        check_choices(self)
        names = [modality.name for modality in self.modalities]
        if not names or len(set(names)) != len(names):
            raise ConfigError(f"sequences need one or more modalities with distinct names, got {names}")
        if any((modality.kind == "text") != (modality.name == "text") for modality in self.modalities):
            raise ConfigError("the modality of kind 'text' is called 'text', and no other is")
        if min(self.steps, self.width, self.layers, self.word_width) < 1 or self.width % 2:
            raise ConfigError("steps, layers and word_width must be at least 1, and width even")
        if not 0 <= self.drop_rate < 1:
            raise ConfigError(f"drop_rate must be in [0, 1), got {self.drop_rate}")

    @property
    def n_vector(self) -> int:
        """Number of values of an utterance.

        Examples:
            >>> SequenceSettings().n_vector
            50
        """
        return sum(modality.length(self.steps) for modality in self.modalities)

# SPDX-License-Identifier: Apache-2.0
"""Heads whose outputs have a unit: scaled dense layers, and offsets to values that the backbone gives."""

from __future__ import annotations

from torch import Tensor, nn

from mien.core import ConfigError
from mien.training.recipes.settings import HeadSettings


class ScaledLinear(nn.Linear):
    """A dense layer times a constant.

    Adam moves every weight by about the learning rate, whatever the unit of the output: with a fitting unit a step
    moves outputs by a sensible amount.

    Args:
        n_inputs: Number D of inputs.
        n_outputs: Number L of outputs.
        unit: Factor of the outputs.
    """

    def __init__(self, n_inputs: int, n_outputs: int, unit: float) -> None:
        super().__init__(n_inputs, n_outputs)
        self.unit = unit

    def forward(self, features: Tensor) -> Tensor:
        """(N, D) to (N, L)."""
        return self.unit * super().forward(features)


class OffsetHead(nn.Module):
    """The last L inputs, moved by a scaled dense layer of the other inputs.

    Args:
        n_inputs: Number D of inputs, more than L.
        n_outputs: Number L of outputs.
        unit: Factor of the offsets.
    """

    def __init__(self, n_inputs: int, n_outputs: int, unit: float) -> None:
        super().__init__()
        self._n_dense = n_inputs - n_outputs
        self.offsets = ScaledLinear(self._n_dense, n_outputs, unit)

    def forward(self, features: Tensor) -> Tensor:
        """(N, D) to (N, L)."""
        moved: Tensor = features[:, self._n_dense :] + self.offsets(features[:, : self._n_dense])
        return moved


def scaled_head(n_inputs: int, n_outputs: int, settings: HeadSettings) -> nn.Module:
    """A `ScaledLinear` with the ``unit`` of the settings.

    Raises:
        ConfigError: There are hidden layers.
    """
    _refuse_hidden(settings)
    return ScaledLinear(n_inputs, n_outputs, settings.unit)


def offset_head(n_inputs: int, n_outputs: int, settings: HeadSettings) -> nn.Module:
    """An `OffsetHead` with the ``unit`` of the settings.

    Raises:
        ConfigError: There are hidden layers, or too few inputs.
    """
    _refuse_hidden(settings)
    if n_inputs <= n_outputs:
        raise ConfigError(f"an offset head of {n_outputs} outputs needs more inputs than these, got {n_inputs}")
    return OffsetHead(n_inputs, n_outputs, settings.unit)


def _refuse_hidden(settings: HeadSettings) -> None:
    if settings.hidden:
        raise ConfigError(f"a head of kind {settings.kind!r} has no hidden layers")

# SPDX-License-Identifier: Apache-2.0
"""A head over the steps of a sequence."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mien.core import ConfigError
from mien.training.settings import HeadSettings


class RecurrentHead(nn.Module):
    """Gated recurrent layers over T steps, and intensities from the last layer's last state.

    Args:
        n_inputs: T D, step after step.
        n_outputs: intensities.
        steps: T.
        widths: of the layers.
    """

    def __init__(self, n_inputs: int, n_outputs: int, steps: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self._steps, self._n_values = steps, n_inputs // steps
        self._widths = widths
        sizes = (n_inputs // steps, *widths)
        self.cells = nn.ModuleList(nn.GRUCell(size, width) for size, width in zip(sizes, widths, strict=False))
        self.last = nn.Linear(widths[-1], n_outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, T D) to (N, n_outputs) in [0, 1]."""
        series = inputs.reshape(-1, self._steps, self._n_values).unbind(dim=1)
        for cell, width in zip(self.cells, self._widths, strict=True):
            state = torch.zeros_like(inputs[:, :1]).expand(-1, width)
            states = []
            for step in series:
                state = cell(step, state)
                states.append(state)
            series = tuple(states)
        return torch.sigmoid(self.last(series[-1]))


def recurrent_head(n_inputs: int, n_outputs: int, settings: HeadSettings) -> nn.Module:
    """A `RecurrentHead` over ``steps``.

    Raises:
        ConfigError: there are no widths, or the vector is no whole number of steps.
    """
    if not settings.hidden or settings.steps < 1 or n_inputs % settings.steps:
        raise ConfigError(
            f"a recurrent head needs hidden widths, and steps that divide its input of {n_inputs}; "
            f"got hidden = {list(settings.hidden)}, steps = {settings.steps}"
        )
    return RecurrentHead(n_inputs, n_outputs, settings.steps, settings.hidden)

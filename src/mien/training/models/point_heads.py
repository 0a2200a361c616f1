# SPDX-License-Identifier: Apache-2.0
"""Heads of joint regression and part detection: places in the crop, and logits of parts in sliding windows.

Source: Li, Liu and Chan, arXiv 1406.3474: three dense layers each, the last of the regression with a tanh.
"""

from __future__ import annotations

from torch import Tensor, nn

from mien.core import ConfigError
from mien.training.models.heads import bounded_head, linear_head, mlp_head
from mien.training.recipes.settings import HeadSettings

_MIDDLE = 0.5


class Places(nn.Module):
    """Values in [-1, 1] as places about the middle of the crop.

    Args:
        bounded: Module from (N, D) to (N, 2 K) in [-1, 1].
        unit: Distance from the middle for a value of 1, as a fraction of the crop's side.
    """

    def __init__(self, bounded: nn.Module, unit: float) -> None:
        super().__init__()
        self.bounded, self._unit = bounded, unit

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, D) to (N, 2 K), x and y of each point as fractions of the crop's side."""
        values: Tensor = self.bounded(features)
        return _MIDDLE + self._unit * values


def places_head(n_inputs: int, n_outputs: int, settings: HeadSettings) -> nn.Module:
    """Create a `Places` head with the layers of a bounded head.

    Raises:
        ConfigError: The unit is not positive.
    """
    if not settings.unit > 0:
        raise ConfigError(f"the unit of a places head must be positive, got {settings.unit}")
    return Places(bounded_head(n_inputs, n_outputs, settings), settings.unit)


def windows_head(n_inputs: int, n_outputs: int, settings: HeadSettings) -> nn.Module:
    """Create dense layers with (n_outputs / 2) times ``steps`` squared logits.

    Raises:
        ConfigError: There is no grid, or the labels are not pairs of x and y.
    """
    if settings.steps < 1 or n_outputs % 2:
        raise ConfigError(
            f"a windows head needs steps, the number of windows along each side, and labels that are x and y of "
            f"parts; got steps = {settings.steps} and {n_outputs} labels"
        )
    head = mlp_head if settings.hidden else linear_head
    return head(n_inputs, n_outputs // 2 * settings.steps**2, settings)

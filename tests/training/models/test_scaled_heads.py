# SPDX-License-Identifier: Apache-2.0
"""Heads with a unit: the factor of their outputs, and offsets to what the backbone gives."""

import pytest

torch = pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")

from mien.core import ConfigError  # noqa: E402 - needs torch
from mien.training.models.scaled_heads import offset_head, scaled_head  # noqa: E402 - needs torch
from mien.training.recipes.settings import HeadSettings  # noqa: E402 - needs torch

FEATURES = torch.arange(12.0).reshape(2, 6)


def test_a_scaled_head_is_a_dense_layer_times_its_unit() -> None:
    head = scaled_head(6, 2, HeadSettings(kind="scaled", unit=0.2))
    torch.testing.assert_close(head(FEATURES), 0.2 * (FEATURES @ head.weight.T + head.bias))


def test_an_offset_head_moves_its_last_inputs() -> None:
    head = offset_head(6, 2, HeadSettings(kind="offset", unit=0.5))
    moved = FEATURES[:, 4:] + 0.5 * (FEATURES[:, :4] @ head.offsets.weight.T + head.offsets.bias)
    torch.testing.assert_close(head(FEATURES), moved)


def test_layers_and_widths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="'scaled' has no hidden layers"):
        scaled_head(6, 2, HeadSettings(kind="scaled", hidden=(3,)))
    with pytest.raises(ConfigError, match="more inputs"):
        offset_head(2, 2, HeadSettings(kind="offset"))

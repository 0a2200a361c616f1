# SPDX-License-Identifier: Apache-2.0
"""The network of the detector: its size, its cells, and where they look."""

import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

import torch

from mien.core import FACE_GRID, ConfigError
from mien.training.models.backbones import create_backbone
from mien.training.models.heads import create_head
from mien.training.recipes.settings import HeadSettings


def test_cells_of_any_size_and_few_weights() -> None:
    network = create_backbone("face_grid", in_channels=1).eval()
    for height, width in ((32, 32), (64, 160)):
        assert network(torch.zeros(2, 1, height, width)).shape == (2, 17, FACE_GRID.n_cells(height, width))
    assert sum(weight.numel() for weight in network.parameters()) < 150_000
    assert (network(torch.randn(1, 1, 64, 64))[:, 0].sigmoid() < 0.05).all()  # before any training, no face


def test_a_cell_looks_at_its_place() -> None:
    """A change of the picture moves the cells about it most."""
    network = create_backbone("face_grid", in_channels=1).eval()
    plain = torch.zeros(1, 1, 128, 128)
    spot = plain.clone()
    spot[:, :, 100:108, 20:28] = 2.0
    with torch.no_grad():
        change = (network(spot) - network(plain)).abs().sum(dim=1)[0, : 16 * 16].view(16, 16)
    row, column = divmod(int(change.argmax()), 16)
    assert abs(row - 13) <= 1
    assert abs(column - 3) <= 1


def test_the_head_needs_this_backbone() -> None:
    head = create_head(17, 1, HeadSettings(kind="cells"), {})
    cells = torch.ones(1, 17, 5)
    assert head(cells) is cells
    with pytest.raises(ConfigError, match="face_grid"):
        create_head(128, 1, HeadSettings(kind="cells"), {})

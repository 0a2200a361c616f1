# SPDX-License-Identifier: Apache-2.0
"""The landmark backbone: its parts, mean places under maps, and the sizes that it takes."""

import pytest

torch = pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")

from mien.core import ConfigError  # noqa: E402 - needs torch
from mien.training.models.backbones.landmark_maps import LandmarkMaps  # noqa: E402 - needs torch


def test_features_are_an_embedding_and_68_places() -> None:
    backbone = LandmarkMaps(1, 96).eval()
    with torch.inference_mode():
        features = backbone(torch.randn(2, 1, 96, 96))
    assert features.shape == (2, backbone.num_features) == (2, 192 + 136)
    assert ((features[:, 192:] > 0) & (features[:, 192:] < 1)).all()  # means of cell centres
    assert sum(parameter.numel() for parameter in backbone.parameters()) == 280_580


def test_a_place_is_the_centre_of_the_one_bright_cell() -> None:
    backbone = LandmarkMaps(1, 32).eval()
    maps = torch.full((1, 68, 4, 4), -100.0)
    maps[..., 1, 3] = 100.0  # second row, last column

    class Fixed(torch.nn.Module):
        def forward(self, _inputs: torch.Tensor) -> torch.Tensor:
            return maps

    backbone.maps = Fixed()
    places = backbone(torch.zeros(1, 1, 32, 32))[:, 192:].view(68, 2)
    torch.testing.assert_close(places, torch.tensor([3.5 / 4, 1.5 / 4]).expand(68, 2))


@pytest.mark.parametrize("size_px", [16, 40])
def test_sides_that_do_not_fit_are_refused(size_px: int) -> None:
    with pytest.raises(ConfigError, match="multiple of 16"):
        LandmarkMaps(1, size_px)

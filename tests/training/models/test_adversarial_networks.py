# SPDX-License-Identifier: Apache-2.0
"""Decoder and discriminators of noisyFER: shapes at every size, published widths, spectral norms."""

import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

import torch

from mien.core import ConfigError
from mien.training.models.adversarial_networks import Decoder, DenseCritic, ImageCritic, JointCritic


@pytest.mark.parametrize("size_px", [8, 16, 32, 64])
@pytest.mark.parametrize("n_colours", [1, 3])
def test_pictures_of_every_size(size_px: int, n_colours: int) -> None:
    torch.manual_seed(0)
    pictures = Decoder(11, n_colours, size_px, 2)(torch.randn(3, 11))
    assert pictures.shape == (3, n_colours, size_px, size_px)
    assert float(pictures.detach().abs().max()) <= 1
    features, score = ImageCritic(n_colours, size_px, 2)(pictures)
    assert (features.shape, score.shape) == ((3, 16), (3, 1))
    scores = JointCritic(n_colours, size_px, (5, 8, 2), 2)(pictures, [torch.randn(3, n) for n in (5, 8, 2)])
    assert scores.shape == (3, 5)


def test_the_published_widths() -> None:
    decoder = Decoder(109, 3, 64, 64)
    widths = [layer.out_channels for layer in decoder.layers if isinstance(layer, torch.nn.ConvTranspose2d)]
    assert widths == [512, 512, 256, 128, 64, 3]
    critic = JointCritic(3, 64, (100, 7, 2), 64)
    assert critic.joint.first.in_features == 2048
    assert critic.joint.first.out_features == 1024
    assert [code.first.out_features for code in critic.codes] == [512] * 3  # type: ignore[union-attr]


def test_every_layer_of_a_discriminator_has_spectral_norm_one() -> None:
    torch.manual_seed(0)
    critic = DenseCritic(6, 12).train()
    for _ in range(200):
        critic(torch.randn(4, 6))  # each pass takes a step of the power iteration
    weights = [layer.weight for layer in critic.modules() if isinstance(layer, torch.nn.Linear)]
    assert len(weights) == 10
    for weight in weights:
        assert float(torch.linalg.matrix_norm(weight.detach(), 2)) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("size_px", [4, 48, 128])
def test_other_sizes_are_refused(size_px: int) -> None:
    with pytest.raises(ConfigError, match="8, 16, 32 or 64 px"):
        Decoder(11, 1, size_px, 2)

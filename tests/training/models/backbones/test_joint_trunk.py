# SPDX-License-Identifier: Apache-2.0
"""The trunk of joint regression and part detection."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.core import ConfigError  # noqa: E402 - needs torch
from mien.training.models.backbones.registry import create_backbone  # noqa: E402 - needs torch


def test_three_convolutions_and_poolings() -> None:
    trunk = create_backbone("joint_trunk", in_channels=1, size_px=112)
    kinds = [type(layer).__name__ for layer in trunk.layers]  # type: ignore[union-attr, arg-type]
    assert kinds.count("Conv2d") == kinds.count("ReLU") == kinds.count("MaxPool2d") == 3
    normalisation = trunk.layers[kinds.index("LocalResponseNorm")]  # type: ignore[index]
    assert (normalisation.alpha, normalisation.beta) == (0.0025, 0.75)
    assert kinds.index("LocalResponseNorm") > [i for i, kind in enumerate(kinds) if kind == "Conv2d"][1]
    assert trunk(torch.zeros(2, 1, 112, 112)).shape == (2, trunk.num_features)
    assert trunk.num_features == 48 * 14 * 14


@pytest.mark.parametrize("size_px", [8, 60])
def test_sides_that_do_not_fit_are_refused(size_px: int) -> None:
    with pytest.raises(ConfigError, match="multiple of 8"):
        create_backbone("joint_trunk", in_channels=1, size_px=size_px)

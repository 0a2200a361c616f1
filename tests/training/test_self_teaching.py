# SPDX-License-Identifier: Apache-2.0
"""What a network teaches itself: how much of it counts, and at which size it looks."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the workshop is an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="the workshop is an extra: pip install 'mien[train]'")

import torch
from torch import Tensor

from mien.core import ConfigError
from mien.training.engine.targets import pseudo_label_auxiliary, self_distill
from mien.training.models.network import AffectNetwork
from mien.training.recipes.settings import StageSettings
from tests.helpers.synthetic_data import create_recipe, create_samples


class Watched(AffectNetwork):
    """Remembers the sides of what it was shown."""

    sides: set[int]

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        self.sides = {*getattr(self, "sides", set()), inputs.shape[1]}
        return tuple(super().forward(inputs))


@pytest.mark.parametrize(("share", "teacher_px"), [(0.0, 0), (0.7, 48), (1.0, 64)])
def test_shares_and_sizes(share: float, teacher_px: int, tmp_path: Path) -> None:
    recipe = create_recipe()
    samples = create_samples(20, recipe)
    stage = StageSettings(
        epochs=1,
        peak_lr=1e-3,
        pseudo_label_auxiliary=True,
        label_weight=share,
        self_distillation=1 - share,
        teacher_px=teacher_px,
    )
    torch.manual_seed(0)
    network = Watched(recipe, samples.labels)
    taught = pseudo_label_auxiliary(samples.targets, network, samples, recipe, stage, tmp_path / "secondary.npz")
    taught = self_distill(taught, network, samples, recipe, stage, tmp_path / "primary.npz")
    assert network.sides == {teacher_px or recipe.model.input_px}
    before, after = samples.targets["expression"], taught["expression"]
    known = ~np.isnan(before).any(axis=1)
    assert not known.all()
    assert not np.isnan(after).any()  # what is unknown is seen
    with np.load(tmp_path / "secondary.npz") as secondary, np.load(tmp_path / "primary.npz") as primary:
        seen = np.concatenate([primary["expression"], secondary["expression"]])  # secondary rows are the last
    # Of both kinds of rows the label keeps the same share here.
    np.testing.assert_allclose(after[known], share * before[known] + (1 - share) * seen[known], atol=1e-6)
    np.testing.assert_allclose(after[~known], seen[~known], atol=1e-6)


def test_a_share_beyond_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="label_weight"):
        StageSettings(epochs=1, peak_lr=1e-3, label_weight=1.5)

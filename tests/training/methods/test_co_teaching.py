# SPDX-License-Identifier: Apache-2.0
"""Co-teaching: the share that is kept, the rows that are selected, and a resumed training."""

import dataclasses
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="needs the extra train: pip install 'mien[train]'")

import torch

from mien.core import ConfigError
from mien.training import Trainer
from mien.training.methods.co_teaching import CoTeaching, small_losses
from mien.training.models.network import AffectNetwork
from mien.training.recipes.method_settings import CoTeachingSettings
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.schedule_settings import StageSettings
from tests.helpers.synthetic_data import create_recipe, create_samples

pytestmark = pytest.mark.filterwarnings("default")

SETTINGS = CoTeachingSettings(forget_rate=0.4, ramp_epochs=4)


def create_co_recipe(epochs: int = 3) -> Recipe:
    return create_recipe(stages=(StageSettings(epochs=epochs, peak_lr=1e-3, batch=8, method=SETTINGS),))


def test_the_kept_share_falls_to_one_minus_the_rate() -> None:
    recipe = create_co_recipe()
    labels = create_samples(8, recipe).labels
    method = CoTeaching(SETTINGS, AffectNetwork(recipe, labels), recipe, labels)
    assert [round(method.kept_share(epoch), 3) for epoch in (0, 1, 2, 4, 9)] == [1.0, 0.9, 0.8, 0.6, 0.6]


def test_the_rows_with_the_smallest_losses_are_selected_and_unlabelled_ones_kept() -> None:
    logits = torch.tensor([[5.0, 0], [0, 5.0], [1.0, 0], [0, 0]])
    targets = torch.tensor([[1.0, 0], [1.0, 0], [1.0, 0], [torch.nan, torch.nan]])
    assert small_losses(logits, targets, 2 / 3).tolist() == [True, False, True, True]
    assert small_losses(logits, targets, 0.01).tolist() == [True, False, False, True]
    assert small_losses(logits, torch.full((4, 2), torch.nan), 0.5).all()


def test_an_interrupted_training_ends_in_the_same_weights(tmp_path: Path) -> None:
    class Stopped(Trainer):
        n_saves = 0

        def save(self, optimizer: torch.optim.Optimizer) -> None:
            super().save(optimizer)
            self.n_saves += 1
            if self.n_saves == 2:
                raise KeyboardInterrupt

    recipe = create_co_recipe()
    samples = create_samples(20, recipe)
    whole = Trainer(recipe, samples, tmp_path / "whole").run()
    with pytest.raises(KeyboardInterrupt):
        Stopped(recipe, samples, tmp_path / "part").run()
    resumed = Trainer(recipe, samples, tmp_path / "part").run()
    for one, two in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, two)


def test_it_needs_an_expression_head_and_no_sam(tmp_path: Path) -> None:
    recipe = create_co_recipe()
    heads = {"valence_arousal": recipe.heads["valence_arousal"]}
    losses = {"valence_arousal": recipe.losses["valence_arousal"]}
    alone = dataclasses.replace(recipe, heads=heads, losses=losses)
    with pytest.raises(ConfigError, match="expression"):
        Trainer(alone, create_samples(20, alone), tmp_path).run()
    sharp = dataclasses.replace(recipe, optimizer=dataclasses.replace(recipe.optimizer, sam_rho=0.05))
    with pytest.raises(ConfigError, match="sam_rho"):
        Trainer(sharp, create_samples(20, sharp), tmp_path).run()

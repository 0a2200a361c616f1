# SPDX-License-Identifier: Apache-2.0
"""Every way of the training-speed table runs an epoch, and the plain loop computes what mien's does."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")

import torch

from benchmarks.training import training_speed as speed
from mien.training import load_recipe
from mien.training.data.batch_loader import BatchLoader
from mien.training.engine.trainer import Trainer
from tests.helpers.synthetic_data import create_recipe, create_samples


def test_every_way_runs_an_epoch(tmp_path: Path) -> None:
    recipe = speed.one_epoch(create_recipe(), 32)
    samples = create_samples(24, recipe)
    for number, way in enumerate(speed.WAYS.values()):
        assert 0 < way(recipe, samples, tmp_path / str(number)) < 60


def test_the_plain_loop_has_the_same_losses(tmp_path: Path) -> None:
    recipe = speed.one_epoch(create_recipe(), 32)
    samples = create_samples(24, recipe)
    trainer = Trainer(recipe, samples, tmp_path)
    network = trainer.network.eval()
    loader = BatchLoader(samples, dict(samples.targets), recipe, 0)
    batch = next(iter(loader.batches(0, loader.rows(0), 0)))
    own = trainer.losses(network, batch, recipe.stages[0])
    plain = trainer.losses(speed._PlainNetwork(network), batch, recipe.stages[0])
    assert own.keys() == plain.keys()
    for name, loss in own.items():
        torch.testing.assert_close(plain[name], loss, rtol=1e-4, atol=1e-5)


def test_an_epoch_at_one_size_of_voted_faces() -> None:
    (stage,) = speed.one_epoch(load_recipe("mien-light"), 112).stages
    assert (stage.epochs, stage.size_px, stage.targets) == (1, 112, ())

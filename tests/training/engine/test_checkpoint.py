# SPDX-License-Identifier: Apache-2.0
"""The learning rate that falls where validation stands still: by hand, in a training, and across an interruption."""

import dataclasses
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="needs the extra train: pip install 'mien[train]'")

import torch

from mien.core import ConfigError
from mien.training import load_recipe
from mien.training.data.training_set import TrainingSet
from mien.training.engine.checkpoint import Progress
from mien.training.engine.trainer import Trainer
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.schedule_settings import StageSettings
from mien.training.recipes.settings import DataSettings, SourceSettings
from tests.helpers.synthetic_data import create_samples, create_vector_recipe

pytestmark = pytest.mark.filterwarnings("default")  # torch warns about itself

STAGE = StageSettings(epochs=9, peak_lr=1e-2, batch=8, schedule="plateau", patience=2, factor=0.5, lowest=0.2)


def test_by_hand() -> None:
    """As Keras' ReduceLROnPlateau with patience 2: after two epochs without a gain the rate is halved."""
    place, shares = Progress(), []
    for value in (0.5, 0.6, 0.6, 0.55, 0.61, 0.6, 0.6, 0.6, 0.6, 0.6):
        place = place.after(value, STAGE)
        shares.append(place.lr_share)
    assert shares == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2]  # never below the lowest share


def test_the_recipe_of_2020_waits_50_epochs_and_falls_to_a_tenth() -> None:
    (stage,) = load_recipe("expr-cnn-2020").stages
    assert (stage.schedule, stage.patience, stage.factor) == ("plateau", 50, 0.5)
    assert stage.peak_lr * stage.lowest == pytest.approx(1e-4)


class Scripted(Trainer):
    """A trainer whose validation accuracy is written down; it notes the rate of every epoch."""

    values = (0.5, 0.4, 0.3, 0.2, 0.1, 0.6, 0.5, 0.5, 0.5)
    stop_at = 99

    def __init__(self, recipe: Recipe, samples: TrainingSet, folder: Path) -> None:
        super().__init__(recipe, samples, folder, valid=samples)
        self.rates: list[float] = []

    def evaluate(self, samples: TrainingSet) -> dict[str, float]:
        del samples
        return {"expression accuracy": self.values[self.progress.epoch]}

    def save(self, optimizer: torch.optim.Optimizer) -> None:
        super().save(optimizer)
        self.rates.append(optimizer.param_groups[0]["lr"])
        if len(self.rates) == self.stop_at:
            raise KeyboardInterrupt


def plateau_recipe(**changes: object) -> Recipe:
    data = DataSettings(sources=(SourceSettings(name="vectors"),), valid=(SourceSettings(name="vectors"),))
    stage = dataclasses.replace(STAGE, best_by="expression accuracy", **changes)  # type: ignore[arg-type]  # of a stage
    return create_vector_recipe(data=data, stages=(stage,))


def test_a_training_slows_down_and_an_interruption_changes_nothing(tmp_path: Path) -> None:
    recipe = plateau_recipe()
    samples = create_samples(20, recipe)
    whole = Scripted(recipe, samples, tmp_path / "whole")
    whole.run()
    assert whole.rates == pytest.approx([0.01, 0.01, 0.01, 0.005, 0.005, 0.0025, 0.0025, 0.0025, 0.002])
    broken = Scripted(recipe, samples, tmp_path / "parts")
    broken.stop_at = 4
    with pytest.raises(KeyboardInterrupt):
        broken.run()
    resumed = Scripted(recipe, samples, tmp_path / "parts")
    resumed.run()
    assert broken.rates + resumed.rates == pytest.approx(whole.rates)
    assert resumed.selected == {}  # the last epoch was kept: nothing was selected


def test_a_refit_keeps_its_rate_and_a_plateau_needs_validation() -> None:
    (stage,) = plateau_recipe().refit().stages
    assert stage.schedule == "constant"
    with pytest.raises(ConfigError, match=r"which needs \[\[data.valid\]\]"):
        create_vector_recipe(stages=(STAGE,))
    for wrong in ({"patience": 0}, {"factor": 1.0}, {"lowest": 2.0}):
        with pytest.raises(ConfigError, match="patience must be positive"):
            dataclasses.replace(STAGE, **wrong)  # type: ignore[arg-type]  # of a stage

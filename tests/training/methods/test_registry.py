# SPDX-License-Identifier: Apache-2.0
"""The table of training methods, the default method, and what every method refuses."""

import dataclasses
from typing import get_args

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="needs the extra train: pip install 'mien[train]'")

from mien.core import ConfigError
from mien.training.engine.targets import card_sentences
from mien.training.methods.registry import METHODS, TrainingMethod, create_method
from mien.training.models.network import AffectNetwork
from mien.training.recipes.method_settings import CoTeachingSettings, MethodSettings, TwoViewsSettings
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.schedule_settings import OptimizerSettings, StageSettings
from tests.helpers.synthetic_data import create_recipe, create_samples


def with_method(settings: MethodSettings | None, **stage: object) -> Recipe:
    fields: dict[str, object] = {"epochs": 1, "peak_lr": 1e-3, "batch": 8, "method": settings}
    return create_recipe(stages=(StageSettings(**(fields | stage)),))  # type: ignore[arg-type]


def test_every_method_has_settings_and_a_class() -> None:
    assert sorted(METHODS) == sorted(kind.__dataclass_fields__["name"].default for kind in get_args(MethodSettings))
    for name in METHODS:
        assert issubclass(METHODS.load(name), TrainingMethod)
        assert METHODS[name].summary


def test_a_stage_without_a_method_has_none() -> None:
    recipe = with_method(None)
    samples = create_samples(12, recipe)
    assert create_method(AffectNetwork(recipe, samples.labels), recipe, 0, samples) is None


def test_methods_draw_rows_without_labels_where_they_use_them() -> None:
    recipe = with_method(None)
    samples = create_samples(12, recipe)
    targets = {task: values.copy() for task, values in samples.targets.items()}
    for values in targets.values():
        values[2:4] = np.nan
    samples = dataclasses.replace(samples, targets=targets)
    rng = np.random.default_rng(0)
    assert len(TrainingMethod().rows(samples, rng)) == 0
    method = TrainingMethod()
    method.draws_unlabelled = True
    assert method.rows(samples, rng).tolist() == [2, 3, 8, 9, 10, 11]  # without any label, and auxiliary ones
    method.tasks = ("expression",)
    assert method.rows(samples, rng).tolist() == [0, 2, 3, 6, 8, 9, 10, 11]  # without an expression


def test_what_a_method_cannot_do_is_refused() -> None:
    settings = CoTeachingSettings(forget_rate=0.2)
    recipe = with_method(settings, optimizer=OptimizerSettings(sam_rho=0.05))
    samples = create_samples(12, recipe)
    network = AffectNetwork(recipe, samples.labels)
    with pytest.raises(ConfigError, match="sam_rho must be 0"):
        create_method(network, recipe, 0, samples)
    with pytest.raises(ConfigError, match="one device"):
        create_method(network, with_method(settings), 0, samples, 2)


def test_the_card_says_where_targets_are_predictions() -> None:
    assert any("predictions of the network itself" in card for card in card_sentences(with_method(TwoViewsSettings())))
    assert card_sentences(with_method(CoTeachingSettings(forget_rate=0.2))) == ()

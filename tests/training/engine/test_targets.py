# SPDX-License-Identifier: Apache-2.0
"""The table of target providers and its settings agree; the base class changes nothing."""

import typing
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")

from mien.training import load_recipe
from mien.training.engine.targets import (
    TARGETS,
    StageContext,
    TargetProvider,
    blend,
    card_sentences,
    create_providers,
    provide_targets,
)
from mien.training.models.network import AffectNetwork
from mien.training.recipes.target_settings import TargetSettings, TeacherSettings
from tests.helpers.synthetic_data import create_samples, create_vector_recipe


def test_every_provider_has_settings_and_every_settings_a_provider() -> None:
    kinds = typing.get_args(TargetSettings)
    assert [kind.__dataclass_fields__["name"].default for kind in kinds] == list(TARGETS)
    assert all(issubclass(TARGETS.load(name), TargetProvider) for name in TARGETS)
    assert all(TARGETS[name].summary for name in TARGETS)


def test_no_module_of_the_engine_names_a_data_set() -> None:
    folder = Path(__file__).parents[3] / "src/mien/training/engine"
    text = "".join(path.read_text("utf-8") for path in folder.glob("*.py")).replace("AffectNetwork", "").lower()
    assert [name for name in ("fer+", "ferplus", "lfw", "fairface", "affwild", "affectnet") if name in text] == []


def test_providers_are_applied_in_order_and_the_labels_stay() -> None:
    recipe = create_vector_recipe()
    samples = create_samples(12, recipe)
    context = StageContext(
        samples=samples, recipe=recipe, stage=0, network=AffectNetwork(recipe, samples.labels), folder=Path()
    )

    class Plus(TargetProvider):
        def targets(self, targets: dict[str, np.ndarray], context: StageContext) -> dict[str, np.ndarray]:
            del context
            return {task: values + 1 for task, values in targets.items()}

    class Twice(TargetProvider):
        def targets(self, targets: dict[str, np.ndarray], context: StageContext) -> dict[str, np.ndarray]:
            del context
            return {task: 2 * values for task, values in targets.items()}

    before = {task: values.copy() for task, values in samples.targets.items()}
    found = provide_targets([Plus(), TargetProvider(), Twice()], dict(samples.targets), context)
    np.testing.assert_array_equal(found["expression"], 2 * (before["expression"] + 1))
    np.testing.assert_array_equal(samples.targets["expression"], before["expression"])
    assert not len(TargetProvider().rows(samples, np.random.default_rng(0)))


def test_cards_tell_which_targets_are_no_labels() -> None:
    sentences = card_sentences(load_recipe("mien-light"))
    assert sentences == (TARGETS["pseudo_labels"].card, TARGETS["self_distillation"].card)
    assert [name for name in TARGETS if not TARGETS[name].card] == ["auxiliary_rows", "unknown_labels", "oversampling"]


def test_settings_create_their_provider() -> None:
    (provider,) = create_providers([TeacherSettings(path="mien-light")])
    assert type(provider).__name__ == "Teacher"


def test_blending() -> None:
    nan = np.nan
    targets, predictions = np.array([[1.0, nan, 0.0, nan]]), np.array([[0.0, 0.5, nan, nan]])
    np.testing.assert_allclose(blend(targets, predictions, 0.25), [[0.75, 0.5, 0.0, nan]])

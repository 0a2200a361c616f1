# SPDX-License-Identifier: Apache-2.0
"""Arms treat rendered faces as they say, and the page compares the same seeds."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

import torch

from benchmarks.training import domains
from mien.training import Recipe
from mien.training.data.source_records import SourceRecord
from mien.training.data.training_set import TrainingSet
from tests.helpers.synthetic_data import create_samples

pytestmark = pytest.mark.filterwarnings("default")  # torch warns about itself


@pytest.fixture
def recipe() -> Recipe:
    found = domains.recipe_of(1, "own", 100, (1000, 200), 1)
    assert [source.epoch_share for source in found.data.sources] == [0.1, 0.5]
    small = dataclasses.replace(found.model, start="scratch", input_px=32)
    return dataclasses.replace(found, model=small, targets=(), stages=(dataclasses.replace(found.stages[0], batch=16),))


@pytest.fixture
def samples(recipe: Recipe) -> TrainingSet:
    """16 faces, every second one rendered."""
    records = (
        SourceRecord(title="photos", licence=""),
        SourceRecord(title="rendered", licence="", own_statistics=True),
    )
    found = create_samples(16, recipe)
    return dataclasses.replace(found, records=records, record=np.arange(16) % 2, primary=np.ones(16, dtype=bool))


@pytest.mark.parametrize("arm", domains.ARMS)
def test_every_arm_trains(arm: str, recipe: Recipe, samples: TrainingSet, tmp_path: Path) -> None:
    trainer = domains.DomainTrainer(recipe, samples, tmp_path).with_arm(arm)
    sizes: list[int] = []
    trainer.network.backbone.register_forward_hook(lambda _module, inputs, _output: sizes.append(len(inputs[0])))
    network = trainer.run()
    # Two passes of a step where rendered faces have statistics of their own, else one of the whole batch.
    assert (max(sizes) < 16) == (arm == "own")
    assert ("domain_head" in dict(network.named_children())) == (arm == "adversarial")


def test_the_gradient_of_the_domain_head_is_reversed() -> None:
    features = torch.ones(2, 3, requires_grad=True)
    domains._Reversed.apply(features).sum().backward()
    assert features.grad is not None
    assert (features.grad == -domains._REVERSED).all()


def test_a_restyled_face_has_the_mean_and_contrast_of_a_real_one() -> None:
    generator = np.random.default_rng(0)
    real = generator.normal(200, 10, (1, 32, 32, 1)).clip(0, 255)
    rendered = generator.normal(60, 25, (1, 32, 32, 1)).clip(0, 255)
    crops = torch.from_numpy(np.concatenate([real, rendered]).astype(np.uint8))
    styled = domains.restyled(crops, torch.tensor([False, True]))
    assert (styled[0] == crops[0]).all()
    assert styled[1].float().mean() == pytest.approx(200, abs=1)
    assert styled[1].float().std() == pytest.approx(10, abs=1)
    shape = [np.corrcoef(one.numpy().ravel(), crops[1].numpy().ravel())[0, 1] for one in (styled[1], crops[0])]
    assert shape[0] > 0.8 > 0.2 > abs(shape[1])  # the face stays


def test_the_page_compares_the_same_seeds() -> None:
    def metrics(value: float) -> dict[str, float]:
        return dict.fromkeys((*domains.FROM_RENDERED, *domains._COLUMNS), value)

    runs = {arm: {} for arm in domains.ARMS} | {
        "own": {1: metrics(0.8), 2: metrics(0.7), 3: metrics(0.6)},
        "style": {1: metrics(0.82), 2: metrics(0.71)},
        "shared": {1: metrics(0.85), 2: metrics(0.6)},
    }
    page = "\n".join(domains.domains_page(runs, (100, (1000, 200), 2), "a machine"))
    assert "| own | 3 | 0.700 ± 0.100 |" in page
    assert "| style | 2 | **+0.015** |" in page
    assert "| shared | 2 | -0.025 |" in page
    assert "| adversarial |" not in page

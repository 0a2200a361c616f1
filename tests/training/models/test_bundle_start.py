# SPDX-License-Identifier: Apache-2.0
"""Start weights from a bundle compute what the bundle computes, in training mode, too."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="needs the extra train: pip install 'mien[train]'")

import torch

from mien.core import ConfigError, ModelError
from mien.inference import create_session, find_bundle
from mien.training import Recipe, load_recipe, start_from_bundle
from mien.training.data.batch_loader import clean_inputs
from mien.training.data.training_set import TrainingSet
from mien.training.export.joined_bundles import joined_parts
from mien.training.models.network import AffectNetwork
from mien.training.models.starts import load_start
from tests.helpers.synthetic_data import create_samples

pytestmark = pytest.mark.filterwarnings("default")  # torch warns about itself


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    shipped = load_recipe("lsd-mien-light")
    # Without random depth, training and evaluation differ by their batch statistics alone.
    options = {**shipped.model.options, "drop_path_rate": 0.0}
    return dataclasses.replace(shipped, model=dataclasses.replace(shipped.model, input_px=80, options=options))


@pytest.fixture(scope="module")
def samples(recipe: Recipe) -> TrainingSet:
    return create_samples(12, recipe)


@pytest.fixture(scope="module")
def checkpoint(recipe: Recipe, samples: TrainingSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("start") / "start.pt"
    start_from_bundle("mien-accurate", recipe, samples, path)
    return path


def started(recipe: Recipe, path: Path, samples: TrainingSet) -> AffectNetwork:
    own = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, start=str(path)))
    network = AffectNetwork(own, samples.labels)
    load_start(network, own, path.parent, lambda: clean_inputs(samples, own, np.arange(len(samples))))
    return network


def test_features_are_those_of_the_bundle(recipe: Recipe, samples: TrainingSet, checkpoint: Path) -> None:
    crops = clean_inputs(samples, recipe, np.arange(len(samples)))
    _, second = joined_parts((find_bundle("mien-accurate") / "model.onnx").read_bytes())
    expected = create_session(second).run({"crops": np.asarray(crops, np.uint8)})["features"]
    network = started(recipe, checkpoint, samples)
    with torch.no_grad():
        evaluated = network.eval().embed(torch.from_numpy(crops)).numpy()
        trained = network.train().embed(torch.from_numpy(crops)).numpy()
    np.testing.assert_allclose(evaluated, expected, atol=1e-3)
    # On the same faces, batch statistics are those that were put back (up to the divisor of the variance).
    assert np.corrcoef(trained.ravel(), expected.ravel())[0, 1] > 0.999


def test_every_batch_normalisation_has_statistics(recipe: Recipe, samples: TrainingSet, checkpoint: Path) -> None:
    norms = [m for m in started(recipe, checkpoint, samples).modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert len(norms) == 49
    assert all(not torch.equal(norm.running_var, torch.ones_like(norm.running_var)) for norm in norms)


def test_recipes_that_do_not_fit_are_refused(recipe: Recipe, samples: TrainingSet, tmp_path: Path) -> None:
    def change(**settings: object) -> Recipe:
        return dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, **settings))  # type: ignore[arg-type]

    path = tmp_path / "start.pt"
    with pytest.raises(ConfigError, match=r"pixel_mean \[127"):
        start_from_bundle("mien-accurate", change(mean=(120.0,)), samples, path)
    with pytest.raises(ConfigError, match="another backbone"):
        start_from_bundle("mien-accurate", change(backbone="mobilenetv3_small_050", options={}), samples, path)
    with pytest.raises(ModelError):
        start_from_bundle("mien-points", recipe, samples, path)
    assert not path.exists()

# SPDX-License-Identifier: Apache-2.0
"""Geometry recipes: every one trains on an example, and the bundle computes what scikit-learn does."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("sklearn", reason="needs the extra train: pip install 'mien[train]'")

from sklearn.cross_decomposition import PLSRegression

from mien.affect import GeometryModel
from mien.core import ConfigError, DatasetError, GeometrySpec
from mien.datasets import create_example
from mien.inference import load_geometry
from mien.training import list_geometry_recipes, load_geometry_recipe, train
from mien.training.data import point_sources
from mien.training.geometry.geometry_training import fit_distances
from mien.training.recipes.geometry_recipe import GeometryRecipe
from tests.helpers.open_face_sets import write_open_sets
from tests.helpers.synthetic_data import face_landmarks


def seen_landmarks(names: tuple[str, ...], images: tuple[bytes, ...]) -> np.ndarray:
    """Landmarks and poses of flat pictures, in which no landmark net sees a face: the mouth says the picture's sum."""
    rng = np.random.default_rng(len(images))
    points = np.repeat(face_landmarks()[None] * 90, len(names), axis=0) + rng.normal(size=(len(names), 68, 2))
    points[:, [48, 54], 1] -= np.array([np.frombuffer(image, np.uint8).mean() for image in images])[:, None] / 10
    pose = rng.uniform(-0.15, 0.15, (len(names), 3))
    return np.concatenate([points.reshape(len(names), 136), pose], axis=1).astype(np.float32)


def shortened(name: str) -> GeometryRecipe:
    recipe = load_geometry_recipe(name)
    return dataclasses.replace(recipe, geometry=dataclasses.replace(recipe.geometry, components=2, turns=1))


@pytest.mark.parametrize("name", list_geometry_recipes())
def test_two_components_of_every_recipe(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(point_sources, "landmark_vectors", seen_landmarks)
    recipe = shortened(name)
    if any(source.name == "morphset" for source in recipe.data.sources):
        create_example("morphset", tmp_path / "data")
    else:
        (tmp_path / "data").mkdir()
        write_open_sets(tmp_path / "data")
        create_example("affectnet-c25", tmp_path / "data")
    spec = train(recipe, tmp_path / "data", tmp_path / "out")
    assert isinstance(spec, GeometrySpec)
    assert load_geometry(tmp_path / "out").spec == spec
    assert {metric.name for metric in spec.metrics} >= {"CCC valence", "mean squared error intensity"}
    assert spec.training_sources
    assert spec.weights_notice
    assert GeometryModel(tmp_path / "out").predict(face_landmarks()[None] * 90).shape == (1, 3)
    again = train(recipe, tmp_path / "data", tmp_path / "out")  # a geometry bundle may be replaced
    assert isinstance(again, GeometrySpec)
    assert again.sha256 == spec.sha256


def test_fewer_components_equal_a_smaller_regression() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 30)), rng.normal(size=(80, 3))
    y[:, 0] += x[:, :5].sum(axis=1)
    fitted = fit_distances(x, y, 6)
    for components in (1, 3, 6):
        expected = PLSRegression(n_components=components).fit(x, y).predict(x)
        np.testing.assert_allclose(fitted.predict(x, components), expected, atol=1e-8)
    with pytest.raises(DatasetError, match="6 faces are too few for 6 components"):
        fit_distances(x[:6], y[:6], 6)


def test_what_does_not_fit_is_refused_before_the_work(tmp_path: Path) -> None:
    create_example("morphset", tmp_path)
    recipe = shortened("pls-morphset")
    learned = dataclasses.replace(recipe, geometry=dataclasses.replace(recipe.geometry, frontal="learned"))
    with pytest.raises(ConfigError, match="no training face has a head pose to learn the map to the front from"):
        train(learned, tmp_path, tmp_path / "out")
    with pytest.raises(ConfigError, match="fits landmarks; model"):
        train(recipe, tmp_path, tmp_path / "out", model="mien-light")
    assert not (tmp_path / "out").exists()
    whole = train(recipe, tmp_path, tmp_path / "out", refit=True)
    assert isinstance(whole, GeometrySpec)
    assert whole.metrics == ()
    assert sum(source.n for source in whole.training_sources) == 20

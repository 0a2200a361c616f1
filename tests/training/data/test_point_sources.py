# SPDX-License-Identifier: Apache-2.0
"""Landmarks of pictures are computed once, and belong to their recipes."""

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.core import EXPRESSIONS, ConfigError, DatasetError
from mien.datasets import FaceSamples, create_example
from mien.media import encode_jpeg
from mien.training import load_geometry_recipe, load_recipe, load_source
from mien.training.data import point_sources
from mien.training.data.point_sources import N_POINT_COLUMNS, label_means, landmark_vectors
from mien.training.recipes.settings import SourceSettings


def test_landmarks_are_those_of_given_crops_and_are_kept(
    astronaut: npt.NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    face = np.ascontiguousarray(astronaut[60:220, 150:310])
    images = (encode_jpeg(face), encode_jpeg(np.full((60, 60, 3), 127, np.uint8)), b"no picture")
    found = landmark_vectors(("face", "blank", "broken"), images)
    assert found.shape == (3, N_POINT_COLUMNS)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1:]).all()
    points = found[0, :136].reshape(68, 2)
    assert points[36:42, 0].mean() < points[42:48, 0].mean()
    assert points[36:48, 1].mean() < points[48:, 1].mean()
    monkeypatch.setattr(point_sources, "read_given_face", None)  # a second look must not be needed
    np.testing.assert_array_equal(landmark_vectors(("face", "blank", "broken"), images), found)
    assert len(list(tmp_path.rglob("*.npy"))) == 1


def test_means_of_labels() -> None:
    one_hot = np.eye(8, dtype=np.float32)[[1, 1, 3]]
    samples = FaceSamples(
        names=("a", "b", "c"),
        images=(b"",) * 3,
        expression=one_hot,
        valence_arousal=[[0.5, 0.1], [0.7, 0.3], [-0.5, 0]],
        action_units=np.zeros((3, 0)),
        action_unit_labels=(),
        keypoints=np.zeros((3, 5, 2)),
    )
    means = label_means(samples)
    assert means[1].tolist() == pytest.approx([0.6, 0.2], abs=1e-6)
    assert means[EXPRESSIONS.index("fear")].tolist() == [0, 0]


def test_morphset_keeps_its_own_order(tmp_path: Path) -> None:
    create_example("morphset", tmp_path)
    recipe = load_geometry_recipe("pls-morphset")
    samples = load_source(recipe.data.sources[0], tmp_path, recipe)
    assert len(samples) == 14
    happy = samples.targets["valence_arousal"][0]
    assert happy.tolist() in ([0.75, 0.25], [-0.5, -0.5])  # valence first
    assert np.isnan(np.asarray(samples.inputs)[:, 136:]).all()
    assert len(set(samples.groups)) == 7


def test_sources_fit_their_recipes(tmp_path: Path) -> None:
    geometry, network = load_geometry_recipe("pls-geometry"), load_recipe("mien-light")
    with pytest.raises(ConfigError, match="the source open-ferplus is pictures or vectors; geometry needs landmarks"):
        load_source(SourceSettings(name="open-ferplus"), tmp_path, geometry)
    with pytest.raises(ConfigError, match="the source points-lfw is landmarks; a network needs pictures or vectors"):
        load_source(SourceSettings(name="points-lfw"), tmp_path, network)
    with pytest.raises(DatasetError, match="points-lfw has the splits train, not 'valid'"):
        load_source(dataclasses.replace(geometry.data.sources[1], split="valid"), tmp_path, geometry)

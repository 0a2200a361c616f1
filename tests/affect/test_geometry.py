# SPDX-License-Identifier: Apache-2.0
"""Valence and arousal of landmarks: the prediction, its account, and the option of the analyzer."""

import numpy as np
import numpy.typing as npt
import pytest

from mien.affect import Analyzer, GeometryModel, parse_va
from mien.core import ConfigError, ModelError
from mien.faces import frontal_shapes, normalized_shapes, shape_distances
from tests.helpers.synthetic_data import face_landmarks


def faces(n: int) -> npt.NDArray[np.float64]:
    return face_landmarks() * 200 + np.random.default_rng(n).normal(size=(n, 68, 2)) * 2


def with_mouth(corners_up: float) -> npt.NDArray[np.float64]:
    """A face whose mouth corners are raised by this share of its height."""
    points = face_landmarks() * 200
    for corner in (48, 54, 60, 64):
        points[corner, 1] -= corners_up * 200
    return points[None]


def test_the_prediction_is_a_matrix_product_in_any_batch() -> None:
    model, points = GeometryModel(), faces(40)
    weights = model.bundle.weights
    distances = shape_distances(frontal_shapes(normalized_shapes(points), weights.frontal)).astype(np.float64)
    expected = np.clip((distances - weights.mean) @ weights.weights.astype(np.float64) + weights.offset, [-1, -1, 0], 1)
    found = model.predict(points)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(np.concatenate([model.predict(one[None]) for one in points]), found, atol=1e-5)


def test_a_smile_raises_valence() -> None:
    model = GeometryModel()
    low, high = (float(model.predict(with_mouth(share))[0, 1]) for share in (-0.03, 0.03))
    assert high > low + 0.1


def test_the_account_adds_up() -> None:
    model, points = GeometryModel(), faces(1)[0]
    effects = model.part_effects(points)
    moved = model._moved(points[None])[0]
    for column, output in enumerate(model.outputs):
        total = sum(one[output] for one in effects.values())
        assert total == pytest.approx(float(moved @ model.bundle.weights.weights[:, column]), abs=1e-3)
    ordered = [abs(one["valence"]) for one in effects.values()]
    assert ordered == sorted(ordered, reverse=True)
    first, *others = model.explain(points, "arousal", n=4)
    assert len(others) == 3
    assert all(abs(first.effects["arousal"]) >= abs(one.effects["arousal"]) for one in others)
    assert first.landmarks[0] < first.landmarks[1]
    assert first.length > 0
    assert first.usual > 0


def test_faces_without_landmarks_have_no_values() -> None:
    model = GeometryModel()
    unknown = np.full((1, 68, 2), np.nan)
    assert np.isnan(model.predict(np.concatenate([faces(1), unknown]))[1]).all()
    assert model.explain(unknown[0]) == ()
    assert model.part_effects(unknown[0]) == {}
    with pytest.raises(ConfigError, match="gives arousal, valence, intensity, not 'joy'"):
        model.explain(faces(1)[0], "joy")


def test_the_analyzer_takes_landmarks_or_the_mean(astronaut: npt.NDArray[np.uint8]) -> None:
    network, geometry, mean = (Analyzer(va=va, threads=1).image(astronaut) for va in ("network", "geometry", "mean"))
    expected = GeometryModel().predict(network.landmarks)
    np.testing.assert_allclose(geometry.valence, expected[:, 1], atol=1e-6)
    np.testing.assert_allclose(geometry.arousal, expected[:, 0], atol=1e-6)
    np.testing.assert_allclose(mean.valence, (network.valence + expected[:, 1]) / 2, atol=1e-6)
    np.testing.assert_allclose(geometry.expression, network.expression, atol=1e-6)
    assert np.isnan(geometry.valence_interval).all()  # the intervals are fitted to the network
    assert len(geometry) == 1


def test_crops_without_landmarks_keep_the_network_in_the_mean() -> None:
    blank = [np.full((90, 80, 3), 128, np.uint8)]
    network, geometry, mean = (Analyzer(va=va, threads=1).crops(blank) for va in ("network", "geometry", "mean"))
    assert np.isnan(geometry.valence).all()
    np.testing.assert_array_equal(mean.valence, network.valence)


@pytest.mark.parametrize("text", ["landmarks", "", "network=x", "geometry=", "mean ="])
def test_other_sources_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="va is network, geometry or mean"):
        parse_va(text)
    with pytest.raises(ConfigError, match="va is network, geometry or mean"):
        Analyzer(va=text)


def test_what_cannot_work_is_said_before_the_first_image() -> None:
    with pytest.raises(ConfigError, match="va=geometry reads 68 landmarks; leave landmark_model='none' out"):
        Analyzer(va="geometry", landmark_model="none")
    with pytest.raises(ModelError, match="no/such: no geometry bundle of that name"):
        Analyzer(va="mean=no/such")

# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from mien import Analyzer
from mien.affect import further_views, view_spread
from mien.core import MAX_VIEWS, ConfigError


def test_views_are_the_mirror_image_shifts_and_scales() -> None:
    crop = np.zeros((1, 40, 40), np.uint8)
    crop[0, 18:22, 8:12] = 255
    views = list(further_views(crop, MAX_VIEWS))
    places = [np.argwhere(view[0] > 127).mean(axis=0) for view in views]
    np.testing.assert_allclose(places[0], [19.5, 29.5], atol=0.6)
    np.testing.assert_allclose(places[1], [19.5, 11.5], atol=0.6)
    np.testing.assert_allclose(places[3], [21.5, 9.5], atol=0.6)
    assert places[5][1] < 9.5 < places[6][1]
    colour = list(further_views(np.repeat(crop[..., None], 3, axis=3), 2))
    np.testing.assert_array_equal(colour[1][..., 0], views[1])


def test_spread_is_zero_for_equal_predictions_and_one_for_opposite_ones() -> None:
    sure = np.array([[1.0, 0.0]], np.float32)
    assert view_spread(sure, [sure, sure]).tolist() == [0.0]
    assert view_spread(sure, [sure[:, ::-1]]).tolist() == [1.0]


def test_an_analyzer_measures_views_only_on_request(astronaut: np.ndarray) -> None:
    faces = Analyzer(threads=1, views=2).image(astronaut)
    assert 0 <= faces.view_spread[0] < 0.5
    assert np.isnan(Analyzer(threads=1).image(astronaut).view_spread).all()


def test_an_impossible_number_of_views_is_refused() -> None:
    with pytest.raises(ConfigError):
        list(further_views(np.zeros((1, 4, 4), np.uint8), MAX_VIEWS + 1))
    with pytest.raises(ConfigError):
        Analyzer(views=99)

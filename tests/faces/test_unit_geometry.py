# SPDX-License-Identifier: Apache-2.0
"""Each measure grows with its action unit, and with nothing that a similarity of the picture does."""

import numpy as np
import pytest

from mien.core import ConfigError
from mien.faces import unit_geometry

# Landmarks that an action moves up (image coordinates: minus y), or apart.
_MOVES = {
    "AU01": {(20, 21, 22, 23): (0.0, -0.1)},
    "AU02": {(17, 18, 25, 26): (0.0, -0.1)},
    "AU04": {(19, 20, 21): (0.04, 0.1), (22, 23, 24): (-0.04, 0.1)},
    "AU12": {(48,): (-0.1, -0.1), (54,): (0.1, -0.1)},
    "AU15": {(48, 54): (0.0, 0.1)},
    "AU25": {(65, 66, 67): (0.0, 0.1)},
    "AU26": {(65, 66, 67): (0.0, 0.2)},
    "AU45": {(37, 38, 43, 44): (0.0, 0.03)},
}


def _face() -> np.ndarray:
    rng = np.random.default_rng(0)
    face = rng.normal(0, 0.01, (68, 2)) + np.array([0.5, 0.8])
    face[17:27] = np.stack([np.linspace(-0.2, 1.2, 10), np.full(10, -0.35)], axis=1)
    eye = np.array([(-0.2, 0), (-0.1, -0.05), (0.1, -0.05), (0.2, 0), (0.1, 0.05), (-0.1, 0.05)])
    face[36:42], face[42:48] = eye, eye + np.array([1, 0])
    face[48], face[54] = (0.2, 1.0), (0.8, 1.0)
    face[61:64] = face[67:64:-1] = [(0.4, 1.0), (0.5, 1.0), (0.6, 1.0)]
    return face


@pytest.mark.parametrize("label", sorted(_MOVES))
def test_the_measure_grows_with_its_action_under_any_similarity(label: str) -> None:
    face, acting = _face(), _face()
    for points, shift in _MOVES[label].items():
        acting[list(points)] += shift
    turn = 37 * np.array([[np.cos(0.6), -np.sin(0.6)], [np.sin(0.6), np.cos(0.6)]])
    both = np.stack([face, acting, face @ turn.T + 50, acting @ turn.T + 50])
    measure = unit_geometry(both)[label]
    assert measure[1] > measure[0] + 0.02
    np.testing.assert_allclose(measure[2:], measure[:2], atol=1e-9)


def test_faces_without_landmarks_stay_unknown_and_other_shapes_are_refused() -> None:
    assert np.isnan(unit_geometry(np.full((1, 68, 2), np.nan))["AU04"]).all()
    with pytest.raises(ConfigError, match="must be"):
        unit_geometry(np.zeros((68, 2)))

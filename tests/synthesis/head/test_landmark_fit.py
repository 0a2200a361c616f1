# SPDX-License-Identifier: Apache-2.0
"""Landmarks that are fitted again to the shipped mesh are the shipped ones."""

import numpy as np
import pytest

from mien.synthesis import HeadBasis
from mien.synthesis.head.landmark_fit import brow_line, fit_landmarks
from mien.synthesis.rendering.truth import landmark_places


@pytest.mark.usefixtures("renderer_installed")
def test_fitting_again_changes_nothing(basis: HeadBasis) -> None:
    again = fit_landmarks(basis)
    difference = landmark_places(again, basis.mean) - landmark_places(basis, basis.mean)
    assert np.abs(difference).max() < 0.01
    assert (again.contour_vertices == basis.contour_vertices).all()


def test_a_brow_is_an_arch() -> None:
    heights = brow_line([0.0, 0.5, 1.0])
    assert heights[1] > heights[0]
    assert heights[1] > heights[2]

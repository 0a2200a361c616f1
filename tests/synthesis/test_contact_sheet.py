# SPDX-License-Identifier: Apache-2.0
"""Contact sheets have a tile for every face and every unit."""

import numpy as np
import pytest

from mien.synthesis import SynthesisRecipe, preview, unit_preview
from mien.synthesis.contact_sheet import sheet


def test_a_sheet_fills_rows_from_the_left() -> None:
    tiles = [(str(k), np.full((10, 20, 3), 50 * k, np.uint8)) for k in range(3)]
    image = sheet(tiles, 2)
    assert image.shape == (2 * 24, 40, 3)
    assert (image[14:24, 20:40] == 50).all()
    assert (image[38:48, 0:20] == 100).all()
    assert (image[38:48, 20:40] == 255).all()


@pytest.mark.usefixtures("renderer_installed")
def test_previews_show_faces_and_units(tiny_recipe: SynthesisRecipe) -> None:
    image = preview(tiny_recipe, n=5, columns=3)
    assert image.shape == (2 * (48 + 14), 3 * 48, 3)
    units = unit_preview(tiny_recipe, n_identities=1, columns=10)
    assert units.shape == (4 * (48 + 14), 480, 3)
    neutral, raised = units[14:62, 0:48].astype(int), units[14:62, 48:96].astype(int)
    assert np.abs(raised - neutral).max() > 20

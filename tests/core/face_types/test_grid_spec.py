# SPDX-License-Identifier: Apache-2.0
"""The grids of a detector: what they refuse, how many cells they have, and how a bundle keeps them."""

from dataclasses import replace
from typing import Any

import pytest

from mien.core import CELL_VALUES, FACE_GRID, N_CELL_VALUES, ConfigError, GridSpec, ModelSpec
from mien.inference import load_spec


def test_cells_of_an_image() -> None:
    assert FACE_GRID.multiple_px == 32
    assert FACE_GRID.n_cells(64, 96) == 8 * 12 + 4 * 6 + 2 * 3
    assert len(CELL_VALUES) == N_CELL_VALUES == len(set(CELL_VALUES)) == 17


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strides": ()}, "strides"),
        ({"strides": (0, 8, 16)}, "strides"),
        ({"strides": (16, 8, 32)}, "ascend"),
        ({"strides": (8, 12, 24)}, "divides"),
        ({"strides": (8, 16, 512)}, "at most 256"),
        ({"units": (16.0, 40.0)}, "unit"),
        ({"units": (16.0, 40.0, 0.0)}, "unit above 0"),
        ({"units": (16.0, 40.0, float("nan"))}, "finite|units"),
        ({"scale": 0.0}, "scale"),
        ({"threshold": 1.0}, "threshold"),
        ({"strides": tuple(2**n for n in range(9)), "units": (1.0,) * 9}, "at most 8 grids"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(FACE_GRID, **changes)


def test_a_bundle_keeps_the_grid_and_others_have_no_such_key() -> None:
    points = load_spec("mien-points")
    assert "grid" not in points.to_json()
    task = replace(points.tasks[-1], task="faces", labels=CELL_VALUES, activation="identity", low=-1e6, high=1e6)
    detector = replace(points, tasks=(task,), grid=replace(FACE_GRID, scale=1.5))
    assert detector.kind == "faces"
    again = ModelSpec.from_json(detector.to_json())
    assert again.grid == GridSpec(strides=(8, 16, 32), units=(16.0, 40.0, 110.0), scale=1.5)
    for wrong in ({"grid": None}, {"tasks": (*points.tasks, task)}):
        with pytest.raises(ConfigError, match="faces"):
            replace(detector, **wrong)
    with pytest.raises(ConfigError, match="grid"):
        replace(points, grid=FACE_GRID)

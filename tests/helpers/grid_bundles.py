# SPDX-License-Identifier: Apache-2.0
"""Bundles of face detectors without a network: the cells say what a test puts there."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mien.core import CELL_VALUES, FACE_GRID, N_CELL_VALUES, Float32, Image, ModelSpec
from mien.inference import Bundle, FakeSession, load_spec

Face = tuple[float, float, float]
"""Middle x and y and side of a face in pixels of the network's input."""


def grid_spec() -> ModelSpec:
    """Description of a detector."""
    points = load_spec("mien-points")
    task = replace(
        points.tasks[-1], task="faces", output="cells", labels=CELL_VALUES, activation="identity", low=-1e6, high=1e6
    )
    return replace(points, name="fake-faces", tasks=(task,), grid=FACE_GRID)


def cells_with(shape: tuple[int, int], faces: Sequence[Face], *, logit: float = 4.0, roll: float = 0.0) -> Float32:
    """(17, M) cells of an input of that height and width: each face in the one cell that fits it best."""
    cells = np.zeros((N_CELL_VALUES, FACE_GRID.n_cells(*shape)), np.float32)
    cells[0] = -9
    for x, y, side in faces:
        level = int(np.searchsorted([26, 64], side))
        stride, unit = FACE_GRID.strides[level], FACE_GRID.units[level]
        before = sum((shape[0] // step) * (shape[1] // step) for step in FACE_GRID.strides[:level])
        row = min(int(y // stride), shape[0] // stride - 1)
        column = min(int(x // stride), shape[1] // stride - 1)
        cell = before + row * (shape[1] // stride) + column
        offset = (np.array([x, y]) - (column * stride + stride / 2, row * stride + stride / 2)) / unit
        places = np.array([[-0.2, -0.15], [0.2, -0.15], [0, 0.05], [-0.15, 0.25], [0.15, 0.25]]) * side / unit
        cells[0, cell] = logit
        cells[1:3, cell] = offset
        cells[3:5, cell] = np.log(side / unit)
        cells[5:15, cell] = (places + offset).ravel()
        cells[15:17, cell] = np.sin(roll), np.cos(roll)
    return cells


def grid_bundle(see: Callable[[Image], Float32]) -> Bundle:
    """A bundle whose cells (17, M) are a function of each (H, W) input."""

    def run(inputs: Any) -> dict[str, Float32]:
        return {"cells": np.stack([see(image[..., 0]) for image in inputs["crops"]])}

    session = FakeSession(run, input_names=("crops",), output_names=("cells",))
    return Bundle(grid_spec(), "digest", session, Path())


def bright_squares(image: Image) -> list[Face]:
    """The white squares of an input as faces."""
    import cv2

    n, _, stats, middles = cv2.connectedComponentsWithStats((image > 200).astype(np.uint8))
    return [(float(middles[i][0] + 0.5), float(middles[i][1] + 0.5), float(stats[i][2])) for i in range(1, n)]

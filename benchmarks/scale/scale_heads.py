# SPDX-License-Identifier: Apache-2.0
"""Training of a head on a million stored vectors (extra: train)."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import measure
from mien.core import ACTION_UNITS_12
from mien.training import load_recipe
from mien.training.data.feature_vectors import StoredVectors
from mien.training.data.training_set import TrainingSet
from mien.training.engine.trainer import Trainer

_TASK = "action_units"
_N_FEATURES, _N_SCORES = 1280, 10
_ROWS_A_BLOCK = 20_000


def write_rows(folder: Path, n_rows: int) -> Path:
    """Write half-precision features and scores of 1,290 numbers per row, and 12 action units that depend on them.

    Returns:
        The folder of the arrays.
    """
    rng = np.random.default_rng(0)
    place = folder / "vectors"
    place.mkdir()
    directions = rng.normal(size=(_N_FEATURES, len(ACTION_UNITS_12))).astype(np.float32)
    shapes = {"features": _N_FEATURES, "scores": _N_SCORES}
    arrays = {
        name: np.lib.format.open_memmap(place / f"{name}.npy", "w+", np.float16, (n_rows, width))
        for name, width in shapes.items()
    }
    units = np.empty((n_rows, len(ACTION_UNITS_12)), np.float32)
    for start in range(0, n_rows, _ROWS_A_BLOCK):
        rows = slice(start, min(start + _ROWS_A_BLOCK, n_rows))
        features = rng.standard_normal((rows.stop - start, _N_FEATURES), np.float32)
        arrays["features"][rows] = features
        arrays["scores"][rows] = rng.standard_normal((rows.stop - start, _N_SCORES), np.float32)
        units[rows] = features @ directions > 0
    np.save(place / "units.npy", units)
    return place


def train_rows(place: Path, work: Path) -> int:
    """Train the action-unit head of the recipe `hse-mtl` for its published number of epochs.

    Returns:
        Number of rows over all epochs.
    """
    published = load_recipe("hse-mtl")
    stage = next(stage for stage in published.stages if stage.tasks == (_TASK,))
    recipe = dataclasses.replace(
        published,
        heads={_TASK: published.heads[_TASK]},
        losses={_TASK: published.losses[_TASK]},
        stages=(dataclasses.replace(stage, keep="last"),),
    )
    stores = [np.load(place / f"{name}.npy", mmap_mode="r") for name in ("features", "scores")]
    n_rows = len(stores[0])
    rows = np.arange(n_rows)
    train_set = TrainingSet(
        groups=("",) * n_rows,
        inputs=StoredVectors(tuple((values, rows) for values in stores)),
        targets={_TASK: np.load(place / "units.npy")},
        labels={_TASK: ACTION_UNITS_12},
        keypoints=np.broadcast_to(np.float32(np.nan), (n_rows, 5, 2)),
        primary=np.ones(n_rows, dtype=bool),
    )
    Trainer(recipe, train_set, work).run()
    return n_rows * stage.epochs


def measure_heads(n_rows: int = 1_000_000) -> None:
    """Measure the training, without the time to write its rows."""
    with tempfile.TemporaryDirectory() as folder:
        place = write_rows(Path(folder), n_rows)
        started = time.monotonic()
        measure("train the action-unit head", lambda: train_rows(place, Path(folder) / "work"))
        print(f"train the action-unit head: {time.monotonic() - started:.1f} s wall clock", flush=True)

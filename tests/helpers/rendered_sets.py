# SPDX-License-Identifier: Apache-2.0
"""Small folders in the format of `mien synthesize`, without rendering."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mien.core import ACTION_UNIT_SIDES, ACTION_UNITS
from tests.helpers.open_face_sets import template_landmarks
from tests.helpers.synthetic_data import encoded


def write_rendered(folder: Path, n: int = 24, size_px: int = 48, shade: int | None = None, seed: int = 0) -> Path:
    """N images of one size, three of each person, every sixth person a test person; noise, or one shade."""
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 255, (n, size_px, size_px, 3), dtype=np.uint8)
    if shade is not None:
        pictures = np.full_like(pictures, shade) + rng.integers(0, 6, pictures.shape, dtype=np.uint8)
    identity = np.arange(n) // 3
    kinds = np.array(["neutral", "basic", "units"])[np.arange(n) % 3]
    columns = {
        "name": [f"{row:06d}" for row in range(n)],
        "image": encoded(pictures),
        "identity": pa.array(identity, pa.int32()),
        "split": np.where(identity % 6 == 5, "test", "train"),
        "expression": np.where(kinds == "basic", "anger", "neutral"),
        "expression_kind": kinds,
        "landmarks": pa.array([(template_landmarks() * size_px).ravel().tolist()] * n, pa.list_(pa.float32(), 136)),
    }
    for column, unit in enumerate(ACTION_UNITS.labels):
        columns[unit] = pa.array(((np.arange(n) + np.arange(n) // 18 + column) % 6) / 5, pa.float32())
    for column, side in enumerate(ACTION_UNIT_SIDES):
        columns[side] = pa.array(((np.arange(n) + column) % 5) / 5, pa.float32())
    columns |= {f"{angle}_rad": pa.array(rng.normal(0, 0.3, n), pa.float32()) for angle in ("pitch", "yaw", "roll")}
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), folder / "faces-00000.parquet")
    return folder

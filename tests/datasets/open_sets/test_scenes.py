# SPDX-License-Identifier: Apache-2.0
"""Scenes are divided by name, keep each face with its numbers, and damaged files are refused."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mien.datasets import AnnotationError, load_scenes
from mien.datasets.open_sets.scenes import is_test_scene

NAMES = [f"n{number:08d}_thing.JPEG" for number in range(40)]


def write(folder: Path, *, n_scores: int = 1) -> None:
    points = [[1.0, 2.0] * 5]
    table = pa.table(
        {
            "name": NAMES,
            "image": [b"jpeg"] * 40,
            "boxes": [[[0.0, 0.0, 10.0, 12.0]] if n % 2 else [] for n in range(40)],
            "points": [points if n % 2 else [] for n in range(40)],
            "scores": [[0.9] * n_scores if n % 2 else [] for n in range(40)],
        }
    )
    (folder / "scenes").mkdir()
    pq.write_table(table, folder / "scenes/photos.parquet")


def test_no_scene_is_in_both_splits(tmp_path: Path) -> None:
    write(tmp_path)
    train, test = load_scenes(tmp_path, "train"), load_scenes(tmp_path, "test")
    assert sorted(train.names + test.names) == NAMES
    assert 0 < len(test) < len(train)
    assert all(map(is_test_scene, test.names))
    row = next(row for row, name in enumerate(train.names) if NAMES.index(name) % 2)
    assert train.boxes[row].shape == (1, 4)
    assert train.keypoints[row].shape == (1, 5, 2)
    assert train.confidence[row].tolist() == pytest.approx([0.9])


def test_damage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="no such file"):
        load_scenes(tmp_path, "train")
    with pytest.raises(AnnotationError, match="train, test, not 'valid'"):
        load_scenes(tmp_path, "valid")
    write(tmp_path, n_scores=2)
    with pytest.raises(AnnotationError, match="1 boxes"):
        load_scenes(tmp_path, "train")

# SPDX-License-Identifier: Apache-2.0
"""Shards of feature vectors: what each says of itself, copies for training, and damage."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from mien.core import ConfigError, InputError
from mien.results import FeatureInfo, FeatureWriter, FrameVectors, open_features
from tests.helpers.feature_folders import INFO, fill, vectors


def test_copies_follow_the_shards(tmp_path: Path) -> None:
    fill(tmp_path)
    assert len(open_features(tmp_path).mapped()) == 13
    with FeatureWriter(tmp_path, INFO) as writer:
        assert writer.is_done("x")
        assert (writer.last_frame("x"), writer.last_frame("é")) == (-1, 7)
        writer.append(vectors("é", 8, 1))
        assert writer.finish("é", n_frames=3).n_rows == 5
    assert len(open_features(tmp_path).mapped()) == 14


def test_vectors_without_scores(tmp_path: Path) -> None:
    info = FeatureInfo(made_by="sound", digest="1", n_features=3)
    vector = vectors("x", 0, 2)
    with FeatureWriter(tmp_path, info) as writer:
        writer.append(FrameVectors(**{**vars(vector), "scores": np.empty((2, 0), np.float32)}))
    assert open_features(tmp_path).load().scores.shape == (2, 0)
    with pytest.raises(ConfigError, match="no scores of 'expression'"):
        info.scores_of("expression")


def test_scores_by_task() -> None:
    assert INFO.scores_of("expression") == slice(0, 2)
    assert INFO.scores_of("other") == slice(2, 3)


def test_a_missing_shard(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "shard-00001.parquet").unlink()
    with pytest.raises(InputError, match=r"shard-00001.parquet is missing before shard-00002.parquet"):
        open_features(tmp_path)


@pytest.mark.parametrize("n_bytes", [0, 100])
def test_a_damaged_shard(tmp_path: Path, n_bytes: int) -> None:
    fill(tmp_path)
    last = tmp_path / "shard-00002.parquet"
    last.write_bytes(last.read_bytes()[:n_bytes])
    with pytest.raises(InputError, match=r"shard-00002.parquet: no shard of feature vectors, or damaged"):
        FeatureWriter(tmp_path, INFO)
    last.unlink()
    with FeatureWriter(tmp_path, INFO) as writer:
        assert writer.last_frame("é") == -1


def test_settings_of_an_earlier_version_are_read_under_the_current_names(tmp_path: Path) -> None:
    info = replace(INFO, settings={"faces": "all", "landmark_model": "56b4"})
    fill(tmp_path, info)
    for path in tmp_path.glob("*.parquet"):
        table = pq.read_table(path, partitioning=None)
        content = json.loads(table.schema.metadata[b"mien.features"])
        content["info"] = {**asdict(info), "settings": {"faces": "all", "points": "56b4"}}
        old = table.replace_schema_metadata({b"mien.features": json.dumps(content).encode()})
        pq.write_table(old, path)
    assert open_features(tmp_path).info == info
    with FeatureWriter(tmp_path, info) as writer:  # and the extraction goes on
        assert writer.n_rows_found == 13


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    fill(tmp_path)
    path = tmp_path / "shard-00000.parquet"
    table = pq.read_table(path, partitioning=None)
    content = {**json.loads(table.schema.metadata[b"mien.features"]), "version": 99}
    pq.write_table(table.replace_schema_metadata({b"mien.features": json.dumps(content).encode()}), path)
    with pytest.raises(InputError, match="version 99, this mien reads up to 1"):
        open_features(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"), [({"dtype": "float64"}, "float32 or float16"), ({"n_features": 0}, "gives no embedding")]
)
def test_impossible_vectors_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(INFO, **changes)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no feature vectors here"):
        open_features(tmp_path)

# SPDX-License-Identifier: Apache-2.0
"""Shards of feature vectors: what each says of itself, copies for training, and damage."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
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


def edit(path: Path, name: str, values: Callable[[list[Any]], pa.Array]) -> None:
    table = pq.read_table(path, partitioning=None)
    column = values(table[name].to_pylist())
    pq.write_table(table.set_column(table.schema.get_field_index(name), name, column), path)


def replaced(row: int, value: object) -> Callable[[list[Any]], pa.Array]:
    return lambda values: pa.array([*values[:row], value, *values[row + 1 :]])


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("frame", replaced(1, None), "row 2, column frame: there is no value"),
        ("frame", replaced(2, -4), "row 3, column frame: -4 is less than 0"),
        ("track", replaced(0, -2), "row 1, column track: -2 is less than -1"),
        ("source", replaced(0, None), "row 1, column source: there is no value"),
        ("features", replaced(1, None), "row 2, column features: there is no value"),
        ("features", replaced(1, [1.0, None, 2.0]), "row 2, column features: a number of the vector is missing"),
        ("scores", replaced(3, [1.0, float("inf"), 2.0]), "row 4, column scores: a number of the vector is missing"),
        ("features", replaced(1, [1.0]), "column features: 'its type is"),
        ("track", lambda values: pa.array(["x"] * len(values)), "column track: 'its type is string"),
        ("frame", lambda values: pa.array([1] * len(values)), "has two vectors of track 0 in frame 1"),
    ],
)
def test_an_edited_shard_is_one_sentence(
    tmp_path: Path, name: str, change: Callable[[list[Any]], pa.Array], message: str
) -> None:
    fill(tmp_path)
    whole = open_features(tmp_path).load()
    path = tmp_path / "shard-00000.parquet"
    before = path.read_bytes()
    edit(path, name, change)
    with pytest.raises(InputError, match=r"shard-00000\.parquet cannot be used: ") as caught:
        open_features(tmp_path).load()
    assert message in str(caught.value)
    path.write_bytes(before)
    assert np.array_equal(open_features(tmp_path).load().features, whole.features)


def test_a_column_that_is_gone_or_twice(tmp_path: Path) -> None:
    fill(tmp_path)
    path = tmp_path / "shard-00001.parquet"
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.drop(["track"]), path)
    with pytest.raises(InputError, match="it must have one column track"):
        open_features(tmp_path).load()
    wider = table.set_column(4, "features", table["features"].cast(pa.list_(pa.float64(), 3)))
    pq.write_table(wider.append_column("mine", pa.array([1] * len(table))), path)
    assert len(open_features(tmp_path).load()) == 13, "numbers of another type and columns of a user's own do no harm"

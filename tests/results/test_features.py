# SPDX-License-Identifier: Apache-2.0
"""Shards of vectors: written, continued, streamed and mapped back."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import ConfigError, InputError, OutputError
from mien.results import FeatureInfo, FeatureWriter, FrameVectors, open_features

INFO = FeatureInfo(
    made_by="tiny", digest="0" * 64, n_features=3, score_names=("expression.a", "expression.b", "other.c")
)


def vectors(source: str, frame: int, n: int, **about: str) -> FrameVectors:
    values = np.random.default_rng([frame, n]).random((n, 6), dtype=np.float32)
    return FrameVectors(
        source=source,
        frame=frame,
        time_s=frame / 25,
        tracks=np.arange(n, dtype=np.int64),
        features=values[:, :3],
        scores=values[:, 3:],
        **about,
    )


def fill(folder: Path, info: FeatureInfo = INFO) -> list[FrameVectors]:
    frames = [vectors("x", frame, frame % 3) for frame in range(9)] + [vectors("é", frame, 2) for frame in (4, 7)]
    with FeatureWriter(folder, info, rows_per_shard=4) as writer:
        for vector in frames:
            writer.append(vector)
            if vector is frames[8]:
                writer.finish("x", n_frames=9, messages=("a note",))
    return frames


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_was_written_comes_back(tmp_path: Path, dtype: str) -> None:
    info = FeatureInfo(**{**vars(INFO), "dtype": dtype})
    frames = fill(tmp_path, info)
    stored = open_features(tmp_path)
    assert stored.info == info
    assert len(stored) == sum(map(len, frames)) == 13
    assert [shard.n_rows for shard in stored.shards] == [4, 5, 4]
    assert [(record.source, record.n_rows, record.messages) for record in stored.records] == [("x", 9, ("a note",))]
    for arrays in (stored.load(), stored.mapped(), stored.mapped()):
        assert arrays.sources == ("x", "é")
        np.testing.assert_array_equal(arrays.features, np.concatenate([f.features for f in frames]).astype(dtype))
        np.testing.assert_array_equal(arrays.scores, np.concatenate([f.scores for f in frames]).astype(dtype))
        np.testing.assert_array_equal(arrays.frame, np.repeat([f.frame for f in frames], list(map(len, frames))))
        np.testing.assert_array_equal(arrays.track, np.concatenate([f.tracks for f in frames]))
        assert len(arrays.rows_of("é")) == 4
        assert len(arrays.rows_of("nobody")) == 0
    assert isinstance(stored.mapped().features, np.memmap)


def test_copies_follow_the_shards(tmp_path: Path) -> None:
    fill(tmp_path)
    assert len(open_features(tmp_path).mapped()) == 13
    with FeatureWriter(tmp_path, INFO) as writer:
        assert writer.is_done("x")
        assert (writer.last_frame("x"), writer.last_frame("é")) == (-1, 7)
        writer.append(vectors("é", 8, 1))
        assert writer.finish("é", n_frames=3).n_rows == 5
    assert len(open_features(tmp_path).mapped()) == 14


def test_frames_without_a_face_move_the_position_and_do_not_pile_up(tmp_path: Path) -> None:
    with FeatureWriter(tmp_path, INFO) as writer:
        for frame in range(1000):
            writer.append(vectors("x", frame, 0))
        writer.append(vectors("x", 1000, 0, failure="torn"))
        assert len(writer._pending.entries) == 1
    with FeatureWriter(tmp_path, INFO) as writer:
        assert writer.last_frame("x") == 1000
        assert writer.failures == (("x", 1000, "torn"),)
    assert len(open_features(tmp_path).mapped()) == 0


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


def test_two_writers_at_once(tmp_path: Path) -> None:
    with FeatureWriter(tmp_path, INFO), pytest.raises(OutputError, match="being written by another run"):
        FeatureWriter(tmp_path, INFO)


def test_wrong_lengths(tmp_path: Path) -> None:
    info = FeatureInfo(made_by="tiny", digest="0", n_features=4)
    with FeatureWriter(tmp_path, info) as writer, pytest.raises(ConfigError, match="vectors of lengths"):
        writer.append(vectors("x", 0, 1))


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

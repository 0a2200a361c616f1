# SPDX-License-Identifier: Apache-2.0
"""Feature vectors are written, continued and read back."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import ConfigError, OutputError
from mien.results import FeatureInfo, FeatureWriter, open_features
from tests.helpers.feature_folders import INFO, fill, vectors


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


def test_two_writers_at_once(tmp_path: Path) -> None:
    with FeatureWriter(tmp_path, INFO), pytest.raises(OutputError, match="being written by another run"):
        FeatureWriter(tmp_path, INFO)


def test_wrong_lengths(tmp_path: Path) -> None:
    info = FeatureInfo(made_by="tiny", digest="0", n_features=4)
    with FeatureWriter(tmp_path, info) as writer, pytest.raises(ConfigError, match="vectors of lengths"):
        writer.append(vectors("x", 0, 1))


def test_rows_are_safe_before_their_shard_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("mien.results.features.feature_writer.time.monotonic", lambda: now)
    writer = FeatureWriter(tmp_path, INFO)
    for index in range(4):
        now += 6.0
        writer.append(vectors("x", index, 1))
    writer._lock.close()  # as after SIGKILL: nothing else happens
    with FeatureWriter(tmp_path, INFO) as again:
        assert again.n_rows_found == 4, "those after 12 and 24 seconds"
        assert again.last_frame("x") == 3
        again.append(vectors("x", 4, 1))
        again.finish("x", n_frames=5)
    stored = open_features(tmp_path)
    assert stored.load().frame.tolist() == list(range(5)), "no row is lost or doubled"
